/* Training curves, health and metrics. */

function ticksBetween(low, high) {
  const rough = (high - low) / 4;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = unit * [1, 2, 5, 10].find((multiple) => multiple * unit >= rough);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, index) => (first + index) * step);
}

function powersBetween(low, high) {
  const exponents = Array.from({ length: 40 }, (_, index) => index - 20);
  const [all, tens] = [[1, 2, 5], [1]].map((multiples) =>
    exponents.flatMap((exponent) => multiples.map((multiple) => multiple * 10 ** exponent)).filter((tick) => tick >= low && tick <= high));
  return all.length > 8 && tens.length > 1 ? tens : all;
}

// Losses of very different size only show side by side on a logarithmic axis.
function scaleFor(values, fromZero) {
  let [low, high] = [Math.min(...values), Math.max(...values)];
  const logarithmic = !fromZero && low > 0 && high / low > 20;
  if (fromZero) low = 0;
  if (high === low) high = low + (Math.abs(low) || 1);
  if (!logarithmic) return { at: (value) => (value - low) / (high - low), ticks: ticksBetween(low, high), note: "" };
  return { at: (value) => Math.log(value / low) / Math.log(high / low), ticks: powersBetween(low, high), note: ", logarithmic" };
}

const dashes = [null, "7 4", "2 4", "10 3 2 3", "4 2"];

const strokeOf = (place) => ({ class: "stroke tinted", "stroke-dasharray": dashes[place % dashes.length], ...paint(place) });

// Each line has its name, and a piece of it, at its end; names that would touch move apart.
function endLabels(series, x, y, floor) {
  const ends = series.map(({ name, values }, place) => ({ name, place, at: y(values.findLast(known)) })).sort((a, b) => a.at - b.at);
  ends.forEach((end, place) => { end.shown = Math.max(end.at, place ? ends[place - 1].shown + 13 : 12); });
  ends.findLast((end, place) => { end.shown = Math.min(end.shown, ends[place + 1] ? ends[place + 1].shown - 13 : floor); return place === 0; });
  return ends.flatMap(({ name, place, shown }) => [svg("path", { ...strokeOf(place), d: `M${x},${shown} h16` }),
    svg("text", { class: "end", x: x + 20, y: shown + 4 }, name)]);
}

function lineChart({ title, note, series: all, digits, best = null, fromZero = false }) {
  const series = all.filter(({ values }) => values.some(known));
  const epochs = report.curves.map((row) => row.epoch);
  const [wide, high, left, right, top, bottom] = [360, 210, 46, series.length > 1 ? 94 : 14, 16, 24];
  const scale = scaleFor(series.flatMap(({ values }) => values.filter(known)), fromZero);
  const x = (index) => left + (epochs.length > 1 ? index / (epochs.length - 1) : 0.5) * (wide - left - right);
  const y = (value) => high - bottom - scale.at(value) * (high - top - bottom);
  const line = (values) => values.map((value, index) => (known(value) ? `${x(index).toFixed(1)},${y(value).toFixed(1)}` : null)).filter(Boolean).join(" L");
  const strokes = series.map(({ values }, place) => svg("path", { ...strokeOf(place), d: `M${line(values)}` }));
  const grid = scale.ticks.flatMap((tick) => [svg("line", { class: "grid", x1: left, x2: wide - right, y1: y(tick), y2: y(tick) }),
    svg("text", { x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, short(tick))]);
  const slot = (wide - left - right) / Math.max(epochs.length - 1, 1);
  const slots = epochs.map((epoch, index) => svg("rect", { class: "slot", x: x(index) - slot / 2, y: top, width: slot, height: high - top - bottom },
    svg("title", {}, [`Epoch ${epoch}`, ...series.map(({ name, values }) => `${name}: ${fixed(values[index], digits)}`)].join("\n"))));
  const ends = [[0, "start"], [epochs.length - 1, "end"]].map(([index, anchor]) =>
    svg("text", { x: x(index), y: high - 6, "text-anchor": anchor }, `${index ? "" : "epoch "}${epochs[index]}`));
  const mark = best === null ? [] : bestMark(x(best), y(series[0].values[best]), high - bottom, wide, `best: epoch ${epochs[best]}, ${fixed(series[0].values[best], digits)}`);
  const names = series.length > 1 ? endLabels(series, wide - right + 5, y, high - bottom) : [];
  return el("figure", { class: "card" }, el("figcaption", {}, title, el("small", {}, note + scale.note)),
    svg("svg", { viewBox: `0 0 ${wide} ${high}`, role: "img", "aria-label": `${title} by epoch` }, ...grid, ...ends, ...strokes, ...mark, ...names, ...slots));
}

function bestMark(x, y, floor, wide, text) {
  const anchor = x > wide * 0.6 ? "end" : "start";
  return [svg("line", { class: "best-line", x1: x, x2: x, y1: y, y2: floor }),
    svg("circle", { class: "best-dot tinted", cx: x, cy: y, r: 5, ...paint(0) }),
    svg("text", { class: "best-text", x: anchor === "end" ? x - 6 : x + 6, y: floor - 8, "text-anchor": anchor }, text)];
}

function curveCharts() {
  const column = (read) => report.curves.map(read);
  const losses = [...new Set(report.curves.flatMap((row) => Object.keys(row.losses ?? {})))];
  const best = report.curves.findIndex((row) => row.epoch === report.model.best_epoch && known(row.valid));
  const line = (name, read) => ({ name, values: column(read) });
  const charts = [
    { title: "How well it predicts", note: "validation ndcg@20, by epoch: higher is better", digits: 4, best: best < 0 ? null : best, series: [line("ndcg@20", (row) => row.valid)] },
    { title: "What training lowers", note: "losses, by epoch", digits: 3, series: losses.map((name) => line(name.replaceAll("_", " "), (row) => row.losses?.[name])) },
    { title: "How many intents", note: "by epoch", digits: 0, fromZero: true, series: [line("effective", (row) => row.effective), line("in use", (row) => row.used)] },
  ];
  return charts.filter(({ series }) => series.some(({ values }) => values.some(known))).map(lineChart);
}

function healthLines() {
  const health = report.health;
  return [
    [`${health.used} of ${health.n_intents}`, "In use.", "Intents with at least one user."],
    [fixed(health.effective, 1), "Effective number.", `Number of equally large intents with the same spread of users; at most ${health.n_intents}.`],
    [percent(health.largest_share), "Largest share.", `Share of all users in the largest intent; with an even spread ${percent(1 / health.n_intents)}.`],
    [fixed(health.dead, 0), "Dead.", "Intents without users; a few do no harm."],
    [fixed(health.duplicates, 0), "Duplicates.", "Intents whose centre is almost the same as another's."],
    [fixed(health.cosine, 2), "Cosine.", "Mean cosine of users to the centre of their intent; 1: identical."],
    [fixed(health.margin, 3), "Margin.", "Mean cosine to the own centre minus that to the next centre; 0: no separation."],
  ];
}

function metricTable() {
  const parts = [["valid", "Validation"], ["test", "Test"]].filter(([key]) => report.model.metrics?.[key]);
  const names = [...new Set(parts.flatMap(([key]) => Object.keys(report.model.metrics[key])))];
  if (!names.length) return el("p", { class: "muted" }, "This model was not evaluated.");
  return el("table", {},
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Metric"), ...parts.map(([, label]) => el("th", { scope: "col", class: "numeric" }, label)))),
    el("tbody", {}, ...names.map((name) => el("tr", {}, el("th", { scope: "row" }, name),
      ...parts.map(([key]) => el("td", { class: "numeric" }, fixed(report.model.metrics[key][name], 4)))))));
}

/* The model next to the baselines, on the test part where there is one. */
function baselineTable() {
  const found = report.model.baselines ?? {};
  const part = ["test", "valid"].find((key) => found[key]?.length && report.model.metrics?.[key]);
  if (!part) return null;
  const names = ["hit_rate@10", "ndcg@10", "ndcg@20"];
  const rows = [{ name: "this model", ...report.model.metrics[part] }, ...found[part]];
  const best = Object.fromEntries(names.map((name) => [name, Math.max(...rows.map((row) => row[name] ?? -1))]));
  return el("table", {},
    el("caption", {}, `Next to baselines, ${part === "test" ? "test" : "validation"}; the best in bold`),
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Method"), ...names.map((name) => el("th", { scope: "col", class: "numeric" }, name)))),
    el("tbody", {}, ...rows.map((row) => el("tr", {}, el("th", { scope: "row" }, row.name),
      ...names.map((name) => el("td", { class: "numeric" }, row[name] === best[name] ? el("b", { class: "best" }, fixed(row[name], 4), el("span", { class: "unseen" }, " (best)")) : fixed(row[name], 4)))))));
}

function showTraining() {
  byId("curves").append(...(report.curves.length ? curveCharts() : [el("p", { class: "card muted" }, "Imported weights: no training curves.")]));
  byId("health").append(...healthLines().map(([value, name, meaning]) => el("div", {}, el("dt", {}, value), el("dd", {}, el("b", {}, name), ` ${meaning}`))));
  byId("metrics").append(...[metricTable(), baselineTable()].filter(Boolean));
}
