// Drawings of one line: the sparkline of the list and the fan chart of an unfolded line. Built node by node: no text
// from data is ever read as markup.
(function () {
  const NS = "http://www.w3.org/2000/svg";

  function node(name, attributes, text) {
    const made = document.createElementNS(NS, name);
    for (const key in attributes) made.setAttribute(key, attributes[key]);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  // "0*3 1.5 -" -> [0, 0, 0, 1.5, null]
  function decode(text) {
    const out = [];
    if (!text) return out;
    text.split(" ").forEach((part) => {
      const [value, times] = part.split("*");
      for (let i = 0; i < (times ? Number(times) : 1); i++) out.push(value === "-" ? null : Number(value));
    });
    return out;
  }

  function path(points) {
    let d = "", down = false;
    points.forEach((p) => {
      if (p) d += (down ? "L" : "M") + p[0].toFixed(1) + " " + p[1].toFixed(1);
      down = Boolean(p);
    });
    return d;
  }

  function spark(history, ahead, level, label) {
    const w = 120, h = 28, n = history.length + ahead.length;
    const svg = node("svg", { class: "spark", viewBox: "0 0 " + w + " " + h, width: w, height: h, role: "img", "aria-label": label });
    const top = Math.max(1e-9, ...history.map((v) => v || 0), ...ahead, level || 0);
    const at = (i, v) => (v === null ? null : [2 + (i * (w - 4)) / Math.max(n - 1, 1), h - 3 - (v / top) * (h - 6)]);
    const past = history.map((v, i) => at(i, v));
    const next = ahead.map((v, i) => at(history.length + i, v));
    svg.append(node("path", { class: "past", d: path(past) }), node("path", { class: "ahead", d: path(past.slice(-1).concat(next)) }));
    if (level !== null) svg.append(node("path", { class: "level", d: "M2 " + at(0, level)[1].toFixed(1) + "H" + (w - 2) }));
    return svg;
  }

  /* chart: history, censored positions, bands [mean, q50, q025, q10, q90, q975], receipts [[day, qty]],
     day the order arrives, protection days, reorder line. options: width, period, words, day(offset), stockout days. */
  function fan(chart, options) {
    const history = decode(chart[0]), censored = chart[1], bands = chart[2].map(decode);
    const ahead = bands[1].length, w = options.width, h = Math.max(200, Math.min(280, w * 0.42)), words = options.words;
    const left = 40, right = 12, top = 22, bottom = 40, n = history.length + ahead;
    const svg = node("svg", { class: "fan", viewBox: "0 0 " + w + " " + h, width: w, height: h, role: "img", "aria-label": options.label });
    if (!n) return svg;
    const highest = Math.max(1, ...history.map((v) => v || 0), ...bands[5], ...bands[0]);
    const step = niceStep(highest / 4), peak = Math.ceil(highest / step) * step;
    const slot = (w - left - right) / n;
    // Position 0 is the first forecast period; a day offset from D falls into period (day - 1) / period.
    const x = (position) => left + (position + history.length + 0.5) * slot;
    const xDay = (day) => x(Math.floor((day - 1) / options.period));
    const y = (value) => h - bottom - (value / peak) * (h - top - bottom);
    const floor = y(0);

    for (let v = 0; v <= peak + 1e-9; v += step) {
      svg.append(node("path", { class: "grid", d: "M" + left + " " + y(v).toFixed(1) + "H" + (w - right) }));
      svg.append(node("text", { class: "axis end", x: left - 5, y: y(v).toFixed(1) }, options.figure(v)));
    }
    const every = Math.max(1, Math.ceil(n / Math.max(2, Math.floor(w / 90))));
    for (let i = -history.length; i < ahead; i += every)
      svg.append(node("text", { class: "axis mid", x: x(i).toFixed(1), y: h - bottom + 15 }, options.day(1 + i * options.period)));

    censored.forEach((i) => svg.append(node("rect", {
      class: "stockout", x: (left + i * slot).toFixed(1), y: top, width: slot.toFixed(1), height: (floor - top).toFixed(1) })));
    const area = (low, high, name) => {
      const there = high.map((v, i) => [x(i), y(v)]), back = low.map((v, i) => [x(i), y(v)]).reverse();
      if (there.length) svg.append(node("path", { class: name, d: path(there.concat(back)) + "Z" }));
    };
    area(bands[2], bands[5], "band95");
    area(bands[3], bands[4], "band80");
    svg.append(node("path", { class: "past", d: path(history.map((v, i) => (v === null ? null : [x(i - history.length), y(v)]))) }));
    svg.append(node("path", { class: "mean", d: path(bands[0].map((v, i) => [x(i), y(v)])) }));
    svg.append(node("path", { class: "median", d: path(bands[1].map((v, i) => [x(i), y(v)])) }));

    const mark = (day, name, text, row) => {
      const px = xDay(day);
      if (px < left || px > w - right) return;
      svg.append(node("path", { class: name, d: "M" + px.toFixed(1) + " " + top + "V" + floor.toFixed(1) }));
      if (w < 480) return; // no room for words: the legend and the dates below say it
      const flip = px > w - 110;
      svg.append(node("text", { class: "mark " + (flip ? "end" : ""), x: (px + (flip ? -4 : 4)).toFixed(1), y: top + 4 + row * 13 }, text));
    };
    const today = left + history.length * slot;
    svg.append(node("path", { class: "today", d: "M" + today.toFixed(1) + " " + (top - 8) + "V" + floor.toFixed(1) }));
    svg.append(node("text", { class: "mark mid", x: today.toFixed(1), y: top - 12 }, words.today));
    if (options.early !== null) mark(options.early, "early", words.early, 1);
    if (options.stockout !== null) mark(options.stockout, "out", words.out, 0);
    const drops = chart[3].map(([day, qty]) => [day, qty, "receipt"]);
    if (chart[4] !== null && options.order > 0) drops.push([chart[4], options.order, "ordered"]);
    let last = -1e9;
    drops.sort((a, b) => a[0] - b[0]).forEach(([day, qty, name]) => {
      const px = xDay(day), near = px - last < 34;
      if (!near) last = px;
      triangle(svg, px, floor, name, options.figure(qty), left, w - right, near ? 11 : 0);
    });
    return svg;
  }

  function triangle(svg, px, floor, name, text, low, high, lower) {
    if (px < low || px > high) return;
    const d = "M" + px.toFixed(1) + " " + (floor - 9).toFixed(1) + "l5 9h-10z";
    svg.append(node("path", { class: name, d: d }), node("text", { class: "mark mid " + name, x: px.toFixed(1), y: (floor + 28 + lower).toFixed(1) }, "+" + text));
  }

  function niceStep(raw) {
    const power = Math.pow(10, Math.floor(Math.log10(Math.max(raw, 1e-9))));
    return [1, 2, 5, 10].map((m) => m * power).find((v) => v >= raw);
  }

  window.merchcastCharts = { decode: decode, spark: spark, fan: fan };
})();
