/* Why an item is recommended: a sentence or two, and the exact parts of the score behind them. */

// A list that is steered says so where it moved a score.
function intentLineOf(row, parts) {
  const moved = row.boosted.length && row.steering > 0 && partSize(parts, row.steering) >= leastPart;
  return moved ? `Fits ${listed(row.boosted.map((intent) => `“${nameOf(intent)}”`))}, ${row.how}.` : intentReason({ ...row, rank_without: null }, parts);
}

// What is the item's own: the reasons of a list differ from card to card.
function ownSentence(row, parts) {
  const largest = Math.max(...parts.map(({ value }) => value));
  if (row.repeat > 0 && row.repeat === largest) return "Taken before, and often taken again.";
  return resemblanceText({ like: known(row.like) ? { item: row.like, title: row.like_title } : null, shared: row.shared });
}

function evidence({ intent, because, because_titles: titles }) {
  if (!known(intent) || !because?.length) return null;
  const items = because.map((item, place) => labelOf({ item, title: titles?.[place] }));
  return el("p", { class: "hint", dir: "auto" }, `“${nameOf(intent)}” rests most on ${listed(items)}.`);
}

function withoutIntent({ intent, rank, rank_without: without }) {
  if (!known(intent) || !known(without) || steered()) return null;
  const rest = without === rank ? `it would stay at rank ${rank}` : `it would be at rank ${whole(without)} instead of ${rank}`;
  return el("p", { class: "hint", dir: "auto" }, `Without “${nameOf(intent)}” ${rest}.`);
}

function exactParts(row, parts) {
  const total = el("li", { class: "total" }, el("span", {}, "score"), el("span", { class: "number" }, fixed(row.score, 2)));
  return el("details", { class: "exact" }, el("summary", {}, "How the score adds up", el("span", { class: "unseen" }, ` for ${labelOf(row)}`)),
    stackedScore(parts), el("ul", { class: "parts" }, ...parts.filter(({ value }) => Math.abs(value) >= 0.005).map(partLine), total),
    evidence(row), withoutIntent(row),
    known(row.title) ? el("p", { class: "hint" }, `Item ${row.item}`) : null);
}

// Addresses are checked by the server, too: only web addresses are pictures.
function picture(row) {
  if (!/^https?:\/\//i.test(row.image_url ?? "")) return null;
  const image = el("img", { class: "picture", src: row.image_url, alt: `Picture of ${labelOf(row)}`, loading: "lazy", decoding: "async", referrerpolicy: "no-referrer" });
  image.addEventListener("error", () => image.remove());
  return image;
}

function reasonLines(row, parts) {
  if (!parts.length) return [];
  const own = ownSentence(row, parts);
  return [own ? el("p", { class: "why", dir: "auto" }, own) : null,
    el("p", { class: "why muted", dir: "auto" }, intentLineOf(row, parts))].filter(Boolean);
}

function steeredCard(row, marks) {
  const name = labelOf(row);
  const parts = scoreParts(row);
  return el("li", { class: "card recommendation" },
    el("div", { class: "rec-top" }, el("span", { class: "rank", "aria-label": `Rank ${row.rank}` }, String(row.rank)), picture(row),
      el("div", {}, el("h3", { class: "two-lines", dir: "auto", title: name }, name), marks.length ? el("p", { class: "marks" }, ...marks) : null,
        ...reasonLines(row, parts))),
    el("div", { class: "rec-foot" }, parts.length ? exactParts(row, parts) : null));
}
