/* What pages are built with: elements, numbers as text, colours. Whose intents: intentOf, of another part. */

const byId = (id) => document.getElementById(id);

// Every text goes in as a text node, so markup in names stays text.
function maker(create) {
  return (tag, attributes = {}, ...children) => {
    const node = create(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("--")) node.style.setProperty(name, value);
      else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
    }
    node.append(...children.filter((child) => child !== null));
    return node;
  };
}
const el = maker((tag) => document.createElement(tag));
const svg = maker((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));

const whole = (value) => value.toLocaleString("en");
const known = (value) => value !== null && value !== undefined;
const fixed = (value, digits) => (known(value) ? value.toFixed(digits) : "–");
const short = (value) => value.toLocaleString("en", { maximumSignificantDigits: 3 });
const plural = (count, one, many) => `${whole(count)} ${count === 1 ? one : many}`;
const times = (lift) => `${lift.toLocaleString("en", { maximumFractionDigits: lift < 10 ? 1 : 0 })}×`;
const width = (part) => `${Math.max(0, Math.min(1, part)) * 100}%`;

function percent(value) {
  if (!known(value)) return "–";
  return value.toLocaleString("en", { style: "percent", maximumSignificantDigits: Math.abs(value) >= 0.1 ? 3 : 2 });
}

const nameOf = (number) => intentOf.get(number)?.name || `Intent ${number}`;
// A number alone reads as a figure: an item without a title says what it is, and a title of digits stands in quotes.
function labelOf(thing) {
  const text = String(known(thing.title) ? thing.title : thing.item);
  if (!/^\d+$/.test(text)) return text;
  return known(thing.title) ? `“${text}”` : `Item ${text}`;
}
const listed = (names) => (names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names[names.length - 1]}`);
const roundPercent = (value) => `${Math.round(value * 100)}%`;

// The largest intents have a colour each, of the eight that everybody can tell apart; the others are grey.
const nColours = 8;
const paint = (slot) => ({ "--own": slot === undefined ? "var(--other)" : `var(--c${slot})` });
const slotOf = (number) => (rankOf.get(number) <= nColours ? rankOf.get(number) - 1 : undefined);
let ownSlots = new Map();
const tint = (number) => paint(slotOf(number) ?? ownSlots.get(number));

// What shows a few intents lends those without a colour the colours that are left, in the order given.
function withColours(numbers, build) {
  const distinct = [...new Set(numbers)];
  const taken = new Set(distinct.map(slotOf));
  const free = Array.from({ length: nColours }, (_, slot) => slot).filter((slot) => !taken.has(slot));
  ownSlots = new Map(distinct.filter((number) => slotOf(number) === undefined).map((number, place) => [number, free[place]]));
  try { return build(); } finally { ownSlots = new Map(); }
}
const swatch = (number) => el("span", { class: "swatch tinted", "aria-hidden": "true", ...tint(number) });
const cut = (text, attributes = {}) => el("span", { class: "cut", dir: "auto", title: text, ...attributes }, text);

function intentLink(number, note) {
  const name = nameOf(number);
  return el("a", { href: `#intent-${number}` }, swatch(number), cut(name), el("span", { class: "number" }, note));
}

function track(part, attributes = {}) {
  return el("span", { class: "track", "aria-hidden": "true" }, el("span", { class: "fill", "--part": width(part), ...attributes }));
}

function barLine(text, note, part, attributes = {}) {
  const line = el("div", { class: "line" }, cut(text), el("span", { class: "number" }, note));
  return el("li", {}, line, track(part, attributes));
}

function heading(text, note = "") {
  return el("h4", {}, text, note && el("small", {}, note));
}

function scrollIfHidden(node) {
  const box = node.getBoundingClientRect();
  if (box.top < 48 || box.bottom > window.innerHeight) node.scrollIntoView({ block: "start" });
}
