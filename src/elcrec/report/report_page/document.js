/* What the page shows, and ways to find things in it. */

const report = JSON.parse(document.getElementById("report-data").textContent);
const intentOf = new Map(report.intents.map((intent) => [intent.intent, intent]));
const journeyOf = new Map(report.journeys.map((journey) => [String(journey.user), journey]));
const bySize = [...report.intents].sort((a, b) => b.users - a.users || a.intent - b.intent);
const rankOf = new Map(bySize.map((intent, position) => [intent.intent, position + 1]));
const rowsAtOnce = 50;
