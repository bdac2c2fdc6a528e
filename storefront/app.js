// The storefront: a shop window for whatever the catalogue holds.
import { html, render, useEffect, useMemo, useState } from "./vendor/preact-htm.js";
import { LANGUAGES, preferred } from "./words.js";
import { Shop } from "./shop.js";
import { Rail, Price } from "./rail.js";
import { Panel } from "./panel.js";
import { Picture } from "./picture.js";

const here = () => location.hash.replace(/^#\/?/, "");
const go = (path) => { location.hash = `/${path}`; };

function usePath() {
  const [path, set] = useState(here());
  useEffect(() => {
    const moved = () => { set(here()); scrollTo(0, 0); };
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  return path;
}

/** Draw again whenever the shop has news. */
function useNews(shop) {
  const [, set] = useState(0);
  useEffect(() => shop.listen(() => set((n) => n + 1)), [shop]);
}

function useTheme() {
  const [theme, set] = useState(localStorage.getItem("recostack theme") ?? "");
  useEffect(() => { document.documentElement.dataset.theme = theme; }, [theme]);
  const isDark = theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  return () => { const next = isDark ? "light" : "dark"; localStorage.setItem("recostack theme", next); set(next); };
}

const Icon = ({ d }) => html`<svg viewBox="0 0 20 20" width="19" height="19" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round"><path d=${d} /></svg>`;

function Header({ shop, t, toggleTheme, toggleLanguage, words }) {
  const search = (event) => { event.preventDefault(); go(`search/${encodeURIComponent(new FormData(event.target).get("q"))}`); };
  return html`<header class="top">
    <a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); document.getElementById("main").focus(); }}>${t.skip}</a>
    <a class="brand" href="#/" data-testid="brand"><span class="mark" aria-hidden="true"></span>${shop.about.name}</a>
    ${shop.ranking && html`<form role="search" onSubmit=${search}><label class="unseen" for="q">${t.searchFor}</label>
      <input id="q" name="q" type="search" key=${words} defaultValue=${words} placeholder=${t.searchFor} autocomplete="off" maxlength="200" data-testid="search" /></form>`}
    <nav><button class="round text" onClick=${toggleLanguage} aria-label=${`${t === LANGUAGES.en ? "KO" : "EN"}: ${t.language}`} data-testid="language">${t === LANGUAGES.en ? "KO" : "EN"}</button>
      <button class="round" onClick=${toggleTheme} aria-label=${t.theme} data-testid="theme"><${Icon} d="M10 3a7 7 0 1 0 7 7 5.5 5.5 0 0 1-7-7z" /></button>
      ${shop.sells && html`<a class="round" href="#/cart" aria-label=${`${t.cart}: ${shop.cart.length}`} data-testid="cart"><${Icon} d="M4 6h12l-1.2 9.5H5.2zM7 6a3 3 0 0 1 6 0" />
        ${shop.cart.length > 0 && html`<span class="count">${shop.cart.length}</span>`}</a>`}</nav>
  </header>`;
}

function Visitors({ shop, t }) {
  const all = [{ id: undefined, label: t.newVisitor }, ...shop.about.personas];
  return html`<div class="visitors" role="group" aria-label=${t.as} data-testid="visitors"><span class="quiet small" aria-hidden="true">${t.as}</span>
    ${all.map(({ id, label }) => html`<button key=${id ?? ""} class="visitor" aria-pressed=${shop.persona?.id === id} onClick=${() => shop.become(id)} data-testid=${`visitor-${id ?? "new"}`}>
      <span class="face"><${Picture} id=${`visitor ${id}`} category=${label} /></span>${label}</button>`)}</div>`;
}

function titleOf({ spec }, shop, t) {
  if (spec.category) return t.more(spec.category);
  if (spec.placement === shop.main) return shop.persona ? t.home : t.homeNew;
  return spec.placement.kind === "RELATED_ITEMS" ? t.related : t.popular;
}

const home = (shop, fills) => (shop.main ? [{ key: "home", placement: shop.main, fills, options: {} }] : []);

function Home({ shop, t }) {
  useEffect(() => { shop.show([...home(shop, true), ...shop.others.map((placement) => ({ key: placement.name, placement, options: { numResults: 10 } }))]); }, [shop]);
  const categories = shop.about.categories.slice(0, 18);
  return html`<h1 class="unseen">${shop.about.name}</h1><${Visitors} shop=${shop} t=${t} />
    ${[...shop.rails.values()].map((rail) => html`<${Rail} key=${rail.spec.key} ...${{ shop, t, rail, title: titleOf(rail, shop, t), wide: rail.spec.key === "home" }} />`)}
    ${shop.byCategory && html`<nav class="categories" aria-label=${t.categories}>${categories.map(({ name, items }) => html`<a key=${name} href=${`#/category/${encodeURIComponent(name)}`}>${name} <span class="quiet">${items}</span></a>`)}</nav>`}`;
}

function ItemPage({ shop, t, id }) {
  const [item, set] = useState(shop.known.get(id));
  useEffect(() => {
    set(shop.known.get(id));
    if (!shop.known.has(id)) shop.item(id).then((found) => set(found ?? null), () => set(null));
    const related = shop.related ? [{ key: `related ${id}`, placement: shop.related, options: { itemId: id, numResults: 10 } }] : [];
    shop.show([...related, ...home(shop)]);
  }, [shop, id]);
  if (item === null) return html`<h1>${t.missing}</h1><p><a class="link" href="#/">${t.back}</a></p>`;
  if (!item) return html`<div class="item blank"></div>`;
  const stock = shop.part(item, "stock"), categories = shop.categories(item), inCart = shop.cart.includes(id);
  return html`<article class="item" data-testid="item" data-item=${id}>
      <span class="frame"><${Picture} id=${id} category=${categories[0]} /></span>
      <div><p class="quiet small trail">${categories.map((name) => html`<a key=${name} href=${shop.byCategory ? `#/category/${encodeURIComponent(name)}` : undefined}>${name}</a>`)}</p>
        <h1>${shop.title(item)}</h1>
        <p class="facts"><${Price} shop=${shop} item=${item} />${shop.part(item, "brand") && html`<span class="quiet">${shop.part(item, "brand")}</span>`}
          ${typeof stock === "number" && html`<span class=${stock ? "stock" : "stock none"}>${stock ? t.left(stock) : t.soldOut}</span>`}</p>
        ${shop.part(item, "description") && html`<p class="quiet">${shop.part(item, "description")}</p>`}
        ${shop.sells ? html`<button class="main" disabled=${inCart} onClick=${() => shop.add(item)} data-testid="add">${inCart ? t.inCart : t.cartAdd}</button>`
          : shop.about.events.view && html`<button class="main" onClick=${() => shop.act("view", item)} data-testid="add">${shop.about.events.view}</button>`}
      </div></article>
    ${[...shop.rails.values()].map((rail) => html`<${Rail} key=${rail.spec.key} ...${{ shop, t, rail, title: titleOf(rail, shop, t) }} />`)}`;
}

function Category({ shop, t, name }) {
  useEffect(() => {
    if (!shop.byCategory) return;
    const options = { filter: { [shop.byCategory.parameters[0]]: name }, numResults: 25 };
    shop.show([{ key: `category ${name}`, placement: shop.byCategory, options }, ...home(shop)]);
  }, [shop, name]);
  return html`<h1>${name}</h1>${[...shop.rails.values()].map((rail, n) => html`<${Rail} key=${rail.spec.key} ...${{ shop, t, rail, wide: n === 0, title: n ? titleOf(rail, shop, t) : t.all(name) }} />`)}`;
}

function Search({ shop, t, words }) {
  const [found, set] = useState();
  useEffect(() => {
    let current = true;
    set(undefined);
    shop.items({ q: words }).then((items) => {
      if (!current) return;
      set(items);
      const places = new Map(items.map(({ item_id }, from) => [item_id, from]));
      const spec = { key: `search ${words}`, placement: shop.ranking, items: [...places.keys()] };
      shop.show(items.length ? [spec] : []).then(() => {
        const rail = shop.rails.get(spec.key);
        if (!rail?.list) return;
        spec.moves = { places: new Map(rail.list.items.map(({ item_id }, to) => [item_id, { from: places.get(item_id), to }])), gone: [] };
        shop.tell();
      });
    }, () => current && set([]));
    return () => { current = false; };
  }, [shop, words]);
  return html`<h1 aria-live="polite">${found ? t.results(found.length, words) : "…"}</h1>
    ${found && !found.length && html`<p class="quiet">${t.nothing}</p>`}
    ${found?.length > 0 && [...shop.rails.values()].map((rail) => html`<${Rail} key=${rail.spec.key} ...${{ shop, t, rail, wide: true, title: t.search, note: html`<span class="quiet small">${t.reranked}</span>` }} />`)}`;
}

function Cart({ shop, t }) {
  const [bought, set] = useState(false), [, seen] = useState(0);
  useEffect(() => {
    shop.show(home(shop));
    const missing = shop.cart.filter((id) => !shop.known.has(id));
    if (missing.length) shop.items({ ids: missing.join() }).then(() => seen(1));
  }, [shop]);
  const items = shop.cart.map((id) => shop.known.get(id) ?? { item_id: id, attributes: {} });
  return html`<h1>${t.cart}</h1>
    ${items.length ? html`<ul class="cart">${items.map((item) => html`<li key=${item.item_id}><span class="thumb"><${Picture} id=${item.item_id} category=${shop.categories(item)[0]} /></span>
        <a class="title" href=${`#/item/${encodeURIComponent(item.item_id)}`}>${shop.title(item)}</a><${Price} shop=${shop} item=${item} />
        <button class="round" onClick=${() => shop.remove(item.item_id)} aria-label=${`${t.close}: ${shop.title(item)}`}>×</button></li>`)}</ul>
      <button class="main" onClick=${() => { shop.buy(); set(true); }} data-testid="buy">${items.length > 1 ? t.buyAll : t.buy}</button>`
      : html`<p class="quiet" role="status">${bought ? t.thanks : t.empty}</p>`}
    ${[...shop.rails.values()].map((rail) => html`<${Rail} key=${rail.spec.key} ...${{ shop, t, rail, title: titleOf(rail, shop, t) }} />`)}`;
}

function App({ shop }) {
  useNews(shop);
  const path = usePath(), toggleTheme = useTheme();
  const [language, setLanguage] = useState(preferred()), [open, setOpen] = useState(false);
  const t = LANGUAGES[language];
  useEffect(() => { document.documentElement.lang = language; localStorage.setItem("recostack language", language); }, [language]);
  const [page, rest] = useMemo(() => { const [first, ...more] = path.split("/"); return [first, decodeURIComponent(more.join("/"))]; }, [path]);
  useEffect(() => { document.title = [rest, shop.about.name].filter(Boolean).join(" · "); }, [rest]);
  const pages = { "": Home, item: ItemPage, category: Category, search: Search, cart: Cart };
  const Page = pages[page] ?? Home;
  return html`<${Header} ...${{ shop, t, toggleTheme, words: page === "search" ? rest : "", toggleLanguage: () => setLanguage(language === "en" ? "ko" : "en") }} />
    <div class="layout"><main id="main" tabindex="-1"><${Page} key=${page} shop=${shop} t=${t} id=${rest} name=${rest} words=${rest} /></main>
    <${Panel} ...${{ shop, t, open, close: () => setOpen(false) }} /></div>
    <button class="opener" onClick=${() => setOpen(!open)} aria-expanded=${open} aria-controls="panel" data-testid="open-panel">${t.open}
      ${shop.watched && html`<span class=${`dot ${shop.watched.changed ? "done" : ""}`}></span>`}</button>`;
}

Shop.open().then(
  (shop) => render(html`<${App} shop=${shop} />`, document.body),
  (error) => { const t = LANGUAGES[preferred()]; render(html`<main class="away"><h1>${t.failed}</h1><p class="quiet">${String(error.message)}</p><button class="main" onClick=${() => location.reload()}>${t.again}</button></main>`, document.body); },
);
