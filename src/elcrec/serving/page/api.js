/* The API's documentation, from the OpenAPI document: endpoints with parameters, bodies and answers, then types. */

// The first pattern that fits decides.
const GROUPS = [["Recommendations", /^\/v1\/recommend/], ["Users and events", /^\/v1\/(users|events|examples)/],
  ["Intents", /^\/v1\/(intents|map)/], ["Items", /^\/v1\/items/], ["Model and server", /./]];
let schemas = {};

const METHODS = ["get", "post", "patch", "put", "delete"];
const named = (reference) => reference.split("/").pop();
const typeLink = (name) => el("a", { href: `#type-${name}` }, name.replace(/^.*_/, ""));

function joined(parts, between) {
  return parts.flatMap((part, place) => (place ? [between, ...part] : part));
}

// A schema as text with links to the types it names.
function typeOf(schema) {
  if (!schema) return ["anything"];
  if (schema.$ref) return [typeLink(named(schema.$ref))];
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices) return joined(choices.map(typeOf), " or ");
  if (schema.enum) return [schema.enum.map((value) => JSON.stringify(value)).join(" or ")];
  if (schema.type === "array") return ["list of ", ...typeOf(schema.items)];
  return [[schema.type ?? "anything"].flat().join(" or ")];
}

function limitsOf(schema = {}) {
  const words = [
    known(schema.minimum) ? `at least ${schema.minimum}` : null, known(schema.maximum) && schema.maximum < 2 ** 31 ? `at most ${schema.maximum}` : null,
    known(schema.maxLength) ? `at most ${schema.maxLength} characters` : null,
    known(schema.default) ? `default ${JSON.stringify(schema.default)}` : null];
  return words.filter(Boolean).join(", ");
}

function field(name, schema, needed, description) {
  const notes = [description ?? schema?.description, limitsOf(schema)].filter(Boolean).join(" · ");
  return el("li", {}, el("span", {}, el("code", {}, name), needed ? el("span", { class: "needed" }, "required") : null),
    el("span", {}, ...typeOf(schema)), notes ? el("span", { class: "muted" }, notes) : null);
}

function bodyType(content) {
  const [kind, { schema } = {}] = Object.entries(content ?? {})[0] ?? [];
  return kind ? [...typeOf(schema), ` (${kind})`] : ["nothing"];
}

// A body with the fields of its type, so that nobody has to look them up.
function body(content) {
  const { schema } = Object.values(content ?? {})[0] ?? {};
  const own = schema?.$ref ? schemas[named(schema.$ref)] : null;
  return [el("p", {}, ...bodyType(content)), own ? fieldsOf(own) : null].filter(Boolean);
}

function fieldsOf(schema) {
  const needed = schema.required ?? [];
  const fields = Object.entries(schema.properties ?? {}).map(([key, value]) => field(key, value, needed.includes(key)));
  return fields.length ? el("ul", { class: "fields" }, ...fields) : null;
}

function errorsOf(responses) {
  const lines = Object.entries(responses).filter(([status]) => Number(status) >= 400)
    .map(([status, answer]) => el("li", {}, el("code", {}, status), ` ${answer.description ?? ""}`));
  return lines.length ? [heading("Errors", 'all are {"error": "a sentence"}'), el("ul", { class: "errors" }, ...lines)] : [];
}

function endpoint(path, method, one) {
  const parameters = (one.parameters ?? []).map((given) => field(given.name, given.schema, given.required, given.description));
  const answers = Object.entries(one.responses ?? {}).filter(([status]) => Number(status) < 400);
  return el("details", { class: "card endpoint" },
    el("summary", {}, el("span", { class: "method" }, method.toUpperCase()), el("code", {}, path), el("span", { class: "muted" }, one.summary ?? "")),
    one.description ? el("p", {}, one.description) : null,
    ...(parameters.length ? [heading("Parameters"), el("ul", { class: "fields" }, ...parameters)] : []),
    ...(one.requestBody ? [heading("Body"), ...body(one.requestBody.content)] : []),
    ...answers.flatMap(([status, answer]) => [heading("Answer", status), ...body(answer.content)]), ...errorsOf(one.responses ?? {}));
}

function group([title], members) {
  return el("section", { class: "group" }, el("h3", {}, title), ...members.map(([path, method, one]) => endpoint(path, method, one)));
}

function type(name, schema) {
  return el("article", { class: "card type", id: `type-${name}` }, el("h3", {}, name.replace(/^.*_/, "")),
    schema.description ? el("p", { class: "muted" }, schema.description) : null,
    fieldsOf(schema) ?? el("p", {}, ...typeOf(schema)));
}

async function begin() {
  try {
    const answer = await fetch("/openapi/openapi.json");
    const { info, paths, components } = await answer.json();
    byId("about").textContent = `${info.description ?? ""} Version ${info.version}.`;
    schemas = components?.schemas ?? {};
    const all = Object.entries(paths).flatMap(([path, methods]) => METHODS.filter((method) => methods[method]).map((method) => [path, method, methods[method]]));
    const place = ([path]) => GROUPS.findIndex(([, fits]) => fits.test(path));
    byId("endpoints").append(...GROUPS.map((one, number) => group(one, all.filter((member) => place(member) === number))));
    byId("types").append(...Object.entries(schemas).sort().map(([name, schema]) => type(name, schema)));
    document.body.dataset.ready = "yes";
  } catch {
    byId("problem").textContent = "The server cannot be reached.";
    byId("problem").hidden = false;
  }
}

begin();
