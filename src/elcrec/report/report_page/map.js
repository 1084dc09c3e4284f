/* The map of users: drawing, zoom, drag, choice of an intent. */

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

  // Largest first; a label that would cover another is shown only after zooming in.
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

  // The middle of the window stays on the map, so it never shows an empty area.
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
    const intent = intentOf.get(number);
    chosen = intent && known(intent.x) ? number : null;  // an intent without users has no place
    if (chosen !== null && !inView(toX(intent.x), toY(intent.y), 0)) reset();
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
