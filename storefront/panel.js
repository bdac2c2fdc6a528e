// The side panel: what the last click brought about, why each list is as it is, and the events of this session.
import { html } from "./vendor/preact-htm.js";
import { Picture } from "./picture.js";
import { Move } from "./rail.js";
import { fallen } from "./shop.js";

const seconds = (ms, t) => t.seconds((ms / 1000).toFixed(1));

function Steps({ event, t }) {
  const steps = [[t.sent, 0], [t.taken, event.taken], [t.changed, event.changed]];
  return html`<ol class="steps" data-testid="steps">${steps.map(([name, ms]) => html`<li class=${ms === undefined ? "" : "done"} key=${name}>
    <span class="dot"></span>${name}${ms > 0 && html`<b data-ms=${ms}>${seconds(ms, t)}</b>`}</li>`)}</ol>`;
}

function LastClick({ shop, t }) {
  const event = shop.watched, list = shop.own;
  if (!event) return html`<p class="quiet" data-testid="moves">${t.nothingYet}</p>`;
  const changed = event.moves && list ? list.items.filter(({ item_id }) => {
    const move = event.moves.places.get(item_id);
    return move && move.from !== move.to;
  }) : [];
  const byWeight = (item) => { const { from, to } = event.moves.places.get(item.item_id); return from < 0 ? 100 - to : Math.abs(from - to); };
  const shown = changed.sort((a, b) => byWeight(b) - byWeight(a)).slice(0, 6);
  return html`<div data-testid="moves" data-state=${event.changed ? "changed" : event.unchanged ? "unchanged" : "waiting"}>
    <p class="click"><span class="thumb"><${Picture} id=${event.item.item_id} category=${shop.categories(event.item)[0]} /></span>
      <span><b>${event.type}</b> ${shop.title(event.item)}</span></p>
    <${Steps} event=${event} t=${t} />
    ${event.unchanged && html`<p class="quiet small">${t.unchanged}</p>`}
    <ul class="moved">
      ${shown.map((item) => html`<li key=${item.item_id}><span class="thumb"><${Picture} id=${item.item_id} category=${shop.categories(item)[0]} /></span>
        <span class="title">${shop.title(item)}</span><${Move} move=${event.moves.places.get(item.item_id)} t=${t} /></li>`)}
      ${(event.moves?.gone ?? []).slice(0, 3).map((item) => html`<li key=${`gone ${item.item_id}`} class="gone"><span class="thumb"><${Picture} id=${item.item_id} category=${shop.categories(item)[0]} /></span>
        <span class="title">${shop.title(item)}</span><span class="move out">${t.gone}</span></li>`)}
    </ul>
  </div>`;
}

function Rule({ effect, t }) {
  const did = [[effect.dropped, t.dropped], [effect.moved, t.reordered], [effect.added, t.added]].filter(([ids]) => ids.length);
  return html`<li><code>${effect.rule}</code> <span class="quiet">${did.length ? did.map(([ids, say]) => say(ids.length)).join(", ") : t.untouched}</span></li>`;
}

function Why({ rail, t, open }) {
  const { placement, category } = rail.spec, { list, took } = rail;
  if (!list) return null;
  const other = fallen(rail);
  return html`<details class="why" data-testid=${`why-${placement.name}`} open=${open}>
    <summary><span>${category ? t.more(category) : placement.name}</span><span class="quiet small">${t.took(took)}</span></summary>
    <ol class="flow">
      <li><h3>${t.from}</h3><p><span class=${`chip ${other ? "fallen" : ""}`} data-testid="source">${list.source}</span> ${other && html`<span class="quiet small">${t.fallback}</span>`}</p></li>
      <li><h3>${t.campaign}</h3><p>${placement.solution} <span class="quiet small">${placement.recipe}</span></p></li>
      ${placement.filter && html`<li><h3>${t.filter}</h3><p>${placement.filter}${category && html` <span class="quiet small">${category}</span>`}</p></li>`}
      <li><h3>${t.rules}</h3>${list.explain?.length ? html`<ul>${list.explain.map((effect) => html`<${Rule} key=${effect.rule} effect=${effect} t=${t} />`)}</ul>` : html`<p class="quiet">${t.noRules}</p>`}</li>
      <li><h3>${t.items(list.returned)}</h3>${list.recommendation_id && html`<p class="small quiet cut"><code>${list.recommendation_id}</code></p>`}
        ${list.degraded && html`<p class="small">${t.degraded} ${list.degraded.join(", ")}</p>`}</li>
    </ol>
  </details>`;
}

export function Panel({ shop, t, open, close }) {
  const rails = [...shop.rails.values()];
  return html`<aside class=${`panel ${open ? "open" : ""}`} id="panel" aria-label=${t.behind} data-testid="panel">
    <header><h2>${t.behind}</h2><button class="round close" onClick=${close} aria-label=${t.close}>×</button></header>
    <section aria-live="polite"><h3>${t.moved}</h3><${LastClick} shop=${shop} t=${t} /></section>
    <section><h3>${t.why}</h3>${rails.map((rail, n) => html`<${Why} key=${rail.spec.key} rail=${rail} t=${t} open=${n === 0} />`)}</section>
    <section><h3>${t.events}</h3>
      ${shop.events.length ? html`<ol class="events" data-testid="events">${shop.events.slice(0, 8).map((event) => html`<li key=${event.at + event.item.item_id + event.type}>
        <span class=${`dot ${event.taken !== undefined ? "done" : ""}`} title=${event.taken !== undefined ? t.taken : t.waiting}></span><code>${event.type}</code> <span class="title">${shop.title(event.item)}</span></li>`)}</ol>`
        : html`<p class="quiet small">${t.noEvents}</p>`}
    </section>
    <footer class="small quiet"><p>${shop.persona ? t.whoKnown : t.whoNew}</p><p class="cut">${t.session} <code data-testid="session">${shop.client.sessionId}</code></p></footer>
  </aside>`;
}
