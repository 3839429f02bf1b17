"use strict";
// What all pages have: the data, elements, the theme, and one way to draw: draw(id, title, traces, layout), by plotly.js or, without it, plainly.

const data = JSON.parse(document.getElementById("data").textContent);

// Okabe and Ito's colours, which readers with any colour vision tell apart; line styles and symbols say the same again.
const palette = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#f0e442", "#7f7f7f"];
const dashes = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot"];
const symbols = ["circle", "square", "diamond", "triangle-up", "x", "star"];
const colorOf = (i) => palette[i % palette.length];
const isNumber = (x) => typeof x === "number" && Number.isFinite(x);

function number(x, digits = 3) {
  if (!isNumber(x)) return "–";
  if (x !== 0 && (Math.abs(x) >= 1e6 || Math.abs(x) < 1e-4)) return x.toExponential(digits - 1);
  return String(Number(x.toPrecision(Math.max(digits, Math.ceil(Math.log10(Math.abs(x) + 1))))));
}

// Ticks 1, 2, 5, 10, ... of a logarithmic axis over these values; 1, 10, ... where they span many decades.
function ticks125(values) {
  const positive = values.filter((x) => isNumber(x) && x > 0);
  const low = Math.min(...positive), high = Math.max(...positive), tickvals = [];
  const digits = high > 1000 * low ? [1] : [1, 2, 5];
  for (let exponent = Math.floor(Math.log10(low)); exponent <= Math.ceil(Math.log10(high)); ++exponent) {
    for (const digit of digits) {
      const tick = Number(`${digit}e${exponent}`);
      if (tick > low / 2.5 && tick < high * 2.5) tickvals.push(tick);
    }
  }
  return {tickvals, ticktext: tickvals.map((x) => number(x))};
}

const at = (id) => document.getElementById(id);
const tag = (name, attributes = {}, ...children) => {
  const element = document.createElementNS(name.startsWith("svg:") ? "http://www.w3.org/2000/svg" : "http://www.w3.org/1999/xhtml", name.replace("svg:", ""));
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
};

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  at("theme").setAttribute("aria-pressed", theme === "dark");
}

// A section without content is not shown, nor the link to it.
function reveal(id, isShown) {
  at(id).hidden = !isShown;
  for (const link of document.querySelectorAll(`nav a[href="#${id}"]`)) link.hidden = !isShown;
}

function css(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

let isPrinting = false;
const drawn = {};  // id -> how to draw it again, in another theme or width

function draw(id, title, traces, layout) {
  drawn[id] = () => paint(id, title, traces, layout);
  paint(id, title, traces, layout);
  numbersBelow(id, title, traces, layout);
}

function paint(id, title, traces, layout) {
  const element = document.getElementById(id);
  element.setAttribute("role", "img");
  element.setAttribute("aria-label", `${title}: ${traces.map((trace) => trace.name).join("; ")}`);
  if (!window.Plotly) {
    element.innerHTML = plainPlot(title, traces, layout, element.clientWidth || 640, element.clientHeight || 380);
    return;
  }
  const ink = css("--ink"), line = css("--line"), paper = css("--paper");
  const axis = (own) => ({gridcolor: line, zerolinecolor: line, linecolor: line, automargin: true, ...own, title: {text: own.title, standoff: 8}});
  Plotly.react(element, traces, {
    ...layout,
    title: {text: title, font: {size: 15}, x: 0, xref: "paper", xanchor: "left"},
    paper_bgcolor: paper, plot_bgcolor: paper, font: {color: ink, family: "system-ui, sans-serif", size: 13},
    margin: {l: 56, r: 12, t: 40, b: 44}, hovermode: layout.hovermode || "closest",
    legend: {orientation: "h", yref: "container", y: 0, yanchor: "bottom", x: 0, traceorder: "normal", ...layout.legend},
    xaxis: axis(layout.xaxis), yaxis: axis(layout.yaxis),
    ...(isPrinting ? {width: element.closest(".pair") ? 330 : 680, height: 270} : {width: undefined, height: undefined, autosize: true}),
  }, {responsive: !isPrinting, displaylogo: false, displayModeBar: false});
}

function redrawAll() {
  for (const again of Object.values(drawn)) again();
}

// The same numbers as a table, for readers who do not see the plot.
function numbersBelow(id, title, traces, layout) {
  const element = document.getElementById(id);
  let details = element.nextElementSibling;
  if (!details || details.tagName !== "DETAILS") {
    details = document.createElement("details");
    element.after(details);
  }
  const xs = [...new Set(traces.flatMap((trace) => trace.x))];
  if (xs.every(isNumber)) xs.sort((a, b) => a - b);
  const byX = traces.map((trace) => new Map(trace.x.map((x, i) => [x, trace.y[i]])));
  details.innerHTML = "<summary></summary><div class=scroll tabindex=0 role=region><table></table></div>";
  details.querySelector("summary").textContent = "Numbers";
  details.querySelector(".scroll").setAttribute("aria-label", title);
  const rows = xs.slice(0, 500).map((x) => [isNumber(x) ? number(x, 4) : x, ...byX.map((values) => number(values.get(x), 4))]);
  fillTable(details.querySelector("table"), [layout.xaxis.title, ...traces.map((trace) => trace.name)], rows);
}

function fillTable(table, head, rows, isText = () => false) {
  table.replaceChildren();
  const headRow = table.createTHead().insertRow();
  for (const cell of head) {
    const th = document.createElement("th");
    th.scope = "col";
    cell instanceof Node ? th.append(cell) : (th.textContent = cell);
    headRow.append(th);
  }
  const body = table.createTBody();
  for (const row of rows) {
    const tr = body.insertRow();
    row.forEach((cell, i) => {
      const td = i === 0 ? document.createElement("th") : document.createElement("td");
      if (i === 0) td.scope = "row";
      if (isText(cell)) td.className = "text";
      cell instanceof Node ? td.append(cell) : (td.textContent = cell);
      tr.append(td);
    });
  }
}

// Round numbers from low to high, about five.
function roundTicks(low, high) {
  const least = (high - low) / 5, power = 10 ** Math.floor(Math.log10(least));
  const step = power * [1, 2, 5, 10].find((digit) => digit * power >= 0.999 * least);
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({length: Math.floor(high / step + 1e-9) - first + 1}, (_, i) => (first + i) * step);
}

// Where an axis from low to low + span has its ticks, in its units (logarithms of a logarithmic one), and their words.
function plainTicks(axis, low, span) {
  if (axis.type !== "log") return roundTicks(low, low + span).map((x) => [x, number(x)]);
  const known = (axis.tickvals || []).map(Math.log10).filter((x) => x >= low && x <= low + span);
  return (known.length > 1 ? known : [0, 0.25, 0.5, 0.75, 1].map((t) => low + t * span)).map((x) => [x, number(10 ** x)]);
}

// Without plotly.js: lines, steps or stacked bars in a plain picture, linear or logarithmic axes, a legend of words.
function plainPlot(title, traces, layout, width, height) {
  const perRow = Math.max(1, Math.floor((width - 76) / 190)), legendRows = traces.length > 1 ? Math.ceil(traces.length / perRow) : 0;
  const left = 64, right = 12, top = layout.yaxis.title ? 52 : 34, bottom = 46 + 16 * legendRows;
  const isBar = traces.some((trace) => trace.type === "bar");
  const escape = (text) => String(text).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
  const categories = isBar ? [...new Set(traces.flatMap((trace) => trace.x))] : null;
  const log = (axis, x) => (axis.type === "log" ? Math.log10(x) : x);
  const xs = isBar ? [-0.5, categories.length - 0.5] : traces.flatMap((trace) => trace.x).map((x) => log(layout.xaxis, x)).filter(isNumber);
  const sums = isBar ? categories.map((x) => traces.reduce((sum, trace) => sum + (trace.y[trace.x.indexOf(x)] || 0), 0)) : [];
  const ys = [...(isBar || layout.yaxis.rangemode === "tozero" ? [0] : []),
    ...(isBar ? sums : traces.flatMap((trace) => trace.y).filter(isNumber).map((y) => log(layout.yaxis, y)))];
  const [x0, y0] = [Math.min(...xs), Math.min(...ys)];
  const [dx, dy] = [Math.max(...xs) - x0 || 1, Math.max(...ys) - y0 || 1];
  const px = (x) => left + ((x - x0) / dx) * (width - left - right);
  const py = (y) => height - bottom - ((y - y0) / dy) * (height - top - bottom);
  const base = isBar ? categories.map(() => 0) : [];
  const marks = traces.map((trace, k) => {
    const color = (trace.line && trace.line.color) || (trace.marker && trace.marker.color) || colorOf(k);
    const dashes = trace.line && trace.line.dash && trace.line.dash !== "solid" ? ' stroke-dasharray="6 4"' : "";
    const legend = legendRows === 0 ? "" : `<text x="${left + (k % perRow) * 190}" y="${height - 6 - 16 * (legendRows - 1 - Math.floor(k / perRow))}" fill="${color}" font-size="12">■ ${escape(trace.name)}</text>`;
    if (!isBar) {
      const points = trace.x.map((x, i) => [x, trace.y[i]]).filter(([, y]) => isNumber(y));
      const places = points.map(([x, y]) => [px(log(layout.xaxis, x)), py(log(layout.yaxis, y))]);
      const path = trace.line && trace.line.shape === "hvh"
        ? places.flatMap(([x, y], i) => (i === 0 ? [[x, y]] : [[(places[i - 1][0] + x) / 2, places[i - 1][1]], [(places[i - 1][0] + x) / 2, y], [x, y]])) : places;
      return `<polyline fill="none" stroke="${color}" stroke-width="2"${dashes} points="${path.map((place) => place.join(",")).join(" ")}"/>${legend}`;
    }
    const bars = trace.x.map((x, i) => {
      const c = categories.indexOf(x), from = base[c];
      base[c] += trace.y[i] || 0;
      return `<rect x="${px(c - 0.35)}" width="${px(0.35) - px(-0.35)}" y="${py(base[c])}" height="${py(from) - py(base[c])}" fill="${color}"/>`;
    });
    return bars.join("") + legend;
  });
  const ticks = [...plainTicks(layout.yaxis, y0, dy).map(([y, words]) => `<path d="M${left} ${py(y)}H${width - right}" stroke="var(--line)"/>`
    + `<text x="${left - 6}" y="${py(y) + 4}" text-anchor="end" font-size="12" fill="currentColor">${words}</text>`),
    ...(isBar ? [] : plainTicks(layout.xaxis, x0, dx)).map(([x, words]) => `<text x="${px(x)}" y="${height - bottom + 16}" text-anchor="middle" font-size="12" fill="currentColor">${words}</text>`),
    `<text x="${(left + width - right) / 2}" y="${height - bottom + 32}" text-anchor="middle" font-size="12" fill="currentColor">${escape(layout.xaxis.title || "")}</text>`,
    `<text x="${left}" y="40" font-size="12" fill="currentColor">${escape(layout.yaxis.title || "")}</text>`];
  const names = isBar ? categories.map((x, c) => `<text x="${px(c)}" y="${height - bottom + 16}" text-anchor="middle" font-size="11" fill="currentColor">${escape(x)}</text>`) : [];
  return `<svg class="plain" viewBox="0 0 ${width} ${height}"><text x="0" y="16" font-size="15" fill="currentColor">${escape(title)}</text>`
    + `<path d="M${left} ${top}V${height - bottom}H${width - right}" fill="none" stroke="currentColor"/>${ticks.join("")}${names.join("")}${marks.join("")}</svg>`;
}

// --- width, theme and paper ---

if (!window.Plotly) window.addEventListener("resize", redrawAll);  // plotly.js does it itself
const wantsDark = window.matchMedia("(prefers-color-scheme: dark)");
setTheme(wantsDark.matches ? "dark" : "light");
at("theme").addEventListener("click", () => {
  setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  redrawAll();
});
// Paper is white and narrower than a window.
let themeOnScreen = "light";
window.addEventListener("beforeprint", () => {
  themeOnScreen = document.documentElement.dataset.theme;
  isPrinting = true;
  setTheme("light");
  redrawAll();
});
window.addEventListener("afterprint", () => {
  isPrinting = false;
  setTheme(themeOnScreen);
  redrawAll();
});
