/* The head and foot of the page. */

// What stands next to the model, in words; the name of the baseline follows in brackets.
const baselineWords = {
  popularity: "most popular items", "popularity-recent": "most popular lately", "buy-again": "bought most often before", "buy-again-recent": "bought last",
  markov: "what follows the last item", "item-knn": "items that go together", "tifu-knn": "people alike", "up-cf": "people alike",
};

const dayText = (day) => new Date(`${day}T00:00Z`).toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
const judgedPart = () => ["test", "valid"].find((part) => known(report.model.metrics?.[part]?.["hit_rate@10"]));

const tenths = (value) => (value > 0 && value < 0.001 ? "< 0.1%" : `${fixed(100 * value, 1)}%`);

// The model, the best baseline, popularity and chance: how often the next item is among ten.
function yardsticks(part) {
  const baselines = report.model.baselines?.[part] ?? [];
  const popularity = baselines.find(({ name }) => name === "popularity");
  const chosen = [...new Set([baselines[0], popularity])].filter(Boolean);
  return [
    { label: "this model", value: report.model.metrics[part]["hit_rate@10"], ours: true },
    ...chosen.map((one) => ({ label: `${baselineWords[one.name] ?? one.name} (${one.name})`, value: one["hit_rate@10"] })),
    ...(report.model.of_baskets ? [] : [{ label: "ten items at random", value: Math.min(1, 10 / report.model.n_items) }]),
  ];
}

function verdictText(part) {
  const verdict = report.model.verdicts?.[part];
  if (!verdict || !known(verdict.ratio)) return null;
  if (verdict.mean <= 0) return `Not better than ${verdict.baseline}, the best baseline.`;
  return `${fixed(verdict.ratio, 2)} times ${verdict.baseline}, the best baseline (${verdict.metric}; ${verdict.significant ? "" : "not "}significant).`;
}

function accuracyTile() {
  const part = judgedPart();
  if (!part) return null;
  const lines = yardsticks(part);
  const most = Math.max(...lines.map(({ value }) => value), 1e-9);
  const said = report.model.of_baskets ? "of people’s next baskets hold one of their ten items" : "of people’s next items are among their ten";
  const verdict = verdictText(part);
  return el("li", { class: "accuracy" },
    el("div", {}, el("span", { class: "value" }, tenths(lines[0].value)), el("span", { class: "said" }, said),
      el("span", { class: "note" }, `hit_rate@10, ${part === "test" ? "test" : "validation"}`), verdict && el("span", { class: "note" }, verdict)),
    el("ul", { class: "bars", "aria-label": "Next to simple methods" }, ...lines.map(({ label, value, ours }) =>
      barLine(label, tenths(value), value / most, { class: ours ? "fill" : "fill other" }))));
}

const tile = (value, said, note) => el("li", {}, el("span", { class: "value" }, value), el("span", { class: "said" }, said), el("span", { class: "note" }, note));

function tiles() {
  const { used, n_intents: all, effective, largest_share: share } = report.health;
  return [
    accuracyTile(),
    tile(whole(used), used === 1 ? "intent has people" : "intents have people", used === all ? "all that the model has" : `of ${whole(all)}; the others are empty`),
    tile(fixed(effective, effective < 10 ? 1 : 0), "intents, if all were equally large", `effective number, ${whole(all)} at most: more is a more even spread`),
    tile(percent(share), "of people have the largest intent", `largest share; ${percent(1 / all)} each if all were equally large`),
  ].filter(Boolean);
}

function showHeader() {
  const model = report.model;
  document.title = `${report.title} · intents`;
  byId("title").textContent = byId("bar-title").textContent = report.title;
  const dates = model.first && model.last ? `, from ${dayText(model.first)} to ${dayText(model.last)}` : "";
  byId("learnt-from").textContent =
    `${plural(report.health.n_intents, "intent", "intents")} learned from ${plural(model.n_events, "event", "events")} of ` +
    `${plural(model.n_users, "user", "users")} with ${plural(model.n_items, "item", "items")}${dates}.`;
  byId("features").textContent = (model.features ?? []).map((said) => `${said[0].toUpperCase()}${said.slice(1)}.`).join(" ");
  byId("features").hidden = !model.features?.length;
  const origin = known(model.imported_from) ? `weights imported from ${model.imported_from}` : `seed ${model.seed}`;
  const best = known(model.best_epoch) && known(model.epochs) ? ` · best epoch ${model.best_epoch} of ${model.epochs}` : "";
  byId("recipe").textContent = `Recipe ${model.recipe} · ${origin}${best}`;
  byId("figures").append(...tiles());
  if (report.health.warning) {
    byId("warning").append(el("strong", {}, "Read this report with care"), report.health.warning);
    byId("warning").hidden = false;
  }
  byId("made").textContent = `Made with elcrec ${report.elcrec} on ${report.made}. This page works offline.`;
}
