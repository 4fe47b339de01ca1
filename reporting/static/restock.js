// The restock report's own part: search and filters over all lines, the paged list, unfolding, links to a SKU.
(function () {
  const block = document.getElementById("lines");
  if (!block) return;
  const data = JSON.parse(block.textContent), T = data.t, charts = window.merchcastCharts;
  const names = data.columns.map((c) => c[0]), kinds = data.columns.map((c) => c[1]);
  const at = Object.fromEntries(names.map((name, i) => [name, i]));
  const run = new Date(data.run + "T00:00:00Z");
  const state = { text: "", filters: {}, sort: null, down: false, page: 0, rows: [] };
  const byId = (id) => document.getElementById(id), each = (list, act) => Array.prototype.forEach.call(list, act);

  // ---- writing values, the same way the page's own tables do ----
  function number(value, digits) {
    if (value === null || value === undefined || value === "") return "–";
    const parts = Math.abs(value).toFixed(digits).split(".");
    parts[0] = parts[0].replace(/\B(?=(\d{3})+(?!\d))/g, ",");
    const text = parts.join(".");
    return (value < 0 && /[1-9]/.test(text) ? "−" : "") + text;
  }
  const quantity = (v) => (v === null ? "–" : number(v, Number.isInteger(v) || Math.abs(v) >= 100 ? 0 : 1));
  function day(offset) {
    if (offset === null || offset === undefined) return "–";
    const when = new Date(run.getTime() + offset * 864e5);
    const form = data.day[when.getUTCFullYear() === run.getUTCFullYear() ? 0 : 1];
    return form.replace("{year}", when.getUTCFullYear()).replace("{month}", data.months[when.getUTCMonth()]).replace("{day}", when.getUTCDate());
  }
  function share(value) {
    const digits = Math.round(value * 1000) % 10 === 0 ? 0 : 1;
    return number(value * 100, digits) + "%";
  }
  const writers = {
    text: (v) => v === null || v === "" ? "–" : v, code: (v) => data.codes[v] || v, codes: (v) => v.map((c) => data.codes[c] || c).join(", "), quantity: quantity, date: day,
    money: (v) => number(v, 2), number1: (v) => number(v, 1), number2: (v) => number(v, 2),
    share: (v) => v === null ? "–" : number(v * 100, v > 0 && v < 0.01 || v > 0.99 && v < 1 ? 1 : 0) + "%",
  };
  const numeric = (kind) => ["quantity", "money", "number1", "number2", "share"].includes(kind);
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (all, key) => (key in values ? values[key] : all));

  function make(tag, attributes, ...children) {
    const made = document.createElement(tag);
    for (const key in attributes) if (attributes[key] !== null) made.setAttribute(key, attributes[key]);
    children.forEach((child) => made.append(child));
    return made;
  }
  const bdi = (text) => make("bdi", {}, text);
  function cellText(row, column) {
    const value = row[column], name = names[column];
    if (kinds[column] === "code") return data.dict[name][value][1] || "–";
    return writers[kinds[column]](value);
  }

  // ---- search and filters ----
  const haystack = [];
  function hay(i) {
    if (haystack[i] === undefined) {
      const row = data.rows[i];
      haystack[i] = [row[at.sku], row[at.title] || "", data.dict.supplier_name[row[at.supplier_name]][0],
        data.dict.location_id[row[at.location_id]][0]].join("\u0001").toLowerCase();
    }
    return haystack[i];
  }
  function matches(i) {
    const row = data.rows[i];
    for (const name in state.filters) if (row[at[name]] !== state.filters[name]) return false;
    return state.text === "" || hay(i).includes(state.text);
  }

  function apply() {
    state.rows = [];
    for (let i = 0; i < data.rows.length; i++) if (matches(i)) state.rows.push(i);
    if (state.sort !== null) sortRows();
    state.page = 0;
    const filtering = state.text !== "" || Object.keys(state.filters).length > 0, others = drawIdle();
    byId("found").textContent = !filtering ? "" : fill(T.found, { n: number(state.rows.length, 0), total: number(data.rows.length, 0) }) +
      (others ? " · " + fill(T.idle_found, { n: number(others, 0) }) : "");
    each(document.querySelectorAll("section.group"), (group) => {
      let shown = 0;
      each(group.querySelectorAll("tr[data-i]"), (row) => {
        row.hidden = !matches(Number(row.getAttribute("data-i")));
        const below = row.nextElementSibling;
        if (below && below.classList.contains("detail")) below.hidden = row.hidden;
        shown += row.hidden ? 0 : 1;
      });
      group.classList.toggle("empty", shown === 0);
    });
    drawList();
  }

  // ---- items that are not replenished: the search finds every one of them ----
  const idle = JSON.parse(byId("idle-lines").textContent);
  function drawIdle() {
    const table = byId("idle");
    if (!table) return 0;
    const hits = state.text === "" ? idle.rows
      : idle.rows.filter((row) => (row[0] + "\u0001" + (row[1] || "") + "\u0001" + row[2]).toLowerCase().includes(state.text));
    if (state.text !== state.idle) {
      const labels = Array.prototype.map.call(table.tHead.rows[0].cells, (cell) => cell.textContent);
      table.tBodies[0].replaceChildren(...hits.slice(0, idle.limit).map(([sku, title, location, reason, since]) => {
        const head = make("th", { scope: "row", role: "rowheader", "data-h": labels[0] }, bdi(sku));
        if (title) head.append(make("small", {}, bdi(title)));
        const cells = [location, idle.reasons[reason][1], day(since)].map((text, k) =>
          make("td", { role: "cell", "data-h": labels[k + 1], "data-v": k === 2 && since !== null ? String(since) : null }, bdi(text)));
        return make("tr", { role: "row" }, head, ...cells);
      }));
      if (state.idle !== undefined || state.text !== "") byId("idle-details").open = state.text !== "" && hits.length > 0;
      state.idle = state.text;
    }
    return state.text === "" ? 0 : hits.length;
  }

  function setFilters(filters) {
    state.filters = filters;
    each(document.querySelectorAll("select[data-filter]"), (select) => {
      const chosen = filters[select.getAttribute("data-filter")];
      select.value = chosen === undefined ? "" : String(chosen);
    });
  }

  function sortRows() {
    const c = state.sort, code = kinds[c] === "code", text = code || kinds[c] === "text";
    const value = (i) => (code ? data.dict[names[c]][data.rows[i][c]][1] : data.rows[i][c]);
    const none = (v) => v === null || v === "";
    const collator = new Intl.Collator(document.documentElement.lang, { numeric: true });
    state.rows.sort((i, j) => {
      const a = value(i), b = value(j);
      if (none(a) || none(b)) return none(a) - none(b) || i - j;
      const order = text ? collator.compare(a, b) : a - b;
      return (state.down ? -order : order) || i - j;
    });
  }

  // ---- the list of all lines ----
  const list = byId("list");
  // The name stands below the SKU and the status below the reason; one location needs no column.
  const isShown = (name) => !["title", "status", "today", "danger"].includes(name) && (name !== "location_id" || data.dict.location_id.length > 1);
  function drawHead() {
    const row = make("tr", { role: "row" });
    data.columns.forEach(([name, kind, label], c) => {
      if (!isShown(name)) return;
      row.append(make("th", { scope: "col", role: "columnheader", class: numeric(kind) ? "num" : null, "aria-sort": "none", "data-c": c },
        make("button", { type: "button" }, label)));
    });
    row.append(make("th", { scope: "col", role: "columnheader" }, T.trend));
    list.tHead.append(row);
    list.tHead.addEventListener("click", (event) => {
      const head = event.target.closest("th[aria-sort]");
      if (!head) return;
      const next = window.merchcastNextSort(head);
      each(list.tHead.rows[0].cells, (cell) => cell.hasAttribute("aria-sort") && cell.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", next);
      state.sort = Number(head.getAttribute("data-c"));
      state.down = next === "descending";
      sortRows();
      state.page = 0;
      drawList();
    });
  }

  function drawList() {
    const body = list.tBodies[0], from = state.page * data.page, missing = [];
    const rows = state.rows.slice(from, from + data.page).map((i) => {
      const row = data.rows[i], made = make("tr", { role: "row", "data-i": i });
      data.columns.forEach(([name, kind, label], c) => {
        if (!isShown(name)) return;
        if (name === "sku") {
          const subject = hasDetail(i)
            ? make("button", { type: "button", class: "unfold", "aria-expanded": "false" }, bdi(row[c])) : bdi(row[c]);
          const head = make("th", { scope: "row", role: "rowheader", "data-h": label }, subject);
          if (row[at.title]) head.append(make("small", {}, bdi(row[at.title])));
          made.append(head);
          return;
        }
        const code = kind === "code" ? data.dict[name][row[c]][0] : "";
        const tone = name === "action" ? "tone action-" + code : name === "confidence" ? "tone " + code : null;
        const cell = make("td", { role: "cell", "data-h": label, class: numeric(kind) ? "num" : null },
          make("bdi", { class: tone }, cellText(row, c)));
        if (name === "reason" && data.dict.status[row[at.status]][0] !== "ok")
          cell.append(make("small", { class: "tone " + data.dict.status[row[at.status]][0] }, data.dict.status[row[at.status]][1]));
        made.append(cell);
      });
      const drawing = make("td", { role: "cell", "data-h": T.trend });
      if (hasDetail(i)) missing.push([i, drawing]);
      return made.append(drawing), made;
    });
    body.replaceChildren(...rows);
    drawPager();
    if (canUnpack) need(missing.map(([i]) => i)).then(() => missing.forEach(([i, cell]) => cell.isConnected && cell.append(sparkOf(i))));
  }

  function drawPager() {
    const pages = Math.max(1, Math.ceil(state.rows.length / data.page)), pager = byId("pager");
    const go = (to, text, label) => {
      const button = Object.assign(make("button", { type: "button", "aria-label": label }, text), { disabled: to < 0 || to >= pages || to === state.page });
      button.addEventListener("click", () => { state.page = to; drawList(); byId("all").scrollIntoView(); });
      return button;
    };
    pager.replaceChildren(go(0, "«", T.first), go(state.page - 1, "‹", T.previous),
      make("span", { role: "status" }, fill(T.page, { page: number(state.page + 1, 0), pages: number(pages, 0), n: number(state.rows.length, 0) })),
      go(state.page + 1, "›", T.next), go(pages - 1, "»", T.last));
  }

  // ---- one line unfolded ----
  // The unfolded parts lie deflated in blocks; a block is unpacked when the first of its lines is needed.
  const chunks = {}, loading = {};
  function load(k) {
    if (loading[k]) return loading[k];
    const bytes = Uint8Array.from(atob(byId("detail-" + k).textContent), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    loading[k] = new Response(stream).text().then((text) => { chunks[k] = JSON.parse(text); });
    return loading[k];
  }
  const canUnpack = typeof DecompressionStream === "function";
  const place = (i) => (i < data.details ? i : data.beyond[i]);
  const hasDetail = (i) => place(i) !== undefined;
  const blockOf = (i) => Math.floor(place(i) / data.chunk);
  const need = (lines) => Promise.all(Array.from(new Set(lines.filter(hasDetail).map(blockOf)), load));
  const detail = (i) => chunks[blockOf(i)][place(i) % data.chunk];
  function sparkOf(i) {
    const chart = detail(i)[3], past = charts.decode(chart[0]).slice(-data.spark[0]);
    return charts.spark(past, charts.decode(chart[2][0]).slice(0, data.spark[1]), chart[6], fill(T.spark, { sku: data.rows[i][at.sku] }));
  }
  function figure(value) {
    if (typeof value !== "string") return quantity(value);
    return value[0] === "d" ? day(Number(value.slice(1))) : share(Number(value.slice(1)));
  }
  function sentence(clauses) {
    return clauses.map(([key, ...figures]) => data.why[key].replace(/\{(\d)\}/g, (all, n) => figure(figures[Number(n)]))).join(data.why.joint) + data.why.stop;
  }

  function panel(i, width) {
    const row = data.rows[i], [facts, why, clauses, chart, drivers] = detail(i);
    const fact = (name) => facts[data.facts.findIndex((f) => f[1] === name)];
    const box = make("div", { class: "panel" });
    box.append(make("h3", {}, bdi(row[at.sku] + (row[at.title] ? " · " + row[at.title] : "")), " ",
      make("a", { class: "quiet", href: link(i) }, T.link)));
    box.append(make("p", { class: "why" }, sentence(clauses)));
    box.append(make("p", { class: "trust" }, trust(fact)));
    const label = fill(T.chart, { sku: row[at.sku], p10: quantity(fact("demand_p10")), p50: quantity(fact("demand_p50")), p90: quantity(fact("demand_p90")), out: day(fact("stockout_date")) });
    const drawn = charts.fan(chart, { width: Math.max(300, Math.min(820, width > 1100 ? width - 400 : width)), period: data.period, day: day, figure: quantity, label: label,
      stockout: fact("stockout_date"), early: fact("stockout_date_early"), order: row[at.order_qty],
      words: { today: T.today, out: fill(T.out, { date: day(fact("stockout_date")) }), early: fill(T.early, { date: day(fact("stockout_date_early")) }) } });
    const key = make("ul", { class: "legend" });
    // The key names what this chart shows, nothing else.
    const marks = { past: ".past", median: ".median", mean: ".mean", band80: ".band80", band95: ".band95", stockout: "rect.stockout",
      receipt: "path.receipt", ordered: "path.ordered", out: "path.out", early: "path.early" };
    for (const name in marks) if (drawn.querySelector(marks[name])) key.append(make("li", { class: "key-" + name }, T["legend_" + name]));
    const framed = make("figure", {}, drawn, make("figcaption", {}, key));
    framed.style.maxWidth = drawn.getAttribute("width") + "px";
    const sums = make("div", {}, waterfall(why, row[at.order_qty]));
    if (drivers) sums.append(driverTable(drivers));
    box.append(make("div", { class: "top" }, framed, sums), factLists(facts));
    return box;
  }

  // How far this line can be trusted, in one sentence: confidence, past error, past lean, and what four of five cases span.
  function trust(fact) {
    const wape = fact("forecast_wape"), bias = fact("forecast_bias");
    const parts = [fill(T.trust, { confidence: writers.code(fact("confidence")) })];
    if (wape !== null) parts.push(fill(T.trust_error, { wape: writers.share(wape) }));
    if (bias !== null && Math.abs(bias) >= 0.005)
      parts.push(fill(bias > 0 ? T.trust_high : T.trust_low, { bias: writers.share(Math.abs(bias)) }));
    parts.push(fill(T.trust_band, { low: quantity(fact("demand_p10")), high: quantity(fact("demand_p90")) }));
    return parts.join(data.why.joint) + data.why.stop;
  }

  function driverTable([periods, ...values]) {
    const total = values.pop(), body = make("tbody", {});
    values.forEach((value, k) => {
      if (Math.abs(value) < 0.005) return;
      body.append(make("tr", {}, make("th", { scope: "row" }, data.drivers[k]), make("td", { class: "num" }, (value > 0 && k ? "+" : "") + number(value, 1))));
    });
    return make("table", { class: "waterfall" }, make("caption", {}, fill(T.drivers, { total: number(total, 1), periods: number(periods, 0) })), body);
  }

  function waterfall(why, total) {
    const body = make("tbody", {});
    let running = 0;
    why.forEach((value, k) => {
      if (value === 0) return;
      running += value;
      body.append(make("tr", {}, make("th", { scope: "row" }, data.terms[k]), make("td", { class: "num" }, (value > 0 ? "+" : "") + number(value, 0)),
        make("td", { class: "num" }, number(running, 0))));
    });
    body.append(make("tr", { class: "total" }, make("th", { scope: "row" }, T.total), make("td", { class: "num" }, number(total, 0)), make("td", { class: "num" }, "")));
    return make("table", { class: "waterfall" }, make("caption", {}, T.arithmetic),
      make("thead", {}, make("tr", {}, make("th", { scope: "col" }, T.term), make("th", { scope: "col", class: "num" }, T.units), make("th", { scope: "col", class: "num" }, T.running))), body);
  }

  function factLists(facts) {
    const box = make("div", { class: "fact-lists" }), lists = {};
    data.facts.forEach(([group, , kind, label], k) => {
      const value = facts[k];
      if (value === null || value === undefined || value === "") return;
      if (!lists[group]) box.append(make("section", {}, make("h4", {}, group), lists[group] = make("dl", {})));
      lists[group].append(make("div", {}, make("dt", {}, label), make("dd", {}, bdi(String(writers[kind](value))))));
    });
    return box;
  }

  function unfold(row, open) {
    const button = row.querySelector("button.unfold");
    if (!button) return Promise.resolve();
    const next = row.nextElementSibling, there = next && next.classList.contains("detail") ? next : null;
    const wanted = open === undefined ? !there : open;
    button.setAttribute("aria-expanded", String(wanted));
    if (!wanted && there) there.remove();
    if (!wanted || there) return Promise.resolve();
    const i = Number(row.getAttribute("data-i")), cell = make("td", { role: "cell", colspan: row.cells.length });
    row.after(make("tr", { class: "detail", role: "row" }, cell));
    if (!canUnpack) {
      cell.append(make("p", { class: "panel" }, T.old_browser));
      return Promise.resolve();
    }
    return need([i]).then(() => cell.isConnected && cell.append(panel(i, row.closest(".scroll").clientWidth - 48)));
  }
  document.addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-i]");
    if (row && (event.target.closest("button.unfold") || !event.target.closest("a, button, input"))) {
      if (!String(window.getSelection())) unfold(row);
    }
    const all = event.target.closest("button.show-all");
    if (all) {
      const action = all.getAttribute("data-action"), select = document.querySelector('select[data-filter="action"]');
      select.value = String(data.dict.action.findIndex((c) => c[0] === action));
      select.dispatchEvent(new Event("change"));
      byId("all").scrollIntoView();
    }
  });

  // ---- a link to a SKU: #sku=BDG-0044 or #sku=BDG-0044&location=main ----
  function link(i) {
    const row = data.rows[i], place = data.dict.location_id[row[at.location_id]][0];
    return "#sku=" + encodeURIComponent(row[at.sku]) + (data.dict.location_id.length > 1 ? "&location=" + encodeURIComponent(place) : "");
  }
  function follow() {
    const asked = new URLSearchParams(location.hash.slice(1)), sku = asked.get("sku");
    if (sku === null) return;
    const place = asked.get("location");
    const i = data.rows.findIndex((row) => row[at.sku] === sku && (place === null || data.dict.location_id[row[at.location_id]][0] === place));
    if (i < 0) {
      state.text = (byId("search").value = sku).toLowerCase();
      apply();
      byId("found").textContent = fill(T.unknown_sku, { sku: sku });
      return byId("idle-section").scrollIntoView();
    }
    state.text = "";
    setFilters({});
    byId("search").value = "";
    apply();
    let row = document.querySelector('section.group tr[data-i="' + i + '"]');
    if (!row) {
      state.page = Math.floor(state.rows.indexOf(i) / data.page);
      drawList();
      row = list.querySelector('tr[data-i="' + i + '"]');
    }
    unfold(row, true).then(() => row.scrollIntoView({ block: "start" }));
    const button = row.querySelector("button.unfold");
    if (button) button.focus({ preventScroll: true });
  }

  // ---- tools ----
  function drawFilters() {
    ["action", "today", "danger", "status", "reason", "supplier_name", "confidence", "location_id"].forEach((name) => {
      if (data.dict[name].length < 2) return;
      const select = make("select", { "data-filter": name }, make("option", { value: "" }, T.any));
      data.dict[name].forEach(([, text], k) => select.append(make("option", { value: k }, text || "–")));
      select.addEventListener("change", () => {
        if (select.value === "") delete state.filters[name]; else state.filters[name] = Number(select.value);
        apply();
      });
      byId("filters").append(make("label", {}, data.columns[at[name]][2], " ", select));
    });
  }
  each(document.querySelectorAll("button[data-show]"), (button) => {
    const [name, code] = button.getAttribute("data-show").split("=");
    button.hidden = false;
    button.addEventListener("click", () => {
      setFilters({ [name]: data.dict[name].findIndex((c) => c[0] === code) });
      apply();
      document.querySelector(".tools").scrollIntoView();
      byId("found").focus({ preventScroll: true });
    });
  });
  let waiting = 0;
  byId("search").addEventListener("input", (event) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { state.text = event.target.value.trim().toLowerCase(); apply(); }, data.rows.length > 10000 ? 200 : 60);
  });
  each(document.querySelectorAll("input[data-columns]"), (box) => box.addEventListener("change", () => {
    document.body.classList.toggle("show-" + box.getAttribute("data-columns"), box.checked);
  }));
  if (data.dict.location_id.length > 1) document.body.classList.add("show-location");
  document.querySelector(".tools").hidden = false;
  drawFilters();
  drawHead();
  apply();
  follow();
  window.addEventListener("hashchange", follow);
})();
