"use strict";
// Sorting and finding in the tables that are in the page. No library, no storage, no request.
(function () {
  const each = (list, act) => Array.prototype.forEach.call(list, act);

  function valueOf(row, column) {
    const cell = row.cells[column];
    if (!cell) return "";
    const value = cell.getAttribute("data-v");
    return value === null ? (cell.innerText || cell.textContent).trim() : value;
  }

  function compare(a, b, down) {
    // "No value" comes last in either direction.
    const none = (x) => x === "" || x === "–";
    if (none(a) || none(b)) return none(a) - none(b);
    const x = Number(a), y = Number(b);
    const order = isNaN(x) || isNaN(y) ? a.localeCompare(b, document.documentElement.lang, { numeric: true }) : x - y;
    return down ? -order : order;
  }

  // A sort by number starts with the largest, any other with the first.
  window.merchcastNextSort = function (head) {
    const now = head.getAttribute("aria-sort");
    if (now === "none") return head.classList.contains("num") ? "descending" : "ascending";
    return now === "ascending" ? "descending" : "ascending";
  };

  function sortTable(table, head) {
    const column = head.cellIndex, next = window.merchcastNextSort(head);
    each(table.tHead.rows[0].cells, (cell) => cell.hasAttribute("aria-sort") && cell.setAttribute("aria-sort", "none"));
    head.setAttribute("aria-sort", next);
    const body = table.tBodies[0];
    const rows = Array.prototype.filter.call(body.rows, (row) => !row.classList.contains("detail"));
    const keyed = rows.map((row, i) => [valueOf(row, column), i, row, row.nextElementSibling]);
    keyed.sort((a, b) => compare(a[0], b[0], next === "descending") || a[1] - b[1]);
    keyed.forEach(([, , row, after]) => {
      body.appendChild(row);
      if (after && after.classList.contains("detail")) body.appendChild(after);
    });
  }

  each(document.querySelectorAll("table[data-sortable]"), (table) => {
    table.tHead.addEventListener("click", (event) => {
      const head = event.target.closest("th[aria-sort]");
      if (head) sortTable(table, head);
    });
  });

  each(document.querySelectorAll("input[data-find]"), (input) => {
    const table = document.getElementById(input.getAttribute("data-find"));
    const out = document.querySelector('output[data-count="' + input.getAttribute("data-find") + '"]');
    input.addEventListener("input", () => {
      const wanted = input.value.trim().toLowerCase();
      let shown = 0;
      each(table.tBodies[0].rows, (row) => {
        row.hidden = wanted !== "" && !row.textContent.toLowerCase().includes(wanted);
        shown += row.hidden ? 0 : 1;
      });
      out.textContent = wanted === "" ? "" : shown + " / " + table.tBodies[0].rows.length;
    });
  });

  // Print everything that is folded, and fold it again afterwards.
  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = Array.prototype.filter.call(document.querySelectorAll("details:not([open])"), (d) => d.rows !== 0);
    opened.forEach((details) => { details.open = true; });
  });
  window.addEventListener("afterprint", () => { opened.forEach((details) => { details.open = false; }); });
})();
