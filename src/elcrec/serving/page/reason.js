/* Why an item is recommended: one sentence, and the exact parts of the score behind it. */

// Below this part of all that moves the score, an intent explains nothing.
const EXPLAINS = 0.05;

function portion(parts, value) {
  const all = parts.reduce((sum, one) => sum + Math.abs(one.value), 0);
  return all > 0 ? value / all : 0;
}

function becauseOf(row, titles) {
  const known_ = row.because_titles ?? [];
  return (row.because ?? []).slice(0, 2).map((item, place) => known_[place] ?? titles.get(item) ?? String(item));
}

function sentence(row, parts, titles) {
  const largest = Math.max(...parts.map(({ value }) => value));
  const because = becauseOf(row, titles);
  if (row.repeat > 0 && row.repeat === largest) return "Taken before, and often taken again.";
  if (row.steering > 0 && row.steering === largest) return `Because you boosted ${steering.toward.map((intent) => `“${nameOf(intent)}”`).join(" and ")}.`;
  const part = parts.find(({ intent }) => intent !== null && intent === row.intent);
  if (!part || portion(parts, part.value) < EXPLAINS) return "Not explained by the intents.";
  const fits = `“${nameOf(row.intent)}”`;
  return because.length ? `Because of ${because.join(" and ")}: fits ${fits}.` : `Fits ${fits}.`;
}

function withoutIntent({ intent, rank, rank_without: without }) {
  if (!known(intent) || !known(without) || steered()) return null;
  const rest = without === rank ? `it would stay at rank ${rank}` : `it would be at rank ${whole(without)} instead of ${rank}`;
  return el("p", { class: "hint", dir: "auto" }, `Without “${nameOf(intent)}” ${rest}.`);
}

function exactParts(row, parts) {
  const total = el("li", { class: "total" }, el("span", {}, "score"), el("span", { class: "number" }, fixed(row.score, 2)));
  return el("details", { class: "exact" }, el("summary", {}, "How the score adds up", el("span", { class: "unseen" }, ` for ${labelOf(row)}`)),
    stackedScore(parts), el("ul", { class: "parts" }, ...parts.map(partLine), total), withoutIntent(row),
    known(row.title) ? el("p", { class: "hint" }, `Item ${row.item}`) : null);
}

// Addresses are checked by the server, too: only web addresses are pictures.
function picture(row) {
  if (!/^https?:\/\//.test(row.image_url ?? "")) return null;
  const image = el("img", { class: "picture", src: row.image_url, alt: `Picture of ${labelOf(row)}`, loading: "lazy", decoding: "async", referrerpolicy: "no-referrer" });
  image.addEventListener("error", () => image.remove());
  return image;
}

function steeredCard(row, titles, marks) {
  const name = labelOf(row);
  const parts = scoreParts(row);
  return el("li", { class: "card recommendation" },
    el("div", { class: "rec-top" }, el("span", { class: "rank", "aria-label": `Rank ${row.rank}` }, String(row.rank)), picture(row),
      el("div", {}, el("h3", { class: "two-lines", dir: "auto", title: name }, name), el("p", { class: "marks" }, ...marks))),
    parts.length ? el("p", { class: "why", dir: "auto" }, sentence(row, parts, titles)) : null,
    el("div", { class: "rec-foot" }, parts.length ? exactParts(row, parts) : null));
}
