// A picture of an item, drawn from what the item is: its category chooses the colours, its id the composition.
import { html } from "./vendor/preact-htm.js";

const PALETTES = [
  ["#20304f", "#e9b44c", "#d1495b", "#f4efe6"], ["#f2d7c2", "#c8553d", "#2d3142", "#f28f3b"], ["#0f4c4a", "#f4c095", "#dd614a", "#e8f1ec"],
  ["#e6dcc8", "#355070", "#b56576", "#e88c7d"], ["#2b1f2f", "#f6ae2d", "#e4572e", "#a8c5da"], ["#d8e2dc", "#2f5d50", "#e07a5f", "#f2cc8f"],
  ["#3c1642", "#1dd3b0", "#f5b700", "#f8e9ff"], ["#f4e4ba", "#bf4e30", "#093a3e", "#3aafb9"], ["#1f2421", "#9cc5a1", "#f06543", "#dce1de"],
  ["#cfd8e6", "#1d3461", "#e4572e", "#ffc145"], ["#5b2333", "#f7b267", "#f4845f", "#f7f4f3"], ["#e4e9d6", "#606c38", "#bc6c25", "#283618"],
];

/** A number from a text, the same every time. */
export function hash(text) {
  let h = 2166136261;
  for (const letter of String(text)) h = Math.imul(h ^ letter.codePointAt(0), 16777619);
  h = Math.imul(h ^ (h >>> 16), 2246822507);
  h = Math.imul(h ^ (h >>> 13), 3266489909);
  return (h ^ (h >>> 16)) >>> 0;
}

function dice(seed) {
  let a = seed;
  return (from, to) => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return from + (((t ^ (t >>> 14)) >>> 0) / 4294967296) * (to - from);
  };
}

const range = (n) => [...Array(n).keys()];
const COMPOSITIONS = [
  function arcs(at, [, b, c, d]) {
    const [x, y] = [at(0, 1) < .5 ? 0 : 80, at(0, 1) < .5 ? 100 : 12];
    return range(5).map((n) => html`<circle cx=${x} cy=${y} r=${78 - n * 15} fill=${[b, c, d][n % 3]} />`);
  },
  function sun(at, [, b, c, d]) {
    const y = at(34, 52);
    return [html`<circle cx="40" cy=${y} r=${at(20, 27)} fill=${b} />`,
      ...range(7).map((n) => html`<rect x="0" y=${y + 4 + n * 8} width="80" height=${1.5 + n * 1.1} fill=${n % 2 ? c : d} />`)];
  },
  function rings(at, [, b, c, d]) {
    const [x, y] = [at(22, 58), at(34, 66)];
    return [[x, y, 31, b], [80 - x, 100 - y, 25, c], [x + at(-14, 14), y + 18, 11, d]].map(([cx, cy, r, fill], n) =>
      html`<circle cx=${cx} cy=${cy} r=${r} fill=${n === 2 ? fill : "none"} stroke=${fill} stroke-width=${n === 2 ? 0 : 9} />`);
  },
  function peaks(at, [, b, c, d]) {
    return [html`<circle cx=${at(16, 64)} cy=${at(20, 34)} r="10" fill=${b} />`, ...[d, c, b].map((fill, n) => {
      const top = [at(8, 30), at(38, 72), at(20, 58)][n], y = 40 + n * 15;
      return html`<path d=${`M${top - 52} 100 L${top} ${y} L${top + 52} 100Z`} fill=${fill} />`;
    })];
  },
  function dots(at, [, b, c, d]) {
    const turn = at(0, 6);
    return range(48).map((n) => {
      const [x, y] = [8 + (n % 6) * 12.8, 10 + Math.floor(n / 6) * 11.5], r = 2.4 + 2.7 * Math.sin(x / 15 + y / 19 + turn);
      return html`<circle cx=${x} cy=${y} r=${Math.max(.7, r)} fill=${[b, c, d][(n + Math.floor(turn)) % 3]} />`;
    });
  },
  function waves(at, [, b, c, d]) {
    const lift = at(7, 13);
    return range(6).map((n) => {
      const y = 20 + n * 15, up = n % 2 ? lift : -lift;
      return html`<path d=${`M0 ${y} Q20 ${y + up} 40 ${y} T80 ${y} V100 H0Z`} fill=${[b, c, d][n % 3]} />`;
    });
  },
  function blocks(at, [, b, c, d]) {
    return range(20).map((n) => {
      const [x, y] = [(n % 4) * 20, Math.floor(n / 4) * 20], fill = [b, c, d][Math.floor(at(0, 3))], kind = at(0, 5);
      if (kind < 1) return html`<rect x=${x} y=${y} width="20" height="20" fill=${fill} />`;
      if (kind < 2) return html`<circle cx=${x + 10} cy=${y + 10} r="10" fill=${fill} />`;
      const quarter = [`M${x} ${y}h20a20 20 0 0 1-20 20z`, `M${x + 20} ${y}v20a20 20 0 0 1-20-20z`, `M${x} ${y + 20}v-20a20 20 0 0 1 20 20z`];
      return kind < 5 && html`<path d=${quarter[Math.floor(kind) - 2]} fill=${fill} />`;
    });
  },
  function bands(at, [, b, c, d]) {
    const lean = at(20, 60);
    return range(7).map((n) => html`<path d=${`M${n * 22 - lean} 0h11l${lean} 100h-11z`} fill=${[b, c, d][n % 3]} />`);
  },
];

/** The picture of an item; it says nothing that its title does not, so screen readers pass it by. */
export function Picture({ id, category }) {
  const seed = hash(id), at = dice(seed), [ground, ...others] = PALETTES[(hash(category ?? "") + (seed % 4)) % PALETTES.length];
  const turn = (seed >>> 4) % 3, palette = [ground, ...others.slice(turn), ...others.slice(0, turn)];
  return html`<svg class="picture" viewBox="0 0 80 100" preserveAspectRatio="xMidYMid slice" aria-hidden="true">
    <rect width="80" height="100" fill=${ground} />${COMPOSITIONS[(seed >>> 8) % COMPOSITIONS.length](at, palette)}
  </svg>`;
}
