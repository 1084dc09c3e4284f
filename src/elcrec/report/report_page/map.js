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

// A long text in lines of whole words.
function wrapped(text, most) {
  const lines = [];
  for (const word of text.split(" ")) {
    const last = lines.length - 1;
    if (last >= 0 && lines[last].length + word.length < most) lines[last] += ` ${word}`;
    else lines.push(word);
  }
  return lines;
}

// Lines by intent: the parts of its name that no other name has, else the whole name; the number where even that is not its own.
function distinctLabels(intents) {
  const partsOf = (intent) => intent.name.split(" · ");
  const count = (texts) => texts.reduce((counts, text) => counts.set(text, (counts.get(text) ?? 0) + 1), new Map());
  const [names, parts] = [count(intents.map((intent) => intent.name)), count(intents.flatMap((intent) => [...new Set(partsOf(intent))]))];
  return new Map(intents.map((intent) => {
    const alone = partsOf(intent).filter((part) => parts.get(part) === 1).slice(0, 2);
    const shown = alone.length ? alone : [...partsOf(intent), ...(names.get(intent.name) > 1 ? [`(${intent.intent})`] : [])];
    const lines = shown.flatMap((part) => wrapped(part, 22));
    return [intent.intent, lines.length <= 4 && lines.every((line) => line.length <= 30) ? lines : [`Intent ${intent.intent}`]];
  }));
}

function createMap(canvas, tip) {
  const context = canvas.getContext("2d");
  const dots = groupedDots();
  const centres = bySize.filter((intent) => intent.users > 0);
  const largestShare = Math.max(...centres.map((intent) => intent.share), 1e-9);
  const pointers = new Map();
  const margin = 28;
  const maxZoom = 30;
  const lineHeight = 14;
  const labels = distinctLabels(centres);
  const view = { width: 0, height: 0, wide: 1, high: 1, zoom: 1, left: 0, top: 0 };
  let theme = null;
  let chosen = null;
  let travelled = 0;
  let waiting = false;

  const toX = (x) => view.left + x * view.wide * view.zoom;
  const toY = (y) => view.top + y * view.high * view.zoom;
  const inView = (x, y, slack) => x > -slack && y > -slack && x < view.width + slack && y < view.height + slack;
  const centreRadius = (intent) => (3 + 5 * Math.sqrt(intent.share / largestShare)) * Math.sqrt(Math.min(1, Math.min(view.wide, view.high) / 640)) * Math.min(1.6, view.zoom ** 0.25);

  function readTheme() {
    const style = getComputedStyle(document.documentElement);
    const read = (name) => style.getPropertyValue(name).trim();
    theme = { ink: read("--ink"), surface: read("--surface"), grey: read("--grey-dot"), faint: read("--faint-ring"), other: read("--other"), accent: read("--accent"),
      font: getComputedStyle(document.body).fontFamily, colours: Array.from({ length: nColours }, (_, slot) => read(`--c${slot}`)) };
  }

  const colourOf = (number) => theme.colours[slotOf(number)] ?? (number === chosen ? theme.accent : theme.other);

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
    const density = Math.sqrt((view.wide * view.high) / Math.max(dots.owner.length, 1));
    return Math.max(1.1, Math.min(2.6, 0.36 * density)) * Math.min(2.4, Math.sqrt(view.zoom));
  }

  function drawCentre(intent, faint) {
    const [x, y, radius] = [toX(intent.x), toY(intent.y), centreRadius(intent)];
    if (!inView(x, y, radius + 4)) return;
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fillStyle = faint ? theme.grey : colourOf(intent.intent);
    context.fill();
    context.lineWidth = 3;
    context.strokeStyle = theme.surface;
    context.stroke();
    context.lineWidth = 1;
    context.strokeStyle = faint ? theme.faint : theme.ink;
    context.stroke();
  }

  // Where a label may stand, the best place first: above its centre, below, right, left.
  function labelBoxes(intent) {
    const lines = labels.get(intent.intent);
    const [half, high] = [Math.max(...lines.map((line) => context.measureText(line).width)) / 2 + 4, lines.length * lineHeight + 4];
    const [x, y, gap] = [toX(intent.x), toY(intent.y), centreRadius(intent) + 3];
    return [[x, y - gap - high], [x, y + gap], [x + gap + half, y - high / 2], [x - gap - half, y - high / 2]]
      .map(([middle, top]) => ({ lines, middle, left: middle - half, right: middle + half, top, bottom: top + high }));
  }

  const overlap = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  const fits = (box) => box.left >= 2 && box.top >= 2 && box.right <= view.width - 2 && box.bottom <= view.height - 2;

  function centreBox(intent) {
    const [x, y, radius] = [toX(intent.x), toY(intent.y), centreRadius(intent) + 1];
    return { left: x - radius, right: x + radius, top: y - radius, bottom: y + radius };
  }

  // Boxes of the labels that are drawn, the largest intent first: each whole, and over no other label, centre or button.
  function placeLabels() {
    const shown = (chosen === null ? centres : [intentOf.get(chosen)]).filter((intent) => inView(toX(intent.x), toY(intent.y), 0));
    const most = Math.round((view.width / 65) * view.zoom);
    const taken = [{ left: view.width - 190, right: view.width, top: 0, bottom: 56 }];
    const placed = [];
    for (const intent of shown) {
      if (placed.length >= most) break;
      const others = shown.filter((other) => other !== intent && slotOf(other.intent) !== undefined).map(centreBox);
      const box = labelBoxes(intent).find((one) => fits(one) && ![...taken, ...others].some((other) => overlap(one, other)));
      if (!box) continue;
      taken.push(box);
      placed.push({ ...box, intent: intent.intent });
    }
    return placed;
  }

  function drawLabels() {
    context.font = `600 12px ${theme.font}`;
    context.textAlign = "center";
    context.textBaseline = "top";
    context.lineWidth = 4;
    context.lineJoin = "round";
    context.strokeStyle = theme.surface;
    context.fillStyle = theme.ink;
    const placed = placeLabels();
    canvas.dataset.labels = JSON.stringify(placed);
    for (const { lines, middle, top } of placed) {
      lines.forEach((line, place) => context.strokeText(line, middle, top + 3 + place * lineHeight));
      lines.forEach((line, place) => context.fillText(line, middle, top + 3 + place * lineHeight));
    }
  }

  function drawAll(radius) {
    const coloured = (run) => slotOf(run.intent) !== undefined;
    fillDots(dots.runs.filter((run) => !coloured(run)), theme.other, radius, 0.45);
    dots.runs.filter(coloured).forEach((run) => fillDots([run], colourOf(run.intent), radius, 0.8));
    for (let index = centres.length - 1; index >= 0; index -= 1) drawCentre(centres[index], false);
  }

  function drawChosen(radius) {
    fillDots(dots.runs.filter((run) => run.intent !== chosen), theme.grey, radius, 0.8);
    centres.forEach((intent) => drawCentre(intent, true));
    fillDots(dots.runs.filter((run) => run.intent === chosen), colourOf(chosen), radius * 1.3, 0.95);
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
    // Directions mean nothing on the map, so it fills its card.
    Object.assign(view, { wide: Math.max(1, view.width - 2 * margin), high: Math.max(1, view.height - 2 * margin), left: margin, top: margin });
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
    const between = (size, extent, place) => Math.min(size / 2, Math.max(size / 2 - extent * view.zoom, place));
    view.left = between(view.width, view.wide, left);
    view.top = between(view.height, view.high, top);
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
  byId("map-colours").textContent = bySize.length > nColours ? `The ${nColours} largest have a colour, the others are grey.` : "Each has its colour.";
  byId("largest-list").append(...bySize.slice(0, 14).map((intent) => el("li", {}, intentLink(intent.intent, percent(intent.share)))));
}
