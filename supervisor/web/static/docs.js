/** Renders /api/v1/openapi.json: what there is, what it takes, what it answers, and how to ask with curl. */
import { el } from "./dom.js";

const SCHEMA = "#/components/schemas/";

/** `inline code` and *emphasis* of the descriptions; all else is text. */
function prose(text) {
  return text.split(/(`[^`]*`|\*[^*]+\*)/).map((part) => {
    if (part.startsWith("`") && part.length > 1) return el("code", {}, part.slice(1, -1));
    if (part.startsWith("*") && part.length > 1) return el("em", {}, part.slice(1, -1));
    return part;
  });
}

function paragraphs(text) {
  return text.split(/\n\n+/).map((part) => el("p", {}, ...prose(part.replaceAll("\n", " "))));
}

function shapeLink(name) {
  return el("a", { href: `#shape-${name}` }, name);
}

/** What a schema allows, in a few words, as nodes. */
function kind(schema) {
  if (schema.$ref) return [shapeLink(schema.$ref.slice(SCHEMA.length))];
  if (schema.const !== undefined) return [el("code", {}, JSON.stringify(schema.const))];
  if (schema.enum) return joined(schema.enum.map((value) => [el("code", {}, JSON.stringify(value))]), " | ");
  if (schema.anyOf) return joined(schema.anyOf.map(kind), " or ");
  if (schema.prefixItems) return ["[", ...joined(schema.prefixItems.map(kind), ", "), "]"];
  if (schema.type === "array") return ["list of ", ...kind(schema.items)];
  if (schema.type === "object" && schema.additionalProperties) {
    return ["object by name: ", ...kind(schema.additionalProperties)];
  }
  if (schema.type === "object" && schema.properties) {
    return ["{", ...joined(Object.keys(schema.properties).map((name) => [name]), ", "), "}"];
  }
  return [`${schema.type ?? "anything"}${bounds(schema)}`];
}

function bounds({ minimum, maximum }) {
  return minimum === undefined || maximum === undefined ? "" : ` ${minimum}–${maximum}`;
}

function joined(groups, separator) {
  return groups.flatMap((group, index) => (index ? [separator, ...group] : group));
}

function table(head, rows) {
  const header = el("tr", {}, ...head.map((title) => el("th", { scope: "col" }, title)));
  const body = rows.map((cells) => el("tr", {}, ...cells.map((cell) => el("td", {}, ...cell))));
  // What scrolls must be reachable with the keyboard.
  return el(
    "div",
    { class: "scrolls", tabindex: "0", role: "group", "aria-label": head.join(", ") },
    el("table", {}, el("thead", {}, header), el("tbody", {}, ...body)),
  );
}

function parameters(list) {
  if (!list?.length) return [];
  const rows = list.map((parameter) => [
    [el("code", {}, parameter.name)],
    [parameter.in],
    kind(parameter.schema),
    [...prose(parameter.description), ...defaultOf(parameter.schema)],
  ]);
  return [el("h4", {}, "Parameters"), table(["Name", "In", "Kind", "Meaning"], rows)];
}

function defaultOf(schema) {
  return schema.default === undefined ? [] : [` Default: ${schema.default}.`];
}

function responses(all) {
  const rows = Object.entries(all).map(([status, response]) => [
    [el("code", {}, status)],
    prose(response.description),
    joined(Object.entries(response.content ?? {}).map(content), "; "),
  ]);
  return [el("h4", {}, "Answers"), table(["Status", "When", "What"], rows)];
}

function content([type, { schema }]) {
  const events = schema["x-events"];
  if (!events) return [el("code", {}, type), ": ", ...kind(schema)];
  const named = Object.entries(events).map(([name, of]) => [el("code", {}, name), " ", ...kind(of)]);
  return [el("code", {}, type), " with the events ", ...joined(named, ", ")];
}

/** As one could type it: the example's values, or the parameters' names. */
function curl(verb, path, operation) {
  const filled = path.replace(/\{(\w+)\}/g, (_, name) => {
    return operation.parameters.find((parameter) => parameter.name === name).example ?? name;
  });
  const parts = ["curl"];
  if (verb === "post") parts.push("-X POST");
  if (isStream(operation)) parts.push("-N");
  if (operation.security) parts.push('-H "Authorization: Bearer $(cat TOKEN_FILE)"');
  return [...parts, `${location.origin}${filled}`].join(" ");
}

function isStream(operation) {
  return "text/event-stream" in (operation.responses["200"].content ?? {});
}

function article(path, verb, operation) {
  return el(
    "article",
    { id: operation.operationId },
    el("h3", {}, el("span", { class: `verb ${verb}` }, verb.toUpperCase()), " ", el("code", {}, path)),
    el("p", {}, ...prose(operation.summary), "."),
    ...paragraphs(operation.description ?? ""),
    ...(operation.security ? [el("p", { class: "token" }, "Needs the token.")] : []),
    ...parameters(operation.parameters),
    ...responses(operation.responses),
    el("h4", {}, "Example"),
    el("pre", { tabindex: "0" }, curl(verb, path, operation)),
  );
}

function operationsOf(spec, tag) {
  return Object.entries(spec.paths)
    .flatMap(([path, item]) => Object.entries(item).map(([verb, operation]) => ({ path, verb, operation })))
    .filter(({ operation }) => operation.tags.includes(tag));
}

function section(spec, tag) {
  const articles = operationsOf(spec, tag.name).map(({ path, verb, operation }) => article(path, verb, operation));
  return el("section", {}, el("h2", {}, tag.name), ...paragraphs(tag.description), ...articles);
}

function contents(spec) {
  return spec.tags.flatMap((tag) => [
    el("h2", {}, tag.name),
    el("ul", {}, ...operationsOf(spec, tag.name).map(entry)),
  ]);
}

function entry({ path, verb, operation }) {
  return el("li", {}, el("a", { href: `#${operation.operationId}` }, `${verb.toUpperCase()} ${path}`));
}

function shape([name, schema]) {
  const required = new Set(schema.required);
  const rows = Object.entries(schema.properties).map(([property, of]) => [
    [el("code", {}, property), required.has(property) ? "" : " (may be missing)"],
    kind(of),
    prose(of.description ?? ""),
  ]);
  return el("article", { id: `shape-${name}` }, el("h3", {}, name), table(["Field", "Kind", "Meaning"], rows));
}

async function load() {
  const answer = await fetch("/api/v1/openapi.json");
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return answer.json();
}

function show(spec) {
  document.getElementById("about").append(...paragraphs(spec.info.description));
  document.getElementById("contents").append(...contents(spec));
  document.getElementById("operations").replaceChildren(...spec.tags.map((tag) => section(spec, tag)));
  document.getElementById("shapes").append(...Object.entries(spec.components.schemas).map(shape));
  // The place that the address names wasn't there yet when the page was loaded.
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

load().then(show, (failure) => {
  document.getElementById("state").textContent = `The document can't be loaded: ${failure.message}`;
});
