/* One user at a time: history, intents, recommendations with reasons. */

// Neighbouring events of one intent read better as one stretch of the journey.
function stretches(events) {
  const runs = [];
  for (const event of events) {
    const last = runs[runs.length - 1];
    if (last && last.intent === event.intent) last.events.push(event);
    else runs.push({ intent: event.intent, events: [event] });
  }
  return runs;
}

function eventChip(event) {
  const detail = [event.time, known(event.weight) ? `${roundPercent(event.weight)} ${nameOf(event.intent)}` : null].filter(Boolean).join(" · ");
  return el("li", { class: "chip cut", dir: "auto", title: `${labelOf(event)}\n${detail}` }, labelOf(event));
}

function stretch({ intent, events }, newestFirst) {
  const [first, last] = [events[0], events[events.length - 1]].map(({ time }) => (known(time) ? time.slice(0, 10) : time));
  const when = first === last ? first : `${first} – ${last}`;
  const link = el("a", { class: "cut", dir: "auto", href: `#intent-${intent}` }, nameOf(intent));
  return el("li", { class: "run tinted", ...tint(intent) },
    el("div", { class: "run-head" }, link, known(first) ? el("span", { class: "when" }, when) : null),
    el("ol", { class: "chips" }, ...(newestFirst ? [...events].reverse() : events).map(eventChip)));
}

function historyCard(journey, newestFirst = false) {
  const order = newestFirst ? "newest first" : "oldest first";
  const runs = stretches(journey.events);
  const strip = journey.events.map((event) => el("span", { class: "tinted", ...tint(event.intent) }));
  const timeline = el("ol", { class: "timeline", tabindex: "0", "aria-label": `Events, ${order}` },
    ...(newestFirst ? [...runs].reverse() : runs).map((run) => stretch(run, newestFirst)));
  const shown = journey.events.length, all = journey.total ?? shown;
  const counted = all > shown ? `the newest ${shown} of ${plural(all, "event", "events")}` : plural(shown, "event", "events");
  return el("div", { class: "card" }, el("h3", {}, `History, ${counted}, ${order}`),
    el("div", { class: "strip", "aria-hidden": "true" }, ...strip), timeline);
}

function intentLine(intent, note, part) {
  return el("li", {}, el("div", { class: "line" }, swatch(intent), el("a", { class: "cut", dir: "auto", href: `#intent-${intent}` }, nameOf(intent)), el("span", { class: "number" }, note)),
    track(part, { class: "fill tinted", ...tint(intent) }));
}

function mixCard(journey) {
  const most = Math.max(...journey.intents.map(({ weight }) => weight), 1e-9);
  const lines = journey.intents.map(({ intent, weight }) => intentLine(intent, roundPercent(weight), weight / most));
  return el("div", { class: "card" }, el("h3", {}, "Intents now"), el("ul", { class: "bars" }, ...lines));
}

const plainWeight = 0.01;

// Weights of a hundredth say nothing, nor do weights that are all alike.
const areEven = ([top]) => top.weight < 1.5 / report.health.n_intents;
const near = (intents) => intents.filter(({ weight }, place) => place === 0 || weight >= plainWeight);

function nowPart(journey) {
  const top = journey.intents[0];
  if (!top) return [];
  const even = areEven(journey.intents);
  const shown = even ? [] : near(journey.intents);
  const sentence = even ? `No intent stands out: all are about equally near. The nearest is “${nameOf(top.intent)}”.`
    : shown.length === 1 ? "No other intent comes near." : null;
  return [...mixCard({ ...journey, intents: shown }).children, sentence && el("p", { class: "hint", dir: "auto" }, sentence)].filter(Boolean);
}

function sharesPart({ shares }) {
  if (!shares?.length) return [];
  const lines = shares.map(({ intent, share }) => intentLine(intent, roundPercent(share), share));
  return [el("h3", {}, "Over the whole history"), el("p", { class: "hint" }, "Share of the events after which the intent was the nearest."), el("ul", { class: "bars" }, ...lines)];
}

function scoreParts(recommendation) {
  const parts = (recommendation.parts ?? []).map(({ intent, part: value }) => ({ intent, value, label: nameOf(intent) }));
  if (known(recommendation.residual)) parts.push({ intent: null, value: recommendation.residual, label: "everything else" });
  if (recommendation.steering) parts.push({ intent: null, value: recommendation.steering, label: "steering" });
  if (recommendation.repeat) parts.push({ intent: null, value: recommendation.repeat, label: "taken before" });
  return parts;
}

function stackedScore(parts) {
  const total = parts.reduce((sum, { value }) => sum + Math.abs(value), 0) || 1;
  const kind = ({ intent, value }) => `${intent === null ? "rest" : "tinted"}${value < 0 ? " minus" : ""}`;
  return el("div", { class: "stack", role: "img", "aria-label": `Score: ${parts.map(({ label, value }) => `${label} ${fixed(value, 2)}`).join(", ")}` },
    ...parts.map((piece) => el("span", { class: kind(piece), title: `${piece.label} ${fixed(piece.value, 2)}`, "--part": width(Math.abs(piece.value) / total),
      ...(piece.intent === null ? {} : tint(piece.intent)) })));
}

function partLine({ intent, value, label }) {
  const dot = intent === null ? el("span", { class: "swatch rest", "aria-hidden": "true" }) : swatch(intent);
  return el("li", {}, dot, cut(label), el("span", { class: "number" }, fixed(value, 2)));
}

// Below this part of all that moves the score, an intent explains nothing.
const leastPart = 0.05;

const partSize = (parts, value) => Math.abs(value) / (parts.reduce((sum, one) => sum + Math.abs(one.value), 0) || 1);

function resemblanceText({ like, shared }) {
  if (!like) return null;
  return `${shared?.length ? `${shared.join(", ")}: like` : "Like"} ${labelOf(like)}, which they had.`;
}

function ownReason(recommendation, parts) {
  const largest = Math.max(...parts.map(({ value }) => value));
  const again = recommendation.repeat > 0 && recommendation.repeat === largest ? "Taken before, and often taken again." : null;
  return [again, resemblanceText(recommendation)].filter(Boolean);
}

function intentReason({ intent, rank, rank_without: without }, parts) {
  const part = parts.find((one) => one.intent !== null && one.intent === intent);
  if (!part || partSize(parts, part.value) < leastPart) return "Not explained by the intents.";
  const name = `“${nameOf(intent)}”`;
  if (!known(without)) return `Fits ${name}.`;
  return without === rank ? `Fits ${name}; without it the rank would stay ${rank}.` : `Fits ${name}; without it the rank would be ${whole(without)} instead of ${rank}.`;
}

function scoreDetails(recommendation, parts) {
  const { title, item, score } = recommendation;
  return el("details", {}, el("summary", {}, "How the score adds up", el("span", { class: "unseen" }, ` for ${labelOf(recommendation)}`)),
    stackedScore(parts), el("ul", { class: "parts" }, ...parts.filter(({ value }) => Math.abs(value) >= 0.005).map(partLine),
      el("li", { class: "total" }, el("span", {}, "score"), el("span", { class: "number" }, fixed(score, 2)))),
    known(title) ? el("p", { class: "hint" }, `Item ${item}`) : null);
}

function recommendationCard(recommendation) {
  const parts = scoreParts(recommendation);
  const name = labelOf(recommendation);
  return el("li", { class: "card recommendation" },
    el("div", { class: "rec-top" }, el("span", { class: "rank", "aria-label": `Rank ${recommendation.rank}` }, String(recommendation.rank)),
      el("h3", { class: "two-lines", dir: "auto", title: name }, name)),
    ...ownReason(recommendation, parts).map((text) => el("p", { class: "why", dir: "auto" }, text)),
    el("p", { class: "why muted", dir: "auto" }, intentReason(recommendation, parts)), scoreDetails(recommendation, parts));
}

// What an intent rests on is the same for all cards, so it is said once.
function evidenceLine(journey) {
  const shown = new Map();
  for (const { intent, because, because_titles: titles } of journey.recommendations) {
    if (known(intent) && because?.length) shown.set(intent, because.map((item, place) => labelOf({ item, title: titles?.[place] })));
  }
  const sentences = [...shown].map(([intent, items]) => `“${nameOf(intent)}” rests most on ${listed(items)}.`);
  return sentences.length ? el("p", { class: "intro", dir: "auto" }, sentences.join(" ")) : null;
}

function journeyParts(journey) {
  return [
    el("div", { class: "journey-top" }, historyCard(journey), el("div", { class: "card wants" }, ...nowPart(journey), ...sharesPart(journey))),
    heading("Recommended next"), evidenceLine(journey),
    el("ol", { class: "recommendations" }, ...journey.recommendations.map(recommendationCard)),
  ].filter(Boolean);
}

function showJourney(journey) {
  const mine = [...journey.intents, ...(journey.shares ?? []), ...journey.events].map(({ intent }) => intent);
  byId("journey-user").value = String(journey.user);
  byId("journey").dataset.user = journey.user;
  byId("journey").replaceChildren(...withColours(mine, () => journeyParts(journey)));
}

function createJourneys() {
  if (!report.journeys.length) {
    byId("journey-choice").hidden = true;
    byId("journey").replaceChildren(el("p", { class: "card muted" }, "This report has no example users."));
    return;
  }
  const users = [...journeyOf.keys()];
  const select = byId("journey-user");
  const open = (user) => { location.hash = `user-${encodeURIComponent(user)}`; };
  const step = (by) => open(users[(users.indexOf(select.value) + by + users.length) % users.length]);
  select.append(...report.journeys.map((journey) => {
    const main = journey.intents[0] ? ` · ${nameOf(journey.intents[0].intent)}` : "";
    return el("option", { value: journey.user }, `${journey.user} · ${plural(journey.total ?? journey.events.length, "event", "events")}${main}`);
  }));
  select.addEventListener("change", () => open(select.value));
  byId("journey-previous").addEventListener("click", () => step(-1));
  byId("journey-next").addEventListener("click", () => step(1));
  showJourney(report.journeys[0]);
}
