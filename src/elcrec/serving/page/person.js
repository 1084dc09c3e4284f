/* The history shown: that of a user, or one built here by choosing items. */

const person = { user: null, items: [] };
const somebody = () => person.user !== null || person.items.length > 0;
const mixAsked = newest();

function foundList(list, rows, build) {
  list.replaceChildren(...(rows.length ? rows.map((row) => el("li", {}, build(row))) : [el("li", { class: "none" }, "Nothing found.")]));
}

function choice(text, note, act) {
  const button = el("button", { type: "button" }, cut(text), el("span", { class: "number" }, note));
  button.addEventListener("click", act);
  return button;
}

function createSearches() {
  const [users, items] = [newest(), newest()];
  const [userFound, itemFound] = [byId("user-found"), byId("item-found")];
  whenResting(byId("user-search"), (text) => {
    if (!text) return userFound.replaceChildren();
    users(() => ask("GET", `/v1/users?limit=8&q=${encoded(text)}`), (answer) =>
      foundList(userFound, answer.users, (user) => choice(String(user), "", () => open(`user-${encoded(user)}`))));
  });
  whenResting(byId("item-search"), (text) => {
    if (!text) return itemFound.replaceChildren();
    items(() => ask("GET", `/v1/items?limit=8&q=${encoded(text)}`), (answer) =>
      foundList(itemFound, answer.items.map(thing), (item) =>
        choice(labelOf(item), plural(item.events, "event", "events"), () => addFound(item))));
  });
  for (const [field, found] of [["user-search", userFound], ["item-search", itemFound], ["steer-search", byId("steer-found")]]) createKeys(byId(field), found);
  byId("person-clear").addEventListener("click", () => { become(null, []); history.replaceState(null, "", "#who"); byId("user-search").focus(); });
}

// Arrow keys move from the field through the results; Enter in the field takes the first.
function createKeys(field, found) {
  const buttons = () => [...found.querySelectorAll("button")];
  field.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "Enter") {
      const [first] = buttons();
      if (!first) return;
      event.preventDefault();
      if (event.key === "Enter") first.click();
      else first.focus();
    }
  });
  found.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const all = buttons();
    const next = all.indexOf(document.activeElement) + step;
    (next < 0 ? field : all[Math.min(next, all.length - 1)]).focus();
  });
}

const open = (fragment) => { if (location.hash.slice(1) === fragment) follow(); else location.hash = fragment; };

function become(user, items, example = false) {
  person.user = user;
  person.items = items;
  person.example = example;
  taken.of = null;
  showPerson();
}

async function add(item) {
  let before = person.items;
  if (person.user !== null) {  // all of the history, not the newest events that are shown
    const user = person.user;
    try {
      before = (await ask("GET", `/v1/users/${encoded(user)}/history?limit=${Math.min(1000, mostHistory - 1)}`)).events.map(thing);
    } catch (error) {
      complain(error);
      return;
    }
    if (person.user !== user) return;
  }
  person.user = null;
  person.items = [...before, item];
  if (location.hash.startsWith("#user-")) history.replaceState(null, "", "#who");
  showPerson();
}

// Items that are looked for do not belong to an example: they begin a history of their own.
function addFound(item) {
  if (person.example) become(null, [item]);
  else add(item);
}

function remove(place) {
  person.user = null;
  person.items = person.items.filter((_, at) => at !== place);
  showPerson();
  (byId("person-items").querySelectorAll("button")[Math.max(0, place - 1)] ?? byId("item-search")).focus();
}

function itemChip(item, place) {
  const off = el("button", { type: "button", "aria-label": `Remove ${labelOf(item)}` }, "×");
  off.addEventListener("click", () => remove(place));
  return el("li", { class: "chip" }, cut(labelOf(item)), off);
}

function nameOfPerson() {
  if (!somebody()) return "Nobody yet";
  if (person.user === null) return "New history";
  return `${person.example ? "Example: user" : "User"} ${person.user}`;
}

function listHeading() {
  if (!somebody()) return "Recommended next";
  return person.user === null ? "Recommended after these items" : `Recommended for user ${person.user}`;
}

function showPerson() {
  for (const found of ["user-found", "item-found"]) byId(found).replaceChildren();
  for (const id of ["person-clear", "wants", "steering", "lists", "list-note", "list-more"]) byId(id).hidden = !somebody();
  byId("compare-switch").hidden = !somebody() || !there.run;
  byId("shown-run").hidden = !somebody() || !comparing();
  byId("nobody").hidden = somebody();
  byId("person-name").textContent = nameOfPerson();
  byId("next-heading").textContent = listHeading();
  byId("person").dataset.user = person.user ?? "";
  for (const link of byId("example-list").querySelectorAll("a")) link.toggleAttribute("aria-current", link.dataset.user === String(person.user));
  byId("person-items").replaceChildren(...(person.user === null ? person.items.map(itemChip) : []));
  byId("history").hidden = person.user === null;
  if (!somebody()) return;
  const history_ = person.items.map((item) => item.item);
  const question = person.user === null
    ? () => ask("POST", "/v1/intents/of-history", { history: history_ })
    : () => ask("GET", `/v1/users/${encoded(person.user)}/intents`);
  mixAsked(question, showMix);
  showList();
}

const FEW = 3;

function mixLine({ intent, weight }) {
  const line = intentLine(intent, weight < plainWeight ? "< 1%" : roundPercent(weight), weight);
  line.append(el("div", { class: "steer-line" }, line.querySelector(".track"), steerButtons(intent)));
  return line;
}

function mixParts({ intents }) {
  if (!intents.length) return [];
  const even = areEven(intents);
  const shown = even ? intents.slice(0, FEW) : near(intents);
  const sentence = even ? "No intent stands out: all are about equally near. These are the nearest." : shown.length === 1 ? "No other intent comes near." : null;
  return [sentence && el("p", { class: "hint" }, sentence), el("ul", { class: "bars" }, ...shown.map(mixLine))].filter(Boolean);
}

function showMix(mix) {
  const events = mix.timeline.map((one) => ({ ...thing(one), time: day(one.timestamp) }));
  const journey = { events, intents: mix.intents, total: events.length ? events[events.length - 1].position : 0 };
  const [now, told] = withColours([...mix.intents, ...events].map(({ intent }) => intent), () => [mixParts(journey), historyCard(journey, true)]);
  byId("mix").replaceChildren(...now);
  byId("history").replaceChildren(...told.children);
}
