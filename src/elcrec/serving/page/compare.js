/* A second run next to the served one: its list, what both lists have in common, and which of its intents are ours. */

const here = { id: "here", list: "list", run: null, asks: {}, own: (intents) => intents, key: (intent) => intent, boosted: "which you boosted" };
const there = { id: "there", list: "list-there", run: null, asks: { against: true }, own: counterparts, key: (intent) => (known(intent) ? `there-${intent}` : intent), boosted: "closest to what you boosted" };
// Of an intent of the served run, the one of the second that is most like it.
const counterpartOf = new Map();

const comparing = () => byId("compare").checked;
const sides = () => (comparing() ? [here, there] : [here]);
const otherOf = (side) => (side === here ? there : here);

// The reason with the intents of its run: two runs number theirs independently, those of the second have keys of their own.
function reasonOf({ reason }, { key }) {
  return reason ? { ...reason, intent: key(reason.intent), parts: reason.parts.map((one) => ({ ...one, intent: key(one.intent) })) } : {};
}

function counterparts(intents) {
  return intents.map((intent) => counterpartOf.get(intent)).filter(known);
}

// A pair of intents has one colour.
async function loadIntentsThere() {
  if (counterpartOf.size) return;
  const { intents } = await ask("GET", "/v1/intents?items=1&against=true");
  for (const { intent, name, counterpart } of intents) {
    intentOf.set(there.key(intent), { intent: there.key(intent), name });
    if (!counterpart) continue;
    counterpartOf.set(counterpart.intent, intent);
    rankOf.set(there.key(intent), rankOf.get(counterpart.intent));
  }
}

const endings = { one: "st", two: "nd", few: "rd", other: "th" };
const ordinals = new Intl.PluralRules("en", { type: "ordinal" });
const ordinal = (number) => `${number}${endings[ordinals.select(number)]}`;

const ranksOf = ({ items }) => new Map(items.map((item) => [item.item_id, item.rank]));

// Where the other list has an item.
function standing(row, side, ranks) {
  if (!ranks) return null;
  const name = otherOf(side).run.name;
  if (row.only_here) return el("span", { class: "standing alone" }, `not in ${name}’s catalogue`);
  const rank = ranks.get(row.item_id);
  return el("span", { class: rank ? "standing" : "standing alone" }, rank ? `${ordinal(rank)} there` : "not there", el("span", { class: "unseen" }, `, in the list of ${name}`));
}

function inCommon(one, other) {
  if (here.run.version === there.run.version) return "Both runs are the same model.";
  const ranks = ranksOf(other);
  const both = one.items.filter((row) => ranks.has(row.item_id));
  const [few, many] = [one.items.length, other.items.length].sort((a, b) => a - b);
  const all = few === many ? `of ${plural(many, "item", "items")}` : `of ${one.items.length} and ${plural(other.items.length, "item", "items")}`;
  if (!both.length) return "No item is in both lists.";
  if (both.length < many) return `${both.length} ${all} ${both.length === 1 ? "is" : "are"} in both lists.`;
  return both.every((row) => ranks.get(row.item_id) === row.rank) ? "Both lists are the same." : "Both lists have the same items, in another order.";
}

function accuracyLines({ metrics }, comparable) {
  const valid = metrics.valid;
  if (!known(valid?.["hit_rate@10"])) return [el("p", {}, "Not evaluated on validation.")];
  return [el("p", {}, `${percent(valid["hit_rate@10"])} of ${plural(valid.n_users, "user", "users")} find their next item in the first 10`),
    el("p", { class: "muted" }, `Validation: hit_rate@10 ${short(valid["hit_rate@10"])} · ndcg@10 ${short(valid["ndcg@10"])}`),
    comparable ? null : el("p", { class: "error-line" }, "Measured on other data or in another way: figures of the two are not comparable.")].filter(Boolean);
}

const MOST_NAMED = 3;

function skippedLine({ skipped }, name, had) {
  if (!skipped?.length) return null;
  const names = skipped.slice(0, MOST_NAMED).map((item) => labelOf(had.get(item) ?? { item }));
  const all = listed(skipped.length > MOST_NAMED ? [...names, `${whole(skipped.length - MOST_NAMED)} more`] : names);
  return el("p", { class: "note", dir: "auto" }, `Not in ${name}’s catalogue, and left out of the history: ${all}.`);
}

// What stands for the steered intents in the second run; an intent without a counterpart steers nothing there.
function steeredLines(side) {
  if (side === here) return [];
  return [...steering.toward, ...steering.without].map((intent) => {
    const other = counterpartOf.get(intent);
    const sentence = known(other) ? `In this run “${nameOf(there.key(other))}” is most like “${nameOf(intent)}”, and stands for it.`
      : `This run has no intent like “${nameOf(intent)}”: nothing stands for it.`;
    return el("p", { class: "note", dir: "auto" }, sentence);
  });
}

function aboutRun(side, list, before, had) {
  const note = noteOf(list, before);
  const replaced = list.model === side.run.version ? null : el("p", { class: "error-line" }, "The server has loaded another model: load this page again.");
  const lines = [replaced, skippedLine(list, side.run.name, had), note && el("p", { class: "note" }, note), ...steeredLines(side)].filter(Boolean);
  return [...accuracyLines(side.run, side === here || there.run.comparable), ...lines];
}

function showSides(shown, answers, had) {
  const [lists, two] = [answers.map(([list]) => list), shown.length > 1];
  byId("lists").style.setProperty("--rows", Math.max(...lists.map(({ items }) => items.length), 1));
  shown.forEach((side, place) => {
    const before = ranksOf(answers[place][1]);
    const ranks = two ? ranksOf(lists[1 - place]) : null;
    byId(side.list).replaceChildren(...lists[place].items.map((row) => card({ ...row, again: had.has(row.item_id) }, side, before, ranks)));
    if (two) byId(`${side.id}-about`).replaceChildren(...aboutRun(side, lists[place], before, had));
    else byId("list-note").textContent = noteOf(lists[place], before);
  });
  if (two) byId("list-note").textContent = inCommon(...lists);
}

const shownSide = () => byId("shown-run").querySelector("input:checked").value;

function showComparison() {
  byId("next").classList.toggle("comparing", comparing());
  byId("next").dataset.shown = shownSide();
  for (const id of ["shown-run", "here-head", "there"]) byId(id).hidden = !comparing();
}

async function compare() {
  if (comparing()) {
    try {
      await loadIntentsThere();
      content();
    } catch (error) {
      byId("compare").checked = false;
      complain(error);
    }
  }
  if (!comparing()) choose("shown-run", "here");
  showComparison();
  showList();
}

function createComparison(model) {
  if (!model.against) return;
  [here.run, there.run] = [model, model.against];
  for (const side of [here, there]) {
    for (const node of document.querySelectorAll(`.name-${side.id}`)) node.textContent = side.run.name;
    byId(`${side.id}-recipe`).textContent = `recipe ${side.run.recipe} · model ${side.run.version}`;
  }
  byId("compare").onchange = compare;
  byId("shown-run").oninput = showComparison;
  showComparison();
}
