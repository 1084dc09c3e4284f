(() => {
  "use strict";

  const report = JSON.parse(document.getElementById("report-data").textContent);
  const intentOf = new Map(report.intents.map((intent) => [intent.intent, intent]));
  const journeyOf = new Map(report.journeys.map((journey) => [String(journey.user), journey]));
  const bySize = [...report.intents].sort((a, b) => b.users - a.users || a.intent - b.intent);
  const rankOf = new Map(bySize.map((intent, position) => [intent.intent, position + 1]));
  const rowsAtOnce = 50;

  /* ---------- small helpers ---------- */

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
  const labelOf = (thing) => String(known(thing.title) ? thing.title : thing.item);
  const roundPercent = (value) => `${Math.round(value * 100)}%`;

  // The golden angle keeps hues of any number of intents apart; three shades separate near hues further.
  const hue = (number) => (number * 137.508) % 360;
  const shade = (number) => ((number % 3) - 1) * 0.075;
  const tint = (number) => ({ "--hue": hue(number).toFixed(1), "--shade": shade(number) });
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

  /* ---------- header and footer ---------- */

  function headlineMetric(name) {
    for (const [part, label] of [["test", "test"], ["valid", "validation"]]) {
      const value = report.model.metrics?.[part]?.[name];
      if (known(value)) return { label: `${name}, ${label}`, value: value.toFixed(4) };
    }
    return null;
  }

  function keyFigures() {
    const health = report.health;
    return [
      { ...headlineMetric("ndcg@20"), note: "next item near the top" },
      { ...headlineMetric("hit_rate@5"), note: "next item among five" },
      { label: "intents in use", value: `${health.used} of ${health.n_intents}`, note: "by at least one user" },
      { label: "effective intents", value: fixed(health.effective, 0), note: "if equally large" },
      { label: "largest intent", value: percent(health.largest_share), note: "share of all users" },
    ].filter((figure) => figure.value);
  }

  function showHeader() {
    const model = report.model;
    document.title = `${report.title} · intents`;
    byId("title").textContent = byId("bar-title").textContent = report.title;
    const dates = model.first && model.last ? `, ${model.first} to ${model.last}` : "";
    byId("learnt-from").textContent =
      `${plural(report.health.n_intents, "intent", "intents")} learnt from ${plural(model.n_events, "event", "events")} of ` +
      `${plural(model.n_users, "user", "users")} with ${plural(model.n_items, "item", "items")}${dates}.`;
    const origin = known(model.imported_from) ? `weights imported from ${model.imported_from}` : `seed ${model.seed}`;
    const best = known(model.best_epoch) && known(model.epochs) ? ` · best epoch ${model.best_epoch} of ${model.epochs}` : "";
    byId("recipe").textContent = `Recipe ${model.recipe} · ${origin}${best}`;
    byId("figures").append(
      ...keyFigures().map(({ label, value, note }) =>
        el("li", {}, el("span", { class: "label" }, label), el("span", { class: "value" }, value), el("span", { class: "note" }, note))
      )
    );
    if (report.health.warning) {
      byId("warning").append(el("strong", {}, "Read this report with care"), report.health.warning);
      byId("warning").hidden = false;
    }
    byId("made").textContent = `Made with elcrec ${report.elcrec} on ${report.made}. This page is complete in itself: it loads nothing.`;
  }

  /* ---------- map ---------- */

  function decode(text) {
    const raw = atob(text);
    const bytes = Uint8Array.from(raw, (character) => character.charCodeAt(0));
    return new Uint16Array(bytes.buffer);
  }

  // Dots of an intent lie side by side, so that drawing changes colour once an intent.
  function groupedDots() {
    const [x, y, owner] = [decode(report.map.x), decode(report.map.y), decode(report.map.intent)];
    const order = Uint32Array.from(owner.keys()).sort((a, b) => owner[a] - owner[b]);
    const dots = { x: new Float32Array(owner.length), y: new Float32Array(owner.length), owner: new Uint16Array(owner.length), runs: [] };
    order.forEach((from, to) => {
      dots.x[to] = x[from] / 65535;
      dots.y[to] = y[from] / 65535;
      dots.owner[to] = owner[from];
      if (to === 0 || owner[from] !== dots.owner[to - 1]) dots.runs.push({ intent: owner[from], start: to, end: to });
      dots.runs[dots.runs.length - 1].end = to + 1;
    });
    return dots;
  }

  function createMap(canvas, tip) {
    const context = canvas.getContext("2d");
    const dots = groupedDots();
    const centres = bySize.filter((intent) => intent.users > 0);
    const largestShare = Math.max(...centres.map((intent) => intent.share), 1e-9);
    const pointers = new Map();
    const margin = 28;
    const maxZoom = 30;
    const view = { width: 0, height: 0, side: 1, zoom: 1, left: 0, top: 0 };
    let theme = null;
    let chosen = null;
    let travelled = 0;
    let waiting = false;

    const toX = (x) => view.left + x * view.side * view.zoom;
    const toY = (y) => view.top + y * view.side * view.zoom;
    const inView = (x, y, slack) => x > -slack && y > -slack && x < view.width + slack && y < view.height + slack;
    const centreRadius = (intent) => (3 + 5 * Math.sqrt(intent.share / largestShare)) * Math.sqrt(Math.min(1, view.side / 640)) * Math.min(1.6, view.zoom ** 0.25);

    function readTheme() {
      const style = getComputedStyle(document.documentElement);
      const read = (name) => style.getPropertyValue(name).trim();
      const [lightness, chroma] = [Number(read("--tint-l")), read("--tint-c")];
      const colour = (number) => `oklch(${lightness + shade(number)} ${chroma} ${hue(number)})`;
      const numbers = [...intentOf.keys(), ...dots.runs.map((run) => run.intent)];
      theme = { ink: read("--ink"), surface: read("--surface"), grey: read("--grey-dot"), faint: read("--faint-ring"), font: getComputedStyle(document.body).fontFamily,
        colours: new Map(numbers.map((number) => [number, colour(number)])) };
    }

    function traceDots(run, radius) {
      for (let index = run.start; index < run.end; index += 1) {
        const [x, y] = [toX(dots.x[index]), toY(dots.y[index])];
        if (!inView(x, y, radius)) continue;
        context.moveTo(x + radius, y);
        context.arc(x, y, radius, 0, 2 * Math.PI);
      }
    }

    function fillDots(runs, colour, radius, alpha) {
      context.globalAlpha = alpha;
      context.fillStyle = colour;
      context.beginPath();
      runs.forEach((run) => traceDots(run, radius));
      context.fill();
      context.globalAlpha = 1;
    }

    function dotRadius() {
      const density = view.side / Math.sqrt(Math.max(dots.owner.length, 1));
      return Math.max(1.1, Math.min(2.6, 0.36 * density)) * Math.min(2.4, Math.sqrt(view.zoom));
    }

    function drawCentre(intent, faint) {
      const [x, y, radius] = [toX(intent.x), toY(intent.y), centreRadius(intent)];
      if (!inView(x, y, radius + 4)) return;
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.fillStyle = faint ? theme.grey : theme.colours.get(intent.intent);
      context.fill();
      context.lineWidth = 3;
      context.strokeStyle = theme.surface;
      context.stroke();
      context.lineWidth = 1;
      context.strokeStyle = faint ? theme.faint : theme.ink;
      context.stroke();
    }

    function labelBox(intent) {
      const text = intent.name.length > 24 ? `${[...intent.name].slice(0, 23).join("")}…` : intent.name;
      const half = context.measureText(text).width / 2 + 4;
      const x = Math.min(view.width - half, Math.max(half, toX(intent.x)));
      const base = toY(intent.y) - centreRadius(intent) - 7;
      return { text, x, base, left: x - half, right: x + half, top: base - 13, bottom: base + 5 };
    }

    const overlap = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

    // Largest first; a label that would cover another waits until somebody zooms in.
    function drawLabels() {
      context.font = `600 12px ${theme.font}`;
      context.textAlign = "center";
      context.lineWidth = 4;
      context.lineJoin = "round";
      context.strokeStyle = theme.surface;
      context.fillStyle = theme.ink;
      const most = Math.round((view.width / 65) * view.zoom);
      const placed = [];
      for (const intent of chosen === null ? centres : [intentOf.get(chosen)]) {
        if (placed.length >= most) break;
        if (!inView(toX(intent.x), toY(intent.y), 0)) continue;
        const box = labelBox(intent);
        if (placed.some((other) => overlap(box, other))) continue;
        placed.push(box);
        context.strokeText(box.text, box.x, box.base);
        context.fillText(box.text, box.x, box.base);
      }
    }

    function drawAll(radius) {
      dots.runs.forEach((run) => fillDots([run], theme.colours.get(run.intent), radius, 0.72));
      for (let index = centres.length - 1; index >= 0; index -= 1) drawCentre(centres[index], false);
    }

    function drawChosen(radius) {
      fillDots(dots.runs.filter((run) => run.intent !== chosen), theme.grey, radius, 0.8);
      centres.forEach((intent) => drawCentre(intent, true));
      fillDots(dots.runs.filter((run) => run.intent === chosen), theme.colours.get(chosen), radius * 1.3, 0.95);
      drawCentre(intentOf.get(chosen), false);
    }

    function draw() {
      waiting = false;
      context.clearRect(0, 0, view.width, view.height);
      if (chosen === null) drawAll(dotRadius());
      else drawChosen(dotRadius());
      drawLabels();
      canvas.style.touchAction = view.zoom > 1 ? "none" : "pan-y";
    }

    function redraw() {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(draw);
    }

    function reset() {
      view.zoom = 1;
      view.side = Math.max(1, Math.min(view.width, view.height) - 2 * margin);
      view.left = (view.width - view.side) / 2;
      view.top = (view.height - view.side) / 2;
      redraw();
    }

    function resize() {
      const [wide, high, ratio] = [canvas.clientWidth, canvas.clientHeight, window.devicePixelRatio || 1];
      if (!wide || (wide === view.width && high === view.height && ratio === view.ratio)) return;
      Object.assign(view, { width: wide, height: high, ratio });
      canvas.width = Math.round(wide * ratio);
      canvas.height = Math.round(high * ratio);
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      reset();
    }

    // The middle of the window stays on the map, so nobody gets lost.
    function move(left, top) {
      const extent = view.side * view.zoom;
      view.left = Math.min(view.width / 2, Math.max(view.width / 2 - extent, left));
      view.top = Math.min(view.height / 2, Math.max(view.height / 2 - extent, top));
      redraw();
    }

    function zoomAt(x, y, factor) {
      const zoom = Math.min(maxZoom, view.zoom * factor);
      if (zoom <= 1) return reset();
      const ratio = zoom / view.zoom;
      view.zoom = zoom;
      move(x - (x - view.left) * ratio, y - (y - view.top) * ratio);
    }

    const zoomMiddle = (factor) => zoomAt(view.width / 2, view.height / 2, factor);

    function intentAt(x, y) {
      const away = (cx, cy) => Math.hypot(toX(cx) - x, toY(cy) - y);
      let [best, nearest] = [null, Infinity];
      for (const intent of centres) {
        const distance = away(intent.x, intent.y);
        if (distance < nearest && distance < centreRadius(intent) + 3) [best, nearest] = [intent.intent, distance];
      }
      if (best !== null) return best;
      nearest = 9;
      for (let index = 0; index < dots.owner.length; index += 1) {
        const distance = away(dots.x[index], dots.y[index]);
        if (distance < nearest) [best, nearest] = [dots.owner[index], distance];
      }
      return best;
    }

    function place(event) {
      const box = canvas.getBoundingClientRect();
      return { x: event.clientX - box.left, y: event.clientY - box.top };
    }

    function hover(point) {
      const number = intentAt(point.x, point.y);
      canvas.classList.toggle("pointing", number !== null);
      tip.hidden = number === null;
      if (number === null) return;
      const intent = intentOf.get(number);
      tip.replaceChildren(el("b", { dir: "auto" }, nameOf(number)), intent ? sizeText(intent) : "");
      const x = Math.max(4, Math.min(point.x + 14, view.width - tip.offsetWidth - 6));
      const y = point.y + 18 + tip.offsetHeight < view.height ? point.y + 18 : point.y - tip.offsetHeight - 10;
      tip.style.transform = `translate(${x}px, ${y}px)`;
    }

    function onDown(event) {
      canvas.setPointerCapture(event.pointerId);
      if (pointers.size === 0) travelled = 0;
      pointers.set(event.pointerId, place(event));
      tip.hidden = true;
    }

    function pinch(before, after, other) {
      const spread = (point) => Math.hypot(point.x - other.x, point.y - other.y) || 1;
      zoomAt((after.x + other.x) / 2, (after.y + other.y) / 2, spread(after) / spread(before));
    }

    function onMove(event) {
      const after = place(event);
      const before = pointers.get(event.pointerId);
      if (!before) return event.pointerType === "mouse" && hover(after);
      travelled += Math.hypot(after.x - before.x, after.y - before.y);
      pointers.set(event.pointerId, after);
      const other = [...pointers].find(([id]) => id !== event.pointerId);
      if (other) return pinch(before, after, other[1]);
      if (travelled < 5) return;
      canvas.classList.add("dragging");
      if (view.zoom > 1 || event.pointerType === "mouse") move(view.left + after.x - before.x, view.top + after.y - before.y);
    }

    function onUp(event) {
      const point = place(event);
      const wasDown = pointers.delete(event.pointerId);
      canvas.classList.remove("dragging");
      if (!wasDown || event.type !== "pointerup" || travelled >= 5 || pointers.size) return;
      const number = intentAt(point.x, point.y);
      if (number !== null && intentOf.has(number)) location.hash = `intent-${number}`;
      else if (chosen !== null) location.hash = "explore";
    }

    // Without a click first, the wheel belongs to whoever scrolls the page past the map.
    function onWheel(event) {
      if (!event.ctrlKey && document.activeElement !== canvas) return;
      event.preventDefault();
      const { x, y } = place(event);
      zoomAt(x, y, Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.002) * (event.ctrlKey ? 4 : 1)));
    }

    function onKey(event) {
      const actions = {
        ArrowLeft: () => move(view.left + 60, view.top), ArrowRight: () => move(view.left - 60, view.top),
        ArrowUp: () => move(view.left, view.top + 60), ArrowDown: () => move(view.left, view.top - 60),
        "+": () => zoomMiddle(1.4), "=": () => zoomMiddle(1.4), "-": () => zoomMiddle(1 / 1.4), 0: reset,
      };
      if (!actions[event.key] || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      actions[event.key]();
    }

    function choose(number) {
      chosen = number;
      const intent = intentOf.get(number);
      if (intent && !inView(toX(intent.x), toY(intent.y), 0)) reset();
      redraw();
    }

    function listen() {
      canvas.addEventListener("pointerdown", onDown);
      canvas.addEventListener("pointermove", onMove);
      canvas.addEventListener("pointerup", onUp);
      canvas.addEventListener("pointercancel", onUp);
      canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
      canvas.addEventListener("wheel", onWheel, { passive: false });
      canvas.addEventListener("keydown", onKey);
      byId("map-in").addEventListener("click", () => zoomMiddle(1.6));
      byId("map-out").addEventListener("click", () => zoomMiddle(1 / 1.6));
      byId("map-reset").addEventListener("click", reset);
      window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readTheme(); redraw(); });
      new ResizeObserver(resize).observe(canvas);
    }

    readTheme();
    resize();
    listen();
    return { choose };
  }

  function showMapTexts() {
    const [shown, all] = [report.map.n, report.model.n_users];
    if (shown < all) byId("map-sample").textContent = `Shown are ${whole(shown)} of the ${whole(all)} users.`;
    byId("largest-list").append(...bySize.slice(0, 14).map((intent) => el("li", {}, intentLink(intent.intent, percent(intent.share)))));
  }

  /* ---------- one intent ---------- */

  const flagMeanings = {
    dead: "No user follows this intent.",
    duplicate: "Its centre almost coincides with another intent's.",
    dominant: "It holds far more users than an intent should.",
  };

  function sizeText(intent) {
    return `${plural(intent.users, "user", "users")} · ${percent(intent.share)} of all`;
  }

  function cohesionText(intent) {
    if (!known(intent.cosine)) return "There are no users to judge it by.";
    const tight = intent.cosine >= 0.8 ? "very much alike" : intent.cosine >= 0.6 ? "alike" : "rather mixed";
    const first = `Its users are ${tight}: mean cosine ${fixed(intent.cosine, 2)} to the centre (1 is identical).`;
    if (!known(intent.margin)) return first;
    const apart = intent.margin >= 0.1 ? "clearly set apart from" : intent.margin >= 0.03 ? "set apart from" : "hard to tell from";
    return `${first} They are ${apart} the next intent: ${fixed(intent.margin, 2)} closer to their own centre.`;
  }

  function itemBars(intent) {
    const most = Math.max(...intent.items.map((item) => item.lift), 1e-9);
    const bars = intent.items.map((item) =>
      barLine(labelOf(item), `${times(item.lift)} · ${plural(item.users, "user", "users")}`, item.lift / most, { class: "fill tinted", ...tint(intent.intent) }));
    return el("ol", { class: "bars", id: "intent-items" }, ...bars);
  }

  function attributeBars(intent) {
    const bars = intent.attributes.map(({ attribute, share, lift }) =>
      barLine(String(attribute), `${percent(share)} · ${times(lift)}`, share, { class: "fill tinted", ...tint(intent.intent) }));
    return el("ul", { class: "bars" }, ...bars);
  }

  function sparkline(intent) {
    const [wide, high, top] = [360, 72, Math.max(...intent.trend, 1e-9)];
    const at = intent.trend.map((value, index) => [(index / Math.max(intent.trend.length - 1, 1)) * wide, high - 4 - (value / top) * (high - 12)]);
    const line = at.map((point) => point.map((value) => value.toFixed(1)).join(",")).join(" L");
    const peak = intent.trend.indexOf(Math.max(...intent.trend));
    const labels = report.trend_labels;
    const picture = svg("svg", { viewBox: `0 0 ${wide} ${high}`, class: "spark tinted", role: "img", ...tint(intent.intent),
      "aria-label": `Share of events over time, highest ${percent(intent.trend[peak])}${labels ? ` in ${labels[peak]}` : ""}` },
      svg("path", { class: "area", d: `M0,${high} L${line} L${wide},${high} Z` }), svg("path", { class: "stroke", d: `M${line}` }),
      svg("circle", { cx: at[peak][0], cy: at[peak][1], r: 4.5 }));
    const ends = labels && el("div", { class: "spark-ends" }, el("span", {}, labels[0]),
      el("span", {}, `highest ${percent(intent.trend[peak])} in ${labels[peak]}`), el("span", {}, labels[labels.length - 1]));
    return el("div", {}, picture, ends);
  }

  function personLink(user) {
    const name = String(user);
    if (!journeyOf.has(name)) return el("span", { class: "person cut", dir: "auto", title: name }, name);
    return el("a", { class: "person cut", dir: "auto", title: `Journey of ${name}`, href: `#user-${encodeURIComponent(name)}` }, name);
  }

  function part(title, note, items, build) {
    return items?.length ? [heading(title, note), build()] : [];
  }

  function intentParts(intent) {
    const flags = intent.flags.map((flag) => el("p", { class: "flag-line" }, el("span", { class: "flag" }, flag), flagMeanings[flag] ?? ""));
    const rank = intent.users > 0 ? ` · number ${rankOf.get(intent.intent)} by size` : "";
    return [
      el("div", { class: "page-top" }, el("span", { class: "name-cell tag" }, swatch(intent.intent), `Intent ${intent.intent}`), el("a", { href: "#explore" }, "Close")),
      el("h3", { class: "page-name", id: "intent-name", dir: "auto", tabindex: "-1", title: intent.name }, intent.name),
      el("p", { class: "page-size muted" }, sizeText(intent) + rank),
      ...flags,
      ...part("Typical items", "times likelier than usual", intent.items, () => itemBars(intent)),
      ...part("Attributes", "share of its users, times the usual", intent.attributes, () => attributeBars(intent)),
      ...part("Over time", "share of all events", intent.trend, () => sparkline(intent)),
      heading("Cohesion"), el("p", {}, cohesionText(intent)),
      ...part("Nearest intents", "cosine, 1 is identical", intent.nearest, () =>
        el("ul", { class: "links" }, ...intent.nearest.map((near) => el("li", {}, intentLink(near.intent, fixed(near.cosine, 2)))))),
      ...part("Some of its users", "", intent.examples, () => el("div", { class: "people" }, ...intent.examples.map(personLink))),
    ];
  }

  function showIntent(intent) {
    const page = byId("intent-page");
    byId("largest").hidden = intent !== null;
    page.hidden = intent === null;
    page.dataset.intent = intent ? intent.intent : "";
    page.replaceChildren(...(intent ? intentParts(intent) : []));
    document.querySelectorAll("#intent-table tr.chosen").forEach((row) => row.classList.remove("chosen"));
    if (!intent) return;
    document.querySelector(`#intent-table tr[data-intent="${intent.intent}"]`)?.classList.add("chosen");
    const name = byId("intent-name");
    // Who is on the map goes on there: the wheel and the keys keep working.
    if (document.activeElement !== byId("map")) name.focus({ preventScroll: true });
    scrollIfHidden(name);
  }

  /* ---------- table of intents ---------- */

  const topItems = (intent) => intent.items.slice(0, 3).map(labelOf).join(", ");

  function nameCell(intent) {
    const link = el("a", { class: "cut", dir: "auto", title: intent.name, href: `#intent-${intent.intent}` }, intent.name);
    return el("span", { class: "name-cell" }, swatch(intent.intent), link, el("span", { class: "tag" }, `#${intent.intent}`));
  }

  function shareCell(intent) {
    const most = bySize[0].share || 1;
    return el("span", { class: "share-cell" }, el("span", {}, percent(intent.share)),
      track(intent.share / most, { class: "fill tinted", ...tint(intent.intent) }));
  }

  const columns = [
    { key: "name", label: "Intent", text: true, value: (intent) => intent.name.toLowerCase(), cell: nameCell },
    { key: "users", label: "Users", numeric: true, value: (intent) => intent.users, cell: (intent) => whole(intent.users) },
    { key: "share", label: "Share", value: (intent) => intent.share, cell: shareCell },
    { key: "items", label: "Typical items", text: true, value: (intent) => topItems(intent).toLowerCase(), cell: (intent) => el("div", { class: "cut", dir: "auto", title: topItems(intent) }, topItems(intent)) },
    { key: "cosine", label: "Cosine", numeric: true, value: (intent) => intent.cosine, cell: (intent) => fixed(intent.cosine, 2) },
    { key: "margin", label: "Margin", numeric: true, value: (intent) => intent.margin, cell: (intent) => fixed(intent.margin, 3) },
    { key: "flags", label: "Flags", value: (intent) => intent.flags.length, cell: (intent) => intent.flags.map((flag) => el("span", { class: "flag" }, flag)) },
  ];

  function haystack(intent) {
    const items = intent.items.flatMap((item) => [item.item, item.title ?? ""]);
    const attributes = (intent.attributes ?? []).map(({ attribute }) => attribute);
    return [intent.name, `#${intent.intent}`, ...items, ...attributes].join("\n").toLowerCase();
  }

  // Empty values come last whichever way the column is sorted.
  function compare(column, direction) {
    return (a, b) => {
      const [left, right] = [column.value(a), column.value(b)];
      if (!known(left) || !known(right)) return Number(!known(left)) - Number(!known(right));
      const order = column.text ? left.localeCompare(right) : left - right;
      return order * direction || a.intent - b.intent;
    };
  }

  function createTable() {
    const [body, search, more] = [document.querySelector("#intent-table tbody"), byId("intent-search"), byId("intent-more")];
    const rows = report.intents.map((intent) => ({ intent, words: haystack(intent) }));
    const sort = { column: columns[1], direction: -1 };
    let matching = [];

    function row(intent) {
      const cells = columns.map((column) => {
        const content = column.cell(intent);
        return el("td", { class: `c-${column.key}${column.numeric ? " numeric" : ""}` }, ...(Array.isArray(content) ? content : [content]));
      });
      const chosen = byId("intent-page").dataset.intent === String(intent.intent);
      return el("tr", { "data-intent": intent.intent, class: chosen ? "chosen" : null }, ...cells);
    }

    function addRows() {
      const from = body.childElementCount;
      body.append(...matching.slice(from, from + rowsAtOnce).map(row));
      const left = matching.length - body.childElementCount;
      more.hidden = left === 0;
      more.textContent = `Show ${Math.min(left, rowsAtOnce)} more of ${left}`;
    }

    function refresh() {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      matching = rows.filter((candidate) => words.every((word) => candidate.words.includes(word))).map(({ intent }) => intent);
      matching.sort(compare(sort.column, sort.direction));
      byId("intent-count").textContent = `${matching.length} of ${plural(rows.length, "intent", "intents")}`;
      byId("intent-none").hidden = matching.length > 0;
      body.replaceChildren();
      addRows();
    }

    function sortBy(column) {
      sort.direction = sort.column === column ? -sort.direction : column.text ? 1 : -1;
      sort.column = column;
      markSorted();
      refresh();
    }

    function markSorted() {
      columns.forEach((column) => {
        if (column === sort.column) column.header.setAttribute("aria-sort", sort.direction > 0 ? "ascending" : "descending");
        else column.header.removeAttribute("aria-sort");
      });
    }

    columns.forEach((column) => {
      const button = el("button", { type: "button" }, column.label);
      button.addEventListener("click", () => sortBy(column));
      column.header = el("th", { scope: "col", class: `c-${column.key}${column.numeric ? " numeric" : ""}` }, button);
    });
    document.querySelector("#intent-table thead tr").append(...columns.map((column) => column.header));
    search.addEventListener("input", refresh);
    more.addEventListener("click", addRows);
    body.addEventListener("click", (event) => {
      if (!event.target.closest("a")) location.hash = `intent-${event.target.closest("tr").dataset.intent}`;
    });
    markSorted();
    refresh();
  }

  /* ---------- journeys ---------- */

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
    return el("div", { class: "card" }, el("h3", {}, `History, ${plural(journey.events.length, "event", "events")}, oldest first`),
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
    return known(recommendation.residual) ? [...parts, { intent: null, value: recommendation.residual, label: "everything else" }] : parts;
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
    const because = (recommendation.because ?? []).map((item) => titles.get(item) ?? String(item));
    const clauses = because.length ? [`Because of ${because.join(" and ")}`] : [];
    if (known(recommendation.intent) && known(recommendation.intent_share)) {
      clauses.push(`${roundPercent(recommendation.intent_share)} of the score comes from “${nameOf(recommendation.intent)}”`);
      const { rank, rank_without: without } = recommendation;
      if (known(without)) clauses.push(without === rank ? `without it the rank stays ${rank}` : `without it rank ${whole(without)} instead of ${rank}`);
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
      byId("journey").replaceChildren(el("p", { class: "card muted" }, "This report shows no single users."));
      return;
    }
    const users = [...journeyOf.keys()];
    const select = byId("journey-user");
    const open = (user) => { location.hash = `user-${encodeURIComponent(user)}`; };
    const step = (by) => open(users[(users.indexOf(select.value) + by + users.length) % users.length]);
    select.append(...report.journeys.map((journey) => {
      const main = journey.intents[0] ? ` · ${nameOf(journey.intents[0].intent)}` : "";
      return el("option", { value: journey.user }, `${journey.user} · ${plural(journey.events.length, "event", "events")}${main}`);
    }));
    select.addEventListener("change", () => open(select.value));
    byId("journey-previous").addEventListener("click", () => step(-1));
    byId("journey-next").addEventListener("click", () => step(1));
    showJourney(report.journeys[0]);
  }

  /* ---------- training ---------- */

  function ticksBetween(low, high) {
    const rough = (high - low) / 4;
    const unit = 10 ** Math.floor(Math.log10(rough));
    const step = unit * [1, 2, 5, 10].find((multiple) => multiple * unit >= rough);
    const first = Math.ceil(low / step);
    return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, index) => (first + index) * step);
  }

  function powersBetween(low, high) {
    const exponents = Array.from({ length: 40 }, (_, index) => index - 20);
    const [all, tens] = [[1, 2, 5], [1]].map((multiples) =>
      exponents.flatMap((exponent) => multiples.map((multiple) => multiple * 10 ** exponent)).filter((tick) => tick >= low && tick <= high));
    return all.length > 8 && tens.length > 1 ? tens : all;
  }

  // Losses of very different size only show side by side on a logarithmic axis.
  function scaleFor(values, fromZero) {
    let [low, high] = [Math.min(...values), Math.max(...values)];
    const logarithmic = !fromZero && low > 0 && high / low > 20;
    if (fromZero) low = 0;
    if (high === low) high = low + (Math.abs(low) || 1);
    if (!logarithmic) return { at: (value) => (value - low) / (high - low), ticks: ticksBetween(low, high), note: "" };
    return { at: (value) => Math.log(value / low) / Math.log(high / low), ticks: powersBetween(low, high), note: ", logarithmic" };
  }

  function lineChart({ title, series, digits, best = null, fromZero = false }) {
    const epochs = report.curves.map((row) => row.epoch);
    const [wide, high, left, right, top, bottom] = [360, 210, 46, 14, 16, 24];
    const scale = scaleFor(series.flatMap(({ values }) => values.filter(known)), fromZero);
    const x = (index) => left + (epochs.length > 1 ? index / (epochs.length - 1) : 0.5) * (wide - left - right);
    const y = (value) => high - bottom - scale.at(value) * (high - top - bottom);
    const line = (values) => values.map((value, index) => (known(value) ? `${x(index).toFixed(1)},${y(value).toFixed(1)}` : null)).filter(Boolean).join(" L");
    const strokes = series.map(({ values, colour }) => svg("path", { class: "stroke tinted", d: `M${line(values)}`, ...tint(colour) }));
    const grid = scale.ticks.flatMap((tick) => [svg("line", { class: "grid", x1: left, x2: wide - right, y1: y(tick), y2: y(tick) }),
      svg("text", { x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, short(tick))]);
    const slot = (wide - left - right) / Math.max(epochs.length - 1, 1);
    const slots = epochs.map((epoch, index) => svg("rect", { class: "slot", x: x(index) - slot / 2, y: top, width: slot, height: high - top - bottom },
      svg("title", {}, [`Epoch ${epoch}`, ...series.map(({ name, values }) => `${name}: ${fixed(values[index], digits)}`)].join("\n"))));
    const ends = [[0, "start"], [epochs.length - 1, "end"]].map(([index, anchor]) =>
      svg("text", { x: x(index), y: high - 6, "text-anchor": anchor }, `${index ? "" : "epoch "}${epochs[index]}`));
    const mark = best === null ? [] : bestMark(x(best), y(series[0].values[best]), high - bottom, wide, `best: epoch ${epochs[best]}, ${fixed(series[0].values[best], digits)}`, series[0].colour);
    return el("figure", { class: "card" }, el("figcaption", {}, title + scale.note), chartKeys(series),
      svg("svg", { viewBox: `0 0 ${wide} ${high}`, role: "img", "aria-label": `${title} by epoch` }, ...grid, ...ends, ...strokes, ...mark, ...slots));
  }

  function chartKeys(series) {
    return el("ul", { class: "keys" }, ...series.map(({ name, colour }) => el("li", {}, swatch(colour), name)));
  }

  function bestMark(x, y, floor, wide, text, colour) {
    const anchor = x > wide * 0.6 ? "end" : "start";
    return [svg("line", { class: "best-line", x1: x, x2: x, y1: y, y2: floor }),
      svg("circle", { class: "best-dot tinted", cx: x, cy: y, r: 5, ...tint(colour) }),
      svg("text", { class: "best-text", x: anchor === "end" ? x - 6 : x + 6, y: floor - 8, "text-anchor": anchor }, text)];
  }

  function curveCharts() {
    const column = (read) => report.curves.map(read);
    const losses = [...new Set(report.curves.flatMap((row) => Object.keys(row.losses ?? {})))];
    const best = report.curves.findIndex((row) => row.epoch === report.model.best_epoch && known(row.valid));
    const valid = { name: "ndcg@20", colour: 2, values: column((row) => row.valid) };
    const charts = [{ title: "Validation ndcg@20", digits: 4, best: best < 0 ? null : best, series: [valid] },
      { title: "Losses", digits: 3, series: losses.map((name, index) => ({ name: name.replaceAll("_", " "), colour: index, values: column((row) => row.losses?.[name]) })) },
      { title: "Number of intents", digits: 0, fromZero: true,
        series: [{ name: "effective", colour: 2, values: column((row) => row.effective) }, { name: "in use", colour: 0, values: column((row) => row.used) }] }];
    return charts.filter(({ series }) => series.some(({ values }) => values.some(known))).map(lineChart);
  }

  function healthLines() {
    const health = report.health;
    return [
      [`${health.used} of ${health.n_intents}`, "In use.", "Intents with at least one user."],
      [fixed(health.effective, 1), "Effective number.", `Equally large intents that would spread users as evenly; ${health.n_intents} is the most.`],
      [percent(health.largest_share), "Largest share.", `Of all users; evenly spread it would be ${percent(1 / health.n_intents)}.`],
      [fixed(health.dead, 0), "Dead.", "Intents that nobody follows; a few do no harm."],
      [fixed(health.duplicates, 0), "Duplicates.", "Intents whose centre almost coincides with another's."],
      [fixed(health.cosine, 2), "Cosine.", "How alike users are to the centre of their intent; 1 is identical."],
      [fixed(health.margin, 3), "Margin.", "How much closer users are to their own centre than to the next; 0 is no difference."],
    ];
  }

  function metricTable() {
    const parts = [["valid", "Validation"], ["test", "Test"]].filter(([key]) => report.model.metrics?.[key]);
    const names = [...new Set(parts.flatMap(([key]) => Object.keys(report.model.metrics[key])))];
    if (!names.length) return el("p", { class: "muted" }, "This model was not evaluated.");
    return el("table", {},
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Metric"), ...parts.map(([, label]) => el("th", { scope: "col", class: "numeric" }, label)))),
      el("tbody", {}, ...names.map((name) => el("tr", {}, el("th", { scope: "row" }, name),
        ...parts.map(([key]) => el("td", { class: "numeric" }, fixed(report.model.metrics[key][name], 4)))))));
  }

  function showTraining() {
    byId("curves").append(...(report.curves.length ? curveCharts() : [el("p", { class: "card muted" }, "Imported weights: no training curves.")]));
    byId("health").append(...healthLines().map(([value, name, meaning]) => el("div", {}, el("dt", {}, value), el("dd", {}, el("b", {}, name), ` ${meaning}`))));
    byId("metrics").append(metricTable());
  }

  /* ---------- start ---------- */

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
})();
