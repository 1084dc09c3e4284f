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

function stretch({ intent, events }) {
  const [first, last] = [events[0].time, events[events.length - 1].time];
  const when = first === last ? first : `${first} – ${last}`;
  const link = el("a", { class: "cut", dir: "auto", href: `#intent-${intent}` }, nameOf(intent));
  return el("li", { class: "run tinted", ...tint(intent) },
    el("div", { class: "run-head" }, link, known(first) ? el("span", { class: "when" }, when) : null),
    el("ol", { class: "chips" }, ...events.map(eventChip)));
}

function historyCard(journey) {
  const strip = journey.events.map((event) => el("span", { class: "tinted", ...tint(event.intent) }));
  const timeline = el("ol", { class: "timeline", tabindex: "0", "aria-label": "Events, oldest first" }, ...stretches(journey.events).map(stretch));
  const shown = journey.events.length, all = journey.total ?? shown;
  const counted = all > shown ? `the newest ${shown} of ${plural(all, "event", "events")}` : plural(shown, "event", "events");
  return el("div", { class: "card" }, el("h3", {}, `History, ${counted}, oldest first`),
    el("div", { class: "strip", "aria-hidden": "true" }, ...strip), timeline);
}

function mixCard(journey) {
  const most = Math.max(...journey.intents.map(({ weight }) => weight), 1e-9);
  const lines = journey.intents.map(({ intent, weight }) =>
    el("li", {}, el("div", { class: "line" }, swatch(intent), el("a", { class: "cut", dir: "auto", href: `#intent-${intent}` }, nameOf(intent)), el("span", { class: "number" }, roundPercent(weight))),
      track(weight / most, { class: "fill tinted", ...tint(intent) })));
  return el("div", { class: "card" }, el("h3", {}, "Intents now"), el("ul", { class: "bars" }, ...lines));
}

function scoreParts(recommendation) {
  const parts = (recommendation.parts ?? []).map(({ intent, part: value }) => ({ intent, value, label: nameOf(intent) }));
  if (known(recommendation.residual)) parts.push({ intent: null, value: recommendation.residual, label: "residual" });
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

function whySentence(recommendation, titles) {
  const known_ = recommendation.because_titles ?? [];
  const because = (recommendation.because ?? []).map((item, place) => known_[place] ?? titles.get(item) ?? String(item));
  const clauses = because.length ? [`Because of ${because.join(" and ")}`] : [];
  const { repeat, score } = recommendation;
  if (repeat > 0 && score > 0) clauses.unshift(`Taken before: ${roundPercent(repeat / score)} of the score`);
  if (known(recommendation.intent) && known(recommendation.intent_share)) {
    clauses.push(`${roundPercent(recommendation.intent_share)} of the score comes from “${nameOf(recommendation.intent)}”`);
    const { rank, rank_without: without } = recommendation;
    if (known(without)) clauses.push(without === rank ? `without this intent the rank stays ${rank}` : `without this intent the rank is ${whole(without)} instead of ${rank}`);
  }
  return clauses.join(" · ");
}

function recommendationCard(recommendation, titles) {
  const parts = scoreParts(recommendation);
  const name = labelOf(recommendation);
  const id = known(recommendation.title) ? `${recommendation.item} · ` : "";
  return el("li", { class: "card recommendation" },
    el("div", { class: "rec-top" }, el("span", { class: "rank", "aria-label": `Rank ${recommendation.rank}` }, String(recommendation.rank)),
      el("div", {}, el("h3", { class: "two-lines", dir: "auto", title: name }, name), el("p", { class: "tag cut" }, `${id}score ${fixed(recommendation.score, 2)}`))),
    stackedScore(parts), el("ul", { class: "parts" }, ...parts.map(partLine)),
    el("p", { class: "why", dir: "auto" }, whySentence(recommendation, titles)));
}

function showJourney(journey) {
  const titles = new Map(journey.events.map((event) => [event.item, labelOf(event)]));
  byId("journey-user").value = String(journey.user);
  byId("journey").dataset.user = journey.user;
  byId("journey").replaceChildren(
    el("div", { class: "journey-top" }, historyCard(journey), mixCard(journey)),
    heading("Recommended next"),
    el("ol", { class: "recommendations" }, ...journey.recommendations.map((one) => recommendationCard(one, titles))));
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
