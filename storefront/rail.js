// A list of items on the page. When it changes, each card moves from where it was to where it is.
import { html, useLayoutEffect, useRef } from "./vendor/preact-htm.js";
import { Picture } from "./picture.js";

const MOVE = { duration: 900, easing: "cubic-bezier(.22, 1, .36, 1)" };
const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Animates the children of a list that have a key in `data-item`, from the places of the last drawing to those of this one. */
function useMoves(list) {
  const places = useRef(new Map());
  useLayoutEffect(() => {
    const cards = [...(list.current?.children ?? [])].filter((card) => card.dataset.item);
    const now = new Map(cards.map((card) => [card.dataset.item, [card.offsetLeft, card.offsetTop]]));
    if (places.current.size && !still()) {
      for (const card of cards) {
        const [before, [x, y]] = [places.current.get(card.dataset.item), now.get(card.dataset.item)];
        if (!before) card.animate([{ opacity: 0, transform: "translateY(18px) scale(.94)" }, { opacity: 1, transform: "none" }], MOVE);
        else if (before[0] !== x || before[1] !== y)
          card.animate([{ transform: `translate(${before[0] - x}px, ${before[1] - y}px)` }, { transform: "none" }], MOVE);
      }
    }
    places.current = now;
  });
}

/** How an item came to its place: new, up or down; nothing where it stayed. */
export function Move({ move, t }) {
  if (!move || move.from === move.to) return null;
  if (move.from < 0) return html`<span class="move new">${t.came}</span>`;
  const by = move.from - move.to;
  return html`<span class=${by > 0 ? "move up" : "move down"} title=${by > 0 ? t.up(by) : t.down(-by)}>
    <span aria-hidden="true">${by > 0 ? "↑" : "↓"}${Math.abs(by)}</span><span class="unseen">${by > 0 ? t.up(by) : t.down(-by)}</span></span>`;
}

export function Price({ shop, item }) {
  const price = shop.part(item, "price"), year = shop.part(item, "year");
  if (price !== undefined && price !== null) return html`<span class="price">${Number(price).toLocaleString(document.documentElement.lang, { minimumFractionDigits: 2 })}</span>`;
  return year ? html`<span class="quiet">${year}</span>` : null;
}

function Card({ shop, t, item, place, move, ranked }) {
  const [category] = shop.categories(item), title = shop.title(item);
  const part = shop.sells ? "cart" : "view", does = shop.sells ? t.cartAdd : shop.about.events.view;
  const add = () => (shop.sells ? shop.add(item) : shop.act("view", item));
  const inCart = shop.sells && shop.cart.includes(item.item_id);
  return html`<li class=${`card ${move?.from < 0 ? "is-new" : ""}`} data-item=${item.item_id} data-testid="card">
    <a href=${`#/item/${encodeURIComponent(item.item_id)}`} onClick=${() => shop.act("view", item)} data-testid="card-link">
      <span class="frame"><${Picture} id=${item.item_id} category=${category} />
        ${ranked && html`<span class="rank" aria-label=${t.position(place + 1)}>${place + 1}</span>`}
        <${Move} move=${move} t=${t} /></span>
      <span class="title">${title}</span>
      <span class="about small"><span class="quiet">${category}</span><${Price} shop=${shop} item=${item} /></span>
    </a>
    ${shop.about.events[part] && html`<button class=${`quick ${inCart ? "done" : ""}`} onClick=${add} data-testid="quick" disabled=${inCart}
      aria-label=${`${inCart ? t.inCart : does}: ${title}`} title=${inCart ? t.inCart : does}>
      <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round">
        <path d=${shop.sells && !inCart ? "M8 3v10M3 8h10" : "M3 8.5l3.2 3.2L13 5"} /></svg></button>`}
  </li>`;
}

const BLANKS = [...Array(10).keys()];

/** One of the page's lists, with its heading. `wide`: in rows, with the places as numbers. */
export function Rail({ shop, t, rail, title, wide, note }) {
  const list = useRef(null);
  useMoves(list);
  const { spec, error } = rail, items = rail.list?.items;
  const moved = rail.moves ?? spec.moves;
  return html`<section class=${`rail ${wide ? "wide" : ""}`} data-testid=${`rail-${spec.placement.name}`} data-key=${spec.key} aria-busy=${!items && !error}>
    <header><h2>${title}</h2>${note}<code class="placement">${spec.placement.name}</code></header>
    ${error && html`<p class="error" role="alert">${t.failed} (${error.code ?? error.message}).
      <button class="plain" onClick=${() => shop.load(rail)}>${t.again}</button></p>`}
    <ol class="cards" ref=${list} tabindex=${wide ? undefined : 0} aria-label=${wide ? undefined : title}>
      ${items ? items.map((item, place) => html`<${Card} key=${item.item_id} ...${{ shop, t, item, place, ranked: wide, move: moved?.places.get(item.item_id) }} />`)
        : !error && BLANKS.map((n) => html`<li class="card blank" key=${`blank ${n}`} aria-hidden="true"><span class="frame"></span><span class="title"></span></li>`)}
    </ol>
    ${items && !items.length && html`<p class="quiet">${t.nothing}</p>`}
  </section>`;
}
