/* Start: load the model card and the intents, then follow the address. */

function follow() {
  const [, kind, value] = /^#(intent|user)-(.+)$/.exec(location.hash) ?? [];
  if (kind === "user") {
    let user = value;
    try { user = decodeURIComponent(value); } catch { return; }
    content();
    become(user, []);
    byId("person-name").focus({ preventScroll: true });
    scrollIfHidden(byId("person"));
  } else if (kind === "intent" && /^\d+$/.test(value)) showIntentPage(Number(value));
  else if (location.hash === "#intents" || location.hash === "#explore") closeIntentPage();
}

async function begin() {
  try {
    const model = await ask("GET", "/v1/model");
    byId("learnt-from").textContent = `${plural(model.n_intents, "intent", "intents")} learned from ${plural(model.n_events, "event", "events")} of ` +
      `${plural(model.n_users, "user", "users")} with ${plural(model.n_items, "item", "items")}.`;
    byId("recipe").textContent = `Recipe ${model.recipe} · model ${model.version}`;
    byId("made").textContent = `Served by elcrec ${model.elcrec}. This page sends requests to its own server only.`;
    canWrite = !model.read_only;
    mostHistory = model.max_history;
    mostListed = model.max_k;
    byId("seen").value = model.exclude_seen ? "new" : "both";
    await loadIntents();
    content();
    follow();
    document.body.dataset.ready = "yes";
    // The map is computed when it is first scrolled into view.
    new IntersectionObserver((seen, watcher) => {
      if (!seen.some((one) => one.isIntersecting)) return;
      watcher.disconnect();
      showMap();
    }).observe(byId("intents"));
  } catch (error) { complain(error); }
}

byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  memory.setItem("elcrec-key", byId("key").value);
  byId("key-form").hidden = true;
  begin();
});
createSearches();
window.addEventListener("hashchange", follow);
begin();
