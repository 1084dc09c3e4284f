/* The table of intents: search, order, more rows. */

const topItems = (intent) => intent.items.slice(0, 3).map(labelOf).join(" · ");

function nameCell(intent) {
  const link = el("a", { class: "two-lines", dir: "auto", title: intent.name, href: `#intent-${intent.intent}` }, intent.name);
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
  { key: "items", label: "Typical items", text: true, value: (intent) => topItems(intent).toLowerCase(), cell: (intent) => el("div", { class: "two-lines", dir: "auto", title: topItems(intent) }, topItems(intent)) },
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
  byId("intent-exact").addEventListener("change", (event) => byId("intent-table").classList.toggle("exact", event.target.checked));
  markSorted();
  refresh();
}
