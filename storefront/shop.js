// The shop as the pages see it: who looks around, what the lists hold, and what moved after a click.
import { connect } from "./recostack.js";

const API = new URL("..", import.meta.url).href.replace(/\/$/, "");
/** Milliseconds between looks at a list after an event: often in the first two seconds, then now and then. */
const LOOKS = [150, 200, 250, 300, 300, 300, 400, 500, 700, 1000, 2000, 4000, 8000, 16000];
/** After so many of them a list that is as it was is said to be unchanged, which a later one may still correct. */
const PATIENT_LOOKS = 10;
/** Milliseconds before a list is asked for again; the last one repeats. */
const PAUSES = [500, 1000, 2000, 4000, 8000, 16000];
const PERSONALIZED = "USER_PERSONALIZATION", RELATED = "RELATED_ITEMS", RANKING = "PERSONALIZED_RANKING";
const sleep = (ms) => new Promise((wake) => setTimeout(wake, ms));
const idsOf = (list) => list.items.map((item) => item.item_id);
const stored = (name, otherwise) => JSON.parse(localStorage.getItem(`recostack ${name}`) ?? "null") ?? otherwise;
const store = (name, value) => localStorage.setItem(`recostack ${name}`, JSON.stringify(value));

async function json(path) {
  const answer = await fetch(`${API}/storefront/${path}`);
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.json();
}

/** What changed from one list to the next: the place of each item before (-1: it is new), and those that are gone. */
export function moves(before, after) {
  const old = idsOf(before), now = idsOf(after);
  const places = new Map(now.map((id, place) => [id, { from: old.indexOf(id), to: place }]));
  return { places, gone: before.items.filter((item) => !places.has(item.item_id)) };
}

/** Whether somebody else than the placement's own solution answered: Personalize throttled, or was not there in time. */
export const fallen = ({ spec, list }) => list.source !== spec.placement.solution && list.source !== "pin";

export class Shop {
  static async open() {
    return new Shop(await json("shop.json"));
  }

  constructor(about) {
    Object.assign(this, { about, rails: new Map(), events: [], cart: stored("cart", []), listeners: new Set(), known: new Map() });
    this.client = connect({ url: API, key: about.key });
    this.main = about.placements.find(({ kind, parameters }) => kind === PERSONALIZED && !parameters.length);
    this.related = about.placements.find(({ kind, parameters }) => kind === RELATED && !parameters.length);
    this.ranking = about.placements.find(({ kind, parameters }) => kind === RANKING && !parameters.length);
    const category = about.columns.category?.toLowerCase();
    this.byCategory = about.placements.find(({ parameters }) => parameters.length === 1 && parameters[0].toLowerCase() === category);
    this.others = about.placements.filter((of) => of.kind !== RELATED && of.kind !== RANKING && of !== this.main && !of.parameters.length);
    this.persona = undefined;
    const id = stored("persona", null);
    if (about.personas.some((persona) => persona.id === id)) this.become(id, false);
  }

  listen(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
  tell() { for (const listener of this.listeners) listener(); }

  // Items ---------------------------------------------------------------------------------------------------------------

  part(item, name) {
    const value = item.attributes?.[this.about.columns[name]];
    return Array.isArray(value) ? value.join(", ") : value;
  }
  title(item) { return this.part(item, "title") ?? item.item_id; }
  categories(item) { return [item.attributes?.[this.about.columns.category] ?? []].flat(); }

  async items(query) {
    const { items } = await json(`items.json?${new URLSearchParams(query)}`);
    for (const item of items) this.known.set(item.item_id, item);
    return items;
  }
  async item(id) { return this.known.get(id) ?? (await this.items({ ids: id }))[0]; }

  // Visitors ------------------------------------------------------------------------------------------------------------

  become(id, again = true) {
    this.persona = this.about.personas.find((persona) => persona.id === id);
    store("persona", id ?? null);
    if (again) {
      this.client.signOut();
      this.events = [];
      this.watched = this.own = undefined;
    }
    if (this.persona) this.client.signIn({ id, token: () => this.token(id) });
    const shown = [...this.rails.values()].map((rail) => rail.spec);
    this.rails.clear();
    if (again) this.show(shown.filter((spec) => !spec.key.startsWith("more ")));
  }

  /** The token of a persona, from the shop's server; a new one where it has expired. */
  async token(id) {
    const valid = ({ token }) => Number(token.split(".")[0]) * 1000 > Date.now() + 10_000;
    let persona = this.about.personas.find((one) => one.id === id);
    if (!valid(persona)) {
      this.about.personas = (await json("shop.json")).personas;
      persona = this.about.personas.find((one) => one.id === id);
    }
    return persona.token;
  }

  // Lists ---------------------------------------------------------------------------------------------------------------

  /** The page shows these lists, and no others; each is `{key, placement, options, title}`. */
  show(specs) {
    const rails = new Map();
    for (const spec of specs) rails.set(spec.key, this.rails.get(spec.key) ?? { spec });
    this.rails = rails;
    this.tell();
    return Promise.all([...rails.values()].filter((rail) => !rail.list).map((rail) => this.load(rail)));
  }

  ask({ placement, options = {}, items }) {
    const explain = { explain: true, ...options };
    return items ? this.client.rank(placement.name, items, explain) : this.client.recommend(placement.name, explain);
  }

  /** Gets a list. What may pass by itself (a throttle, a function that starts) is tried again while the page shows the list. */
  async load(rail) {
    for (let attempt = 0; this.rails.get(rail.spec.key) === rail; attempt++) {
      const began = performance.now();
      try {
        this.put(rail, await this.ask(rail.spec), Math.round(performance.now() - began));
        if (!fallen(rail) && !rail.list.degraded) return undefined;
      } catch (error) {
        Object.assign(rail, { error });
        this.tell();
        if (error.status >= 400 && error.status < 500 && error.status !== 429) return undefined;
      }
      await sleep(PAUSES[Math.min(attempt, PAUSES.length - 1)]);
    }
    return undefined;
  }

  put(rail, list, took, moved) {
    for (const item of list.items) this.known.set(item.item_id, item);
    const before = rail.list;
    Object.assign(rail, { list, took, error: undefined, moves: moved ?? (before && moves(before, list)) });
    if (rail.spec.key === "home") this.own = list;
    if (rail.spec.placement === this.main) this.fill();
    this.tell();
  }

  /** On the first page, below the visitor's own list: more of the categories that this list is about. */
  fill() {
    const own = this.rails.get("home");
    if (!own?.list || !own.spec.fills || !this.byCategory) return;
    const counted = new Map();
    for (const item of own.list.items) for (const name of this.categories(item)) counted.set(name, (counted.get(name) ?? 0) + 1);
    const clicked = this.watched?.item ? this.categories(this.watched.item) : [];
    const frequent = [...counted.entries()].sort((a, b) => b[1] - a[1]).map(([name]) => name);
    const wanted = [...new Set([...clicked.slice(0, 1), ...frequent])].slice(0, 2);
    for (const key of [...this.rails.keys()]) if (key.startsWith("more ") && !wanted.includes(key.slice(5))) this.rails.delete(key);
    for (const name of wanted) {
      if (this.rails.has(`more ${name}`)) continue;
      const options = { filter: { [this.byCategory.parameters[0]]: name }, numResults: 10 };
      const rail = { spec: { key: `more ${name}`, placement: this.byCategory, options, category: name } };
      this.rails.set(rail.spec.key, rail);
      this.load(rail);
    }
  }

  // Events --------------------------------------------------------------------------------------------------------------

  /** The visitor did something with an item: `part` is view, cart or buy. Shops without such an event send none. */
  act(part, item) {
    const type = this.about.events[part];
    if (!type) return undefined;
    const price = part === "buy" ? Number(this.part(item, "price")) : NaN;
    const event = { type, part, item, at: Date.now(), began: performance.now() };
    this.client.track(type, { itemId: item.item_id, value: Number.isFinite(price) ? price : undefined });
    this.events = [event, ...this.events].slice(0, 30);
    this.watched = event;
    this.watch(event);
    this.tell();
    return event;
  }

  /** Look at the visitor's list for a while: the first change is told at once, with those that follow, since the click. */
  async watch(event) {
    const since = () => Math.round(performance.now() - event.began), before = this.own;
    await this.client.flush();
    while (this.client.waiting && this.watched === event) await sleep(300);
    event.taken = since();
    this.tell();
    let seen = before && idsOf(before).join();
    for (const [look, pause] of LOOKS.entries()) {
      if (look === PATIENT_LOOKS && !event.changed) {
        event.unchanged = true;
        this.tell();
      }
      await sleep(pause);
      if (this.watched !== event || !before) break;
      const began = performance.now(), list = await this.ask({ placement: this.main }).catch(() => undefined);
      if (this.watched !== event || !list || idsOf(list).join() === seen) continue;
      seen = idsOf(list).join();
      event.changed ??= since();
      event.unchanged = false;
      event.moves = moves(before, list);
      const rail = this.rails.get("home");
      if (rail) this.put(rail, list, Math.round(performance.now() - began), event.moves);
      this.own = list;
      for (const other of this.rails.values()) if (other !== rail && other.list) this.load(other);
    }
    event.unchanged = !event.changed;
    this.tell();
  }

  // The cart ------------------------------------------------------------------------------------------------------------

  get sells() { return Boolean(this.about.events.cart || this.about.events.buy); }

  add(item) {
    if (!this.cart.includes(item.item_id)) store("cart", this.cart = [...this.cart, item.item_id]);
    this.act("cart", item);
  }
  remove(id) {
    store("cart", this.cart = this.cart.filter((one) => one !== id));
    this.tell();
  }
  async buy() {
    for (const id of this.cart) this.act("buy", (await this.item(id)) ?? { item_id: id });
    store("cart", this.cart = []);
    this.tell();
  }
}
