/* The head and foot of the page. */

function headlineMetric(name) {
  for (const [part, label] of [["test", "test"], ["valid", "validation"]]) {
    const value = report.model.metrics?.[part]?.[name];
    if (known(value)) return { label: `${name}, ${label}`, value: value.toFixed(4) };
  }
  return null;
}

function keyFigures() {
  const health = report.health;
  return [
    { ...headlineMetric("ndcg@20"), note: "ranking quality of the next item" },
    { ...headlineMetric("hit_rate@5"), note: "next item is in the top 5" },
    { label: "intents in use", value: `${health.used} of ${health.n_intents}`, note: "have at least one user" },
    { label: "effective intents", value: fixed(health.effective, 0), note: "number of equally large intents with the same spread" },
    { label: "largest intent", value: percent(health.largest_share), note: "share of all users" },
  ].filter((figure) => figure.value);
}

function showHeader() {
  const model = report.model;
  document.title = `${report.title} · intents`;
  byId("title").textContent = byId("bar-title").textContent = report.title;
  const dates = model.first && model.last ? `, ${model.first} to ${model.last}` : "";
  byId("learnt-from").textContent =
    `${plural(report.health.n_intents, "intent", "intents")} learned from ${plural(model.n_events, "event", "events")} of ` +
    `${plural(model.n_users, "user", "users")} with ${plural(model.n_items, "item", "items")}${dates}.`;
  const origin = known(model.imported_from) ? `weights imported from ${model.imported_from}` : `seed ${model.seed}`;
  const best = known(model.best_epoch) && known(model.epochs) ? ` · best epoch ${model.best_epoch} of ${model.epochs}` : "";
  byId("recipe").textContent = `Recipe ${model.recipe} · ${origin}${best}`;
  byId("figures").append(
    ...keyFigures().map(({ label, value, note }) =>
      el("li", {}, el("span", { class: "label" }, label), el("span", { class: "value" }, value), el("span", { class: "note" }, note))
    )
  );
  if (report.health.warning) {
    byId("warning").append(el("strong", {}, "Read this report with care"), report.health.warning);
    byId("warning").hidden = false;
  }
  byId("made").textContent = `Made with elcrec ${report.elcrec} on ${report.made}. This page works offline.`;
}
