/* The list of intents, and the panel of one intent. */

function intentText(intent) {
  const items = intent.items.map((item) => `${item.item} ${item.title ?? ""}`);
  return [intent.name, `#${intent.intent}`, ...items, ...intent.attributes.map((one) => one.attribute)].join(" ").toLowerCase();
}

function createIntents(lines) {
  const list = byId("intent-list");
  list.replaceChildren(...lines.map((one) => el("li", { "data-intent": one.intent }, intentLink(one.intent, `${plural(one.users, "user", "users")} · ${percent(one.share)}`))));
  const texts = lines.map(intentText);
  const filter = () => {
    const words = byId("intent-search").value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    [...list.children].forEach((line, place) => {
      line.hidden = !words.every((word) => texts[place].includes(word));
      shown += line.hidden ? 0 : 1;
    });
    byId("intent-count").textContent = words.length ? `${shown} of ${plural(lines.length, "intent", "intents")}` : plural(lines.length, "intent", "intents");
  };
  byId("intent-search").oninput = filter;
  filter();
}

function renameForm(intent) {
  const name = el("input", { type: "text", "aria-label": "Name of this intent", value: intent.given ? intent.name : "", placeholder: "A name of your own", maxlength: "80" });
  const form = el("form", { class: "intent-tools", id: "rename" }, name, el("button", { type: "submit" }, "Rename"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await ask("PATCH", `/v1/intents/${intent.intent}`, { name: name.value });
      content();
      await loadIntents();
      showIntentPage(intent.intent);
    } catch (error) { complain(error); }
  });
  return form;
}

async function showIntentPage(number) {
  const page = byId("intent-page");
  let intent;
  try {
    intent = asIntent(await ask("GET", `/v1/intents/${number}`));
    content();
  } catch (error) { return complain(error); }
  const flags = intent.flags.map((flag) => el("p", { class: "flag-line" }, el("span", { class: "flag" }, flag), flagMeanings[flag] ?? ""));
  const name = el("h3", { class: "page-name", id: "intent-name", dir: "auto", tabindex: "-1" }, intent.name);
  const near = el("ul", { class: "links" }, ...intent.nearest.map((other) => el("li", {}, intentLink(other, ""))));
  page.dataset.intent = number;
  page.hidden = false;
  map?.choose(number);
  page.replaceChildren(
    el("div", { class: "page-top" }, el("span", { class: "name-cell tag" }, swatch(number), `Intent ${number}`), el("a", { href: "#intents" }, "Close")),
    name, el("p", { class: "page-size muted" }, sizeText(intent)), ...flags,
    el("div", { class: "intent-tools" }, steerButtons(number)), ...(canWrite ? [renameForm(intent)] : []),
    ...part("Typical items", "times likelier than usual", intent.items, () => itemBars(intent)),
    ...part("Attributes", "share of its users, times the usual", intent.attributes, () => attributeBars(intent)),
    ...part("Over time", "share of all events", intent.trend, () => sparkline(intent)),
    heading("Cohesion"), el("p", {}, cohesionText(intent)),
    ...part("Nearest intents", "", intent.nearest, () => near));
  // The focus stays on the map: the wheel and the keys keep working.
  if (document.activeElement === byId("map")) return;
  name.focus({ preventScroll: true });
  scrollIfHidden(page);
}

async function loadIntents() {
  const answer = await ask("GET", "/v1/intents?items=12");
  const lines = answer.intents.map(asIntent);
  report.trend_labels = answer.trend_periods;
  // The map holds these objects, so they are updated in place.
  lines.forEach((line, place) => {
    intentOf.set(line.intent, Object.assign(intentOf.get(line.intent) ?? {}, line));
    rankOf.set(line.intent, place + 1);
  });
  bySize = lines.map((line) => intentOf.get(line.intent));
  createIntents(lines);
  createSteering();
}

let map = null;

function closeIntentPage() {
  byId("intent-page").hidden = true;
  map?.choose(null);
}

async function showMap() {
  try { report.map = await ask("GET", "/v1/map"); } catch { byId("map-card").hidden = true; return; } // the list has the same intents
  for (const { intent, x, y } of report.map.places) Object.assign(intentOf.get(intent), { x, y });
  byId("map-wait").hidden = true;
  map = createMap(byId("map"), byId("map-tip"));
  if (!byId("intent-page").hidden) map.choose(Number(byId("intent-page").dataset.intent));
}
