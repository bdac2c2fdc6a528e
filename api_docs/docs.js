// The API's description, from openapi.json as it stands beside this page.
import { html, render } from "./preact-htm.js";

const named = (schema) => schema?.$ref?.split("/").pop();
const kindOf = (schema) => {
  if (!schema) return "";
  if (named(schema)) return html`<a href=${`#${named(schema)}`}>${named(schema)}</a>`;
  if (schema.anyOf) return schema.anyOf.filter(({ type }) => type !== "null").map((one, n) => html`${n ? " or " : ""}${kindOf(one)}`);
  if (schema.type === "array") return html`list of ${kindOf(schema.items)}`;
  return schema.enum?.join(", ") ?? schema.const ?? schema.type ?? "any";
};
const LIMITS = { minLength: "at least", maxLength: "at most", minimum: "from", maximum: "to", minItems: "at least", maxItems: "at most", pattern: "matches", default: "unless given:" };
const limitsOf = (schema = {}) => Object.entries(LIMITS).filter(([name]) => schema[name] !== undefined && schema[name] !== null)
  .map(([name, say]) => `${say} ${JSON.stringify(schema[name])}`).concat((schema.anyOf ?? []).map(limitsOf).filter(Boolean)).join(", ");

const Fields = ({ rows }) => html`<table><thead><tr><th>name</th><th>type</th><th>meaning</th></tr></thead>
  <tbody>${rows.map(([name, required, schema, says]) => html`<tr key=${name}><th scope="row"><code>${name}</code>${required && html` <span class="must">required</span>`}</th>
    <td>${kindOf(schema)}</td><td>${says ?? schema.description ?? ""} <span class="quiet">${limitsOf(schema)}</span></td></tr>`)}</tbody></table>`;

const bodyOf = ({ content } = {}) => content?.["application/json"]?.schema;

function Operation({ path, verb, of }) {
  const body = bodyOf(of.requestBody);
  return html`<section class="operation" id=${of.operationId}>
    <h3><span class=${`verb ${verb}`}>${verb.toUpperCase()}</span><code>${path}</code></h3>
    <p>${of.summary}</p>${of.description && html`<p class="quiet">${of.description}</p>`}
    ${of.parameters?.length > 0 && html`<${Fields} rows=${of.parameters.map((one) => [one.name, one.required, one.schema ?? {}, one.description])} />`}
    ${body && html`<p>Body: ${kindOf(body)}</p>`}
    <ul class="answers">${Object.entries(of.responses).map(([status, answer]) => html`<li key=${status}><b class=${status < 300 ? "good" : ""}>${status}</b>
      <span>${answer.description} ${kindOf(bodyOf(answer))}</span></li>`)}</ul>
  </section>`;
}

function Page({ of }) {
  const operations = Object.entries(of.paths).flatMap(([path, verbs]) => Object.entries(verbs).filter(([, one]) => one.responses).map(([verb, one]) => ({ path, verb, of: one })));
  const schemas = Object.entries(of.components.schemas);
  return html`<nav aria-label="contents"><h1>${of.info.title}</h1>
      <ul>${operations.map(({ path, verb, of: one }) => html`<li key=${one.operationId}><a href=${`#${one.operationId}`}><span class=${`verb ${verb}`}>${verb}</span>${path}</a></li>`)}</ul>
      <h3>Models</h3><ul>${schemas.map(([name]) => html`<li key=${name}><a href=${`#${name}`}>${name}</a></li>`)}</ul></nav>
    <main><p class="lead">${of.info.description}</p><p class="quiet">Send the key as <code>x-api-key</code>, or a signature. The document: <a href="openapi.json">openapi.json</a>.</p>
      ${operations.map((one) => html`<${Operation} key=${one.of.operationId} ...${one} />`)}
      <h2>Models</h2>${schemas.map(([name, schema]) => html`<section class="operation" id=${name} key=${name}><h3>${name}</h3><p class="quiet">${schema.description}</p>
        ${schema.properties && html`<${Fields} rows=${Object.entries(schema.properties).map(([field, one]) => [field, schema.required?.includes(field), one])} />`}</section>`)}</main>`;
}

fetch("openapi.json").then((answer) => answer.json()).then(
  (of) => { render(html`<${Page} of=${of} />`, document.body); document.getElementById(location.hash.slice(1))?.scrollIntoView(); },
  () => render(html`<main><p role="alert">The description can't be shown right now.</p></main>`, document.body),
);
