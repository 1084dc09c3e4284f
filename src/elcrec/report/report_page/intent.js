/* The page of one intent. */

const flagMeanings = {
  dead: "It has no users.",
  duplicate: "Its centre is almost the same as another intent's.",
  dominant: "It has a far larger share of the users than the others.",
};

function sizeText(intent) {
  return `${plural(intent.users, "user", "users")} · ${percent(intent.share)} of all`;
}

function cohesionText(intent) {
  if (!known(intent.cosine)) return "The intent has no users.";
  const tight = intent.cosine >= 0.8 ? "very similar" : intent.cosine >= 0.6 ? "similar" : "mixed";
  if (!known(intent.margin)) return `Its users are ${tight}.`;
  const apart = intent.margin >= 0.1 ? "clearly separated from" : intent.margin >= 0.03 ? "separated from" : "hardly separated from";
  return `Its users are ${tight}, and ${apart} those of the next intent.`;
}

function cohesionParts(intent) {
  const text = el("p", {}, cohesionText(intent));
  if (!known(intent.cosine)) return [text];
  const margin = known(intent.margin) ? ` mean margin ${fixed(intent.margin, 3)} between the cosines to both centres (0: no separation).` : "";
  return [text, el("details", {}, el("summary", {}, "Exact figures"),
    el("p", { class: "hint" }, `Mean cosine ${fixed(intent.cosine, 2)} to the centre (1: identical);${margin}`))];
}

function itemBars(intent) {
  const most = Math.max(...intent.items.map((item) => item.lift), 1e-9);
  const bars = intent.items.map((item) =>
    barLine(labelOf(item), `${times(item.lift)} · ${plural(item.users, "user", "users")}`, item.lift / most, { class: "fill tinted", ...tint(intent.intent) }));
  return el("ol", { class: "bars", id: "intent-items" }, ...bars);
}

function attributeBars(intent) {
  const bars = intent.attributes.map(({ attribute, share, lift }) =>
    barLine(String(attribute), `${percent(share)} · ${times(lift)}`, share, { class: "fill tinted", ...tint(intent.intent) }));
  return el("ul", { class: "bars" }, ...bars);
}

function sparkline(intent) {
  const [wide, high, top] = [360, 72, Math.max(...intent.trend, 1e-9)];
  const at = intent.trend.map((value, index) => [(index / Math.max(intent.trend.length - 1, 1)) * wide, high - 4 - (value / top) * (high - 12)]);
  const line = at.map((point) => point.map((value) => value.toFixed(1)).join(",")).join(" L");
  const peak = intent.trend.indexOf(Math.max(...intent.trend));
  const labels = report.trend_labels;
  const picture = svg("svg", { viewBox: `0 0 ${wide} ${high}`, class: "spark tinted", role: "img", ...tint(intent.intent),
    "aria-label": `Share of events over time, highest ${percent(intent.trend[peak])}${labels ? ` in ${labels[peak]}` : ""}` },
    svg("path", { class: "area", d: `M0,${high} L${line} L${wide},${high} Z` }), svg("path", { class: "stroke", d: `M${line}` }),
    svg("circle", { cx: at[peak][0], cy: at[peak][1], r: 4.5 }));
  const ends = labels && el("div", { class: "spark-ends" }, el("span", {}, labels[0]),
    el("span", {}, `highest ${percent(intent.trend[peak])} in ${labels[peak]}`), el("span", {}, labels[labels.length - 1]));
  return el("div", {}, picture, ends);
}

function personLink(user) {
  const name = String(user);
  if (!journeyOf.has(name)) return el("span", { class: "person cut", dir: "auto", title: name }, name);
  return el("a", { class: "person cut", dir: "auto", title: `History of ${name}`, href: `#user-${encodeURIComponent(name)}` }, name);
}

function part(title, note, items, build) {
  return items?.length ? [heading(title, note), build()] : [];
}

function intentParts(intent) {
  const flags = intent.flags.map((flag) => el("p", { class: "flag-line" }, el("span", { class: "flag" }, flag), flagMeanings[flag] ?? ""));
  const rank = intent.users > 0 ? ` · number ${rankOf.get(intent.intent)} by size` : "";
  return [
    el("div", { class: "page-top" }, el("span", { class: "name-cell tag" }, swatch(intent.intent), `Intent ${intent.intent}`), el("a", { href: "#explore" }, "Close")),
    el("h3", { class: "page-name", id: "intent-name", dir: "auto", tabindex: "-1", title: intent.name }, intent.name),
    el("p", { class: "page-size muted" }, sizeText(intent) + rank),
    ...flags,
    ...part("Typical items", "lift: times more frequent than among all users", intent.items, () => itemBars(intent)),
    ...part("Attributes", "share of its users, and lift", intent.attributes, () => attributeBars(intent)),
    ...part("Over time", "share of all events", intent.trend, () => sparkline(intent)),
    heading("Cohesion"), ...cohesionParts(intent),
    ...part("Nearest intents", "cosine of the centres", intent.nearest, () =>
      el("ul", { class: "links" }, ...intent.nearest.map((near) => el("li", {}, intentLink(near.intent, fixed(near.cosine, 2)))))),
    ...part("Example users", "", intent.examples, () => el("div", { class: "people" }, ...intent.examples.map(personLink))),
  ];
}

function showIntent(intent) {
  const page = byId("intent-page");
  byId("largest").hidden = intent !== null;
  page.hidden = intent === null;
  page.dataset.intent = intent ? intent.intent : "";
  const colours = intent ? [intent.intent, ...intent.nearest.map((near) => near.intent)] : [];
  page.replaceChildren(...(intent ? withColours(colours, () => intentParts(intent)) : []));
  document.querySelectorAll("#intent-table tr.chosen").forEach((row) => row.classList.remove("chosen"));
  if (!intent) return;
  document.querySelector(`#intent-table tr[data-intent="${intent.intent}"]`)?.classList.add("chosen");
  const name = byId("intent-name");
  // Who is on the map goes on there: the wheel and the keys keep working.
  if (document.activeElement !== byId("map")) name.focus({ preventScroll: true });
  scrollIfHidden(name);
}
