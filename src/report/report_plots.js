"use strict";
// Runs as the page wants them, and one way to draw: draw(id, title, traces, layout), by plotly.js or, without it, plainly.

const data = JSON.parse(document.getElementById("data").textContent);

// Okabe and Ito's colours, which readers with any colour vision tell apart; line styles and symbols say the same again.
const palette = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#f0e442", "#7f7f7f"];
const dashes = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot"];
const symbols = ["circle", "square", "diamond", "triangle-up", "x", "star"];
const phases = [
  {key: "gradient_compute_sec", name: "gradient", color: "#56b4e9", pattern: "/"},
  {key: "denoise_compute_sec", name: "denoiser", color: "#0072b2", pattern: ""},
  {key: "communication_time_sec", name: "communication", color: "#d55e00", pattern: "x"},
  {key: "waiting_time_sec", name: "waiting", color: "#f0e442", pattern: "."},
  {key: "other", name: "other", color: "#7f7f7f", pattern: "-"},
];
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

// {column: [numbers]}; empty cells are null.
function parseCsv(text) {
  const lines = text.trim().split("\n").map((line) => line.split(","));
  const columns = {};
  lines[0].forEach((name, i) => {
    columns[name] = lines.slice(1).map((line) => (line[i] === "" || line[i] === undefined || !Number.isFinite(Number(line[i])) ? null : Number(line[i])));
  });
  return columns;
}

// The rows of the last repetition, which "totals" are of.
function lastRepetition(columns) {
  const repetition = columns.repetition || [];
  const last = repetition[repetition.length - 1];
  const keep = Object.values(columns)[0].map((_, i) => repetition.length === 0 || repetition[i] === last);
  return Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values.filter((_, i) => keep[i])]));
}

// The "distribute" keys and what goes with them: how a run is shared out, not what it computes.
const sharing = new Set(["distribute_physics", "distribute_denoiser", "tiling", "patch_size", "overlap", "max_batch_size", "threads",
  "device", "backend", "out", "resume", "checkpoint_every", "repetitions", "warmup", "quiet"]);

const runs = data.runs.map((run, index) => {
  const summary = run.summary;
  const all = (summary.statistics && summary.statistics.all) || {};
  const median = (key) => (all[key] && isNumber(all[key].median) ? all[key].median : null);
  const configuration = summary.configuration || {};
  const threads = (summary.machine && summary.machine.threads_per_rank) || 1;
  const onGpu = summary.device !== "cpu";
  const cores = ((summary.machine && summary.machine.cores) || Infinity) * new Set(summary.hosts || [""]).size;
  const result = {
    ...run, index, summary, configuration, all, median, onGpu, ranks: summary.ranks || 1, totals: summary.totals || {},
    perRank: (summary.statistics && summary.statistics.per_rank) || [],
    rows: lastRepetition(parseCsv(run.metrics)),
    color: colorOf(index), dash: dashes[index % dashes.length], symbol: symbols[index % symbols.length],
    processors: onGpu ? summary.ranks : Math.min((summary.ranks || 1) * threads, cores),
    isWhole: summary.denoiser !== undefined || configuration.distribute_denoiser === false,  // unless there is a plan
    method: JSON.stringify(Object.entries(configuration).filter(([key]) => !sharing.has(key)).sort()),
  };
  result.breakdown = phases.map((phase) => {
    if (phase.key !== "other") return Math.max(0, median(phase.key) || 0);
    return Math.max(0, (median("iteration_time_sec") || 0) - (median("gradient_time_sec") || 0) - (median("denoise_time_sec") || 0));
  });
  return result;
});

// Short names: the ranks, then the settings in which the runs differ.
(function nameRuns() {
  const keys = [...new Set(runs.flatMap((run) => Object.keys(run.configuration)))];
  const quiet = new Set(["out", "image", "weights", "truth", "measurements", "threads", "shape", "resume"]);
  const differing = keys.filter((key) => !quiet.has(key) && new Set(runs.map((run) => JSON.stringify(run.configuration[key]))).size > 1);
  const telling = differing.filter((key) => !sharing.has(key));
  const say = (key, value) => (typeof value === "string" ? value : `${key.replaceAll("_", " ")} ${value}`);
  for (const keys of [telling, differing]) {
    for (const run of runs) {
      const parts = [`${run.ranks} ${run.ranks === 1 ? "rank" : "ranks"}`, ...keys.map((key) => say(key, run.configuration[key]))];
      run.label = parts.join(", ");
    }
    if (new Set(runs.map((run) => run.label)).size === runs.length) return;
  }
  for (const run of runs) run.label += ` (${run.folder.split("/").filter(Boolean).pop()})`;
})();

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
    element.innerHTML = plainPlot(title, traces, layout);
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

// Without plotly.js: lines or stacked bars in a plain picture, linear or logarithmic axes, a legend of words.
function plainPlot(title, traces, layout) {
  const width = 640, height = 380, left = 64, right = 12, top = 34, bottom = 70;
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
    const legend = `<text x="${left + (k % 3) * 190}" y="${height - 24 + Math.floor(k / 3) * 16}" fill="${color}" font-size="12">■ ${escape(trace.name)}</text>`;
    if (!isBar) {
      const points = trace.x.map((x, i) => [x, trace.y[i]]).filter(([, y]) => isNumber(y));
      return `<polyline fill="none" stroke="${color}" stroke-width="2" points="${points.map(([x, y]) => `${px(log(layout.xaxis, x))},${py(log(layout.yaxis, y))}`).join(" ")}"/>${legend}`;
    }
    const bars = trace.x.map((x, i) => {
      const c = categories.indexOf(x), from = base[c];
      base[c] += trace.y[i] || 0;
      return `<rect x="${px(c - 0.35)}" width="${px(0.35) - px(-0.35)}" y="${py(base[c])}" height="${py(from) - py(base[c])}" fill="${color}"/>`;
    });
    return bars.join("") + legend;
  });
  const back = (axis, v) => (axis.type === "log" ? 10 ** v : v);
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((t) => `<text x="${left - 6}" y="${py(y0 + t * dy) + 4}" text-anchor="end" font-size="11" fill="currentColor">${number(back(layout.yaxis, y0 + t * dy))}</text>`
    + (isBar ? "" : `<text x="${px(x0 + t * dx)}" y="${height - bottom + 16}" text-anchor="middle" font-size="11" fill="currentColor">${number(back(layout.xaxis, x0 + t * dx))}</text>`));
  const names = isBar ? categories.map((x, c) => `<text x="${px(c)}" y="${height - bottom + 16}" text-anchor="middle" font-size="11" fill="currentColor">${escape(x)}</text>`) : [];
  return `<svg class="plain" viewBox="0 0 ${width} ${height}"><text x="0" y="16" font-size="15" fill="currentColor">${escape(title)}</text>`
    + `<path d="M${left} ${top}V${height - bottom}H${width - right}" fill="none" stroke="currentColor"/>${ticks.join("")}${names.join("")}${marks.join("")}</svg>`;
}
