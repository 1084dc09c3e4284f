/* Recommendations, and how they are steered. */

const steering = { toward: [], without: [] };
const listAsked = newest();
const LIST = 12;
// What becomes of items that the history holds already.
const seen = { both: { exclude_seen: false }, new: { exclude_seen: true }, again: { only_seen: true } };
const LOOKED_AT = 200;
const lookedAt = () => Math.min(LOOKED_AT, mostListed);

function subject() {
  const who = person.user === null ? { history: person.items.map((item) => item.item) } : { user_id: person.user };
  return { ...who, ...seen[byId("seen").value], unknown_items: "skip" };
}

const steered = () => steering.toward.length + steering.without.length + Number(byId("diversify").value) > 0;

async function fetchRecommendations() {
  const dials = { strength: Number(byId("strength").value), diversify: Number(byId("diversify").value),
    intents: steering.toward, exclude_intents: steering.without };
  const list = ask("POST", "/v1/recommend", { ...subject(), k: Math.min(LIST, mostListed), explain: true, ...(steered() ? dials : {}) });
  const plain = steered() ? ask("POST", "/v1/recommend", { ...subject(), k: lookedAt() }) : list;
  return Promise.all([list, plain]);
}

function showList() {
  byId("list").classList.add("waiting");
  listAsked(fetchRecommendations, ([list, plain]) => {
    const before = new Map(plain.items.map((item) => [item.item_id, item.rank]));
    const titles = new Map(person.items.map((item) => [item.item, labelOf(item)]));
    byId("list").replaceChildren(...list.items.map((row) => card(row, before, titles)));
    byId("list").classList.remove("waiting");
    byId("list-note").textContent = list.fallback
      ? `No history: these are ${list.fallback === "popular" ? "the most popular items" : "items typical of the chosen intents"}.`
      : !list.items.length ? "No item remains."
      : steered() ? `Steered. ${plural(list.items.filter((row) => before.get(row.item_id) !== row.rank).length, "item", "items")} moved.` : "";
  });
}

function movement(rank, was) {
  if (!steered()) return null;
  if (was === rank) return el("span", { class: "moved" }, "same place");
  if (was === undefined) return el("span", { class: "moved up" }, `↑ from beyond ${lookedAt()}`);
  return el("span", { class: was > rank ? "moved up" : "moved" }, `${was > rank ? "↑" : "↓"} from ${was}`);
}

function card(row, before, titles) {
  const item = thing(row);
  const shown = recommendationCard({ ...item, ...(row.reason ?? {}) }, titles);
  const moved = movement(row.rank, before.get(row.item_id));
  if (moved) shown.querySelector(".rec-top").append(moved);
  const more = el("button", { type: "button", class: "add", "aria-label": `Add ${labelOf(item)} to the history` }, "Add to the history");
  more.addEventListener("click", () => add(item));
  shown.append(more);
  if (!row.reason) shown.querySelector(".why").remove();
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
  const buttons = el("span", { class: "steer-buttons" }, make("More", steering.toward, "More of"), make("Without", steering.without, "Without"));
  setTimeout(markButtons);
  return buttons;
}

function markButtons() {
  for (const button of document.querySelectorAll("button[data-steer]")) {
    const list = button.dataset.steer === "more" ? steering.toward : steering.without;
    button.setAttribute("aria-pressed", String(list.includes(Number(button.dataset.intent))));
  }
}

function steeredChip(list, intent, sign) {
  const button = el("button", { type: "button", "aria-label": `Stop steering ${nameOf(intent)}` }, swatch(intent), cut(`${sign} ${nameOf(intent)}`), "×");
  button.addEventListener("click", () => toggle(list, intent));
  return el("li", {}, button);
}

function showSteering() {
  byId("steered").replaceChildren(
    ...steering.toward.map((intent) => steeredChip(steering.toward, intent, "more")),
    ...steering.without.map((intent) => steeredChip(steering.without, intent, "without")));
  for (const dial of ["strength", "diversify"]) byId(`${dial}-shown`).textContent = roundPercent(Number(byId(dial).value));
  markButtons();
  if (!byId("next").hidden) showList();
}

function createSteering(intents) {
  const select = byId("steer-intent");
  select.replaceChildren(el("option", { value: "" }, "Choose …"), ...intents.map((one) => el("option", { value: one.intent }, `${one.name} (${one.intent})`)));
  select.onchange = () => {
    if (select.value !== "" && !steering.toward.includes(Number(select.value))) toggle(steering.toward, Number(select.value));
    select.value = "";
  };
  for (const dial of ["seen", "strength", "diversify"]) byId(dial).oninput = showSteering;
  showSteering();
}
