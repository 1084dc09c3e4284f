/* State of the page, and requests to the server. */

const report = { trend_labels: null, map: null };
let bySize = [];
const intentOf = new Map();
const journeyOf = new Map();
const rankOf = new Map();
const memory = window.sessionStorage;
let canWrite = false;
let mostHistory = 1000;
let mostListed = 1000;

class Refusal extends Error {}

// Ids may be whole numbers that JavaScript cannot hold: those stay text, which the server takes too.
const exact = (_, value, context) => (typeof value === "number" && /^-?\d+$/.test(context?.source ?? "") && !Number.isSafeInteger(value) ? context.source : value);

async function ask(method, path, body) {
  const headers = { accept: "application/json" };
  const key = memory.getItem("elcrec-key");
  if (key) headers.authorization = `Bearer ${key}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  const answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  let document_ = { error: `the server answered ${answer.status}` };
  try { document_ = JSON.parse(await answer.text(), exact); } catch { /* a proxy's page, say */ }
  if (answer.ok) return document_;
  if (answer.status === 401) byId("key-form").hidden = false;
  throw new Refusal(document_.error);
}

// Only the request that failed clears its error: the success of another says nothing about it.
let complainer = null;

function complain(error, who = "page") {
  complainer = who;
  const sentence = error instanceof Refusal ? error.message : "The server cannot be reached.";
  byId("problem").replaceChildren(el("strong", {}, "The request failed"), sentence);
  byId("problem").hidden = false;
}

function content(who = "page") {
  if (complainer === who) byId("problem").hidden = true;
}

// Only the newest request of a kind is shown: an older response is out of date.
function newest() {
  let number = 0;
  const who = {};
  return async (question, shown) => {
    const mine = ++number;
    try {
      const answer = await question();
      if (mine === number) { content(who); shown(answer); }
    } catch (error) {
      if (mine === number) complain(error, who);
    }
  };
}

// Sends a request once typing pauses.
function whenResting(input, act) {
  let timer;
  input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(() => act(input.value.trim()), 150); });
}

const encoded = (id) => encodeURIComponent(String(id));
const thing = (row) => ({ ...row, item: row.item_id });
const day = (seconds) => (known(seconds) && seconds > 1e8 && seconds < 1e11 ? new Date(seconds * 1000).toISOString().slice(0, 10) : null);

function asIntent(line) {
  const attributes = line.attributes.map((one) => ({ ...one, share: line.users ? one.users / line.users : 0 }));
  return { ...line, items: line.items.map(thing), attributes, flags: line.flags.map((flag) => flag.replace(/s$/, "")) };
}
