/* Put everything in place and follow the address. */

// The address says what is open, so that back, forward and shared links work.
function follow(map, moved) {
  const [, kind, value] = /^#(intent|user)-(.+)$/.exec(location.hash) ?? [];
  if (kind === "user") {
    const journey = report.journeys.find(({ user }) => encodeURIComponent(user) === value);
    if (!journey) return;
    showJourney(journey);
    scrollIfHidden(byId("journey-choice"));
  } else if (kind === "intent" || location.hash === "" || location.hash === "#explore") {
    const intent = intentOf.get(Number(value)) ?? null;
    if (!moved && !intent) return;
    showIntent(intent);
    map.choose(intent ? intent.intent : null);
  }
}

showHeader();
showMapTexts();
createTable();
createJourneys();
showTraining();
const map = createMap(byId("map"), byId("map-tip"));
window.addEventListener("hashchange", () => follow(map, true));
follow(map, false);
