/* Recommendations, and how they are steered. */

const steering = { toward: [], without: [] };
const listAsked = newest();
const LIST = 12;
const PHONE_LIST = 5;  // as in explore.css: the rest follows on demand
// What becomes of items that the history holds already.
const seen = { both: { exclude_seen: false }, new: { exclude_seen: true }, again: { only_seen: true } };
const LOOKED_AT = 200;
const lookedAt = () => Math.min(LOOKED_AT, mostListed);
const STRENGTHS = ["none", "light", "medium", "strong", "full"];
const DIVERSITIES = ["none", "a little", "medium", "much", "most"];
const inWords = (words, part) => (part <= 0 ? words[0] : part >= 1 ? words[4] : words[1 + Math.min(2, Math.floor(part * 3))]);
const chosenSeen = () => byId("seen").querySelector("input:checked").value;
const choose = (group, value) => { byId(group).querySelector(`input[value="${value}"]`).checked = true; };

function subject() {
  const who = person.user === null ? { history: person.items.map((item) => item.item) } : { user_id: person.user };
  return { ...who, ...seen[chosenSeen()], unknown_items: "skip" };
}

const steered = () => steering.toward.length + steering.without.length + Number(byId("diversify").value) > 0;

// Asked once a person: the answers of steering do not change it.
const taken = { of: null, items: null };

function historyItems() {
  if (person.user === null) return new Map(person.items.map((item) => [item.item, item]));
  if (taken.of !== person.user) Object.assign(taken, { of: person.user, items: askHistory(person.user) });
  return taken.items;
}

async function askHistory(user) {
  try {
    return new Map((await ask("GET", `/v1/users/${encoded(user)}/history?limit=1000`)).events.map((event) => [event.item_id, thing(event)]));
  } catch { return new Map(); }  // nothing is known of this user: the list says so
}

// The list of a run, and the list before it was steered.
async function fetchRecommendations({ asks, own }) {
  const dials = { strength: Number(byId("strength").value), diversify: Number(byId("diversify").value),
    intents: own(steering.toward), exclude_intents: own(steering.without) };
  const who = { ...subject(), ...asks };
  const list = ask("POST", "/v1/recommend", { ...who, k: Math.min(LIST, mostListed), explain: true, ...(steered() ? dials : {}) });
  const plain = steered() ? ask("POST", "/v1/recommend", { ...who, k: lookedAt() }) : list;
  return Promise.all([list, plain]);
}

function showBones() {
  const bone = () => el("li", { class: "card recommendation", "aria-hidden": "true" }, el("span", { class: "bone" }), el("span", { class: "bone" }));
  byId("list").replaceChildren(...Array.from({ length: 6 }, bone));
  byId("list-note").textContent = "Loading …";
}

function noteOf(list, before) {
  if (list.fallback) return `No history: these are ${list.fallback === "popular" ? "the most popular items" : "items typical of the chosen intents"}.`;
  if (!list.items.length) return "No item remains.";
  if (!steered()) return "";
  return `Steered. ${plural(list.items.filter((row) => before.get(row.item_id) !== row.rank).length, "item", "items")} moved.`;
}

function showList() {
  const shown = sides();
  const lists = shown.map((side) => byId(side.list));
  for (const list of lists) {
    list.classList.add("waiting");
    list.setAttribute("aria-busy", "true");
  }
  listAsked(() => Promise.all([Promise.all(shown.map(fetchRecommendations)), historyItems()]), ([answers, had]) => {
    showSides(shown, answers, had);
    for (const list of lists) {
      list.classList.remove("waiting");
      list.setAttribute("aria-busy", "false");
    }
  });
}

// Once a list is steered, a card compares with the list before it and with nothing else.
function movement(rank, was) {
  if (!steered()) return null;
  if (was === rank) return el("span", { class: "moved" }, "same place as before");
  if (was === undefined) return el("span", { class: "moved up" }, `↑ from below rank ${lookedAt()}`);
  return el("span", { class: was > rank ? "moved up" : "moved" }, `${was > rank ? "↑ up" : "↓ down"} from rank ${was}`);
}

function card(row, side, before, ranks) {
  const item = thing(row);
  const more = el("button", { type: "button", class: "add", "aria-label": `Add to history: ${labelOf(item)}` }, "Add to history");
  more.addEventListener("click", () => add(item));
  const again = row.again ? el("span", { class: "again" }, "again") : null;
  const reason = { ...reasonOf(row, side), boosted: side.own(steering.toward).map(side.key), how: side.boosted };
  const shown = steeredCard({ ...item, ...reason }, [standing(row, side, ranks), again, movement(row.rank, before.get(row.item_id))].filter(Boolean));
  if (side === here || !row.only_here) shown.querySelector(".rec-foot").append(more);
  return shown;
}

function toggle(list, intent) {
  const other = list === steering.toward ? steering.without : steering.toward;
  const place = list.indexOf(intent);
  if (place >= 0) list.splice(place, 1);
  else list.push(intent);
  if (other.includes(intent)) other.splice(other.indexOf(intent), 1);
  showSteering();
}

function steerButtons(intent) {
  const make = (text, list, label) => {
    const button = el("button", { type: "button", "data-steer": text.toLowerCase(), "data-intent": intent, "aria-label": `${label} ${nameOf(intent)}` }, text);
    button.addEventListener("click", () => toggle(list, intent));
    return button;
  };
  const buttons = el("span", { class: "steer-buttons" }, make("Boost", steering.toward, "Boost"), make("Less", steering.without, "Less of"));
  setTimeout(markButtons);
  return buttons;
}

function markButtons() {
  for (const button of document.querySelectorAll("button[data-steer]")) {
    const list = button.dataset.steer === "boost" ? steering.toward : steering.without;
    button.setAttribute("aria-pressed", String(list.includes(Number(button.dataset.intent))));
  }
}

function steeredChip(list, intent, word) {
  const button = el("button", { type: "button" }, swatch(intent), cut(`${word} ${nameOf(intent)}`), el("span", { "aria-hidden": "true" }, "×"), el("span", { class: "unseen" }, ": stop"));
  button.addEventListener("click", () => toggle(list, intent));
  return el("li", {}, button);
}

function showDial(dial, words) {
  const word = byId(dial).disabled ? "off" : inWords(words, Number(byId(dial).value));
  byId(`${dial}-shown`).textContent = word;
  byId(dial).setAttribute("aria-valuetext", word);
}

function showSteering() {
  byId("steered").replaceChildren(
    ...steering.toward.map((intent) => steeredChip(steering.toward, intent, "Boost")),
    ...steering.without.map((intent) => steeredChip(steering.without, intent, "Less of")));
  byId("strength").disabled = !steering.toward.length;
  byId("strength").title = steering.toward.length ? "" : "Boost an intent first";
  showDial("strength", STRENGTHS);
  showDial("diversify", DIVERSITIES);
  markButtons();
  if (somebody()) showList();
}

function showFoundIntents() {
  const words = byId("steer-search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = bySize.filter((one) => words.every((word) => intentText(one).includes(word)));
  foundList(byId("steer-found"), found, (one) => el("div", { class: "line" }, swatch(one.intent), cut(one.name), steerButtons(one.intent)));
  byId("steer-found").hidden = false;
}

function createSteering() {
  const [field, found] = [byId("steer-search"), byId("steer-found")];
  const finder = field.parentElement;
  field.onfocus = field.oninput = showFoundIntents;
  finder.onfocusout = (event) => { found.hidden = !finder.contains(event.relatedTarget); };
  found.onmousedown = (event) => event.preventDefault();  // the focus stays, so that the list does
  finder.onkeydown = (event) => { if (event.key === "Escape") { field.focus(); found.hidden = true; } };
  for (const dial of ["seen", "strength", "diversify"]) byId(dial).oninput = showSteering;
  byId("list-more").onclick = () => { byId("next").classList.add("whole"); byId(sides().find(({ id }) => id === shownSide()).list).children[PHONE_LIST]?.querySelector("summary, button")?.focus(); };
  showSteering();
}
