/* Start: load the model card, the intents and example users, then follow the address. */

function follow() {
  const [, kind, value] = /^#(intent|user)-(.+)$/.exec(location.hash) ?? [];
  if (kind === "user") {
    let user = value;
    try { user = decodeURIComponent(value); } catch { return; }
    content();
    become(user, []);
    byId("person-name").focus({ preventScroll: true });
    scrollIfHidden(byId("next"));
  } else if (kind === "intent" && /^\d+$/.test(value)) showIntentPage(Number(value));
  else if (location.hash === "#intents" || location.hash === "#explore") closeIntentPage();
}

function showModel(model) {
  byId("learnt-from").textContent = `${plural(model.n_intents, "intent", "intents")} learned from ${plural(model.n_events, "event", "events")} of ` +
    `${plural(model.n_users, "user", "users")} with ${plural(model.n_items, "item", "items")}.`;
  byId("recipe").textContent = `Recipe ${model.recipe} · model ${model.version}`;
  const pictures = model.pictures ? " Pictures come from the addresses that the catalogue names." : "";
  byId("made").textContent = `Served by elcrec ${model.elcrec}. This page sends requests to its own server only.${pictures}`;
  report.health = { n_intents: model.n_intents };
  canWrite = !model.read_only;
  mostHistory = model.max_history;
  mostListed = model.max_k;
  choose("seen", model.exclude_seen ? "new" : "both");
  createComparison(model);
}

function showExamples(examples) {
  byId("examples").hidden = !examples.length;
  byId("example-list").replaceChildren(...examples.map(({ user_id: user, intent }) =>
    el("li", {}, el("a", { class: "person cut", href: `#user-${encoded(user)}`, title: nameOf(intent), "aria-label": `User ${user}`, "data-user": user }, String(user)))));
}

async function begin() {
  showBones();
  const slow = setTimeout(() => { byId("list-note").textContent = "The server has just started and is describing the intents …"; }, 3000);
  try {
    showModel(await ask("GET", "/v1/model"));
    await loadIntents();
    const { examples } = await ask("GET", "/v1/examples");
    showExamples(examples);
    content();
    clearTimeout(slow);
    if (!location.hash.startsWith("#user-")) become(examples[0]?.user_id ?? null, [], true);
    follow();
    document.body.dataset.ready = "yes";
    // The map is computed when it is first scrolled into view.
    new IntersectionObserver((seen, watcher) => {
      if (!seen.some((one) => one.isIntersecting)) return;
      watcher.disconnect();
      showMap();
    }).observe(byId("intents"));
  } catch (error) {
    clearTimeout(slow);
    byId("screen").hidden = true;
    complain(error);
  }
}

byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  memory.setItem("elcrec-key", byId("key").value);
  byId("key-form").hidden = true;
  byId("screen").hidden = false;
  begin();
});
byId("steering").open = window.matchMedia("(min-width: 761px)").matches;
createSearches();
window.addEventListener("hashchange", follow);
begin();
