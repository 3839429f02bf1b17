"use strict";
// Runs as the page wants them, then its sections from top to bottom.

const phases = [
  {key: "gradient_compute_sec", name: "gradient", color: "#56b4e9", pattern: "/"},
  {key: "denoise_compute_sec", name: "denoiser", color: "#0072b2", pattern: ""},
  {key: "communication_time_sec", name: "communication", color: "#d55e00", pattern: "x"},
  {key: "waiting_time_sec", name: "waiting", color: "#f0e442", pattern: "."},
  {key: "other", name: "other", color: "#7f7f7f", pattern: "-"},
];

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

const lines = (run) => ({line: {color: run.color, dash: run.dash, width: 2.5}, marker: {color: run.color, symbol: run.symbol, size: 8}});
function about() {
  at("about").textContent = `${runs.length} ${runs.length === 1 ? "run" : "runs"}, reported ${data.created}.`;
  document.querySelector("h1").textContent = runs.length === 1 ? "A run" : "Runs compared";
  at("version").textContent = data.version;
  const notes = [...data.notes];
  if (!window.Plotly) notes.push("plotly.js was not found when tessera was built: the plots are plain pictures without zoom. Install the Python package plotly and build again.");
  if (runs.length === 0) notes.push("No finished run was found: there is nothing to show.");
  at("notes").replaceChildren(...notes.map((note) => tag("p", {class: "note"}, note)));
}

const withNumbers = (column) => runs.filter((run) => (run.rows[column] || []).some(isNumber));

// Groups of runs that compute the same on different numbers of ranks, fewest first.
function families() {
  const byMethod = new Map();
  for (const run of runs) byMethod.set(run.method, [...(byMethod.get(run.method) || []), run]);
  return [...byMethod.values()].map((family) => [...family].sort((a, b) => a.ranks - b.ranks));
}

function answers() {
  const cards = [];
  const card = (value, text) => cards.push(tag("li", {}, tag("strong", {}, value), tag("span", {}, text)));
  for (const family of families()) {
    const psnr = family.map((run) => run.totals.psnr).filter(isNumber);
    const name = families().length > 1 ? `${family[0].label.replace(/^\d+ ranks?, /, "")}: ` : "";
    const apart = Math.max(...psnr) - Math.min(...psnr);
    if (psnr.length > 1) card(`${apart < 0.001 ? "< 0.001" : number(apart, 2)} dB`, `${name}largest difference in final PSNR between its runs`);
    else if (psnr.length === 1) card(`${number(psnr[0], 4)} dB`, `${name}final PSNR`);
    const [first, last] = [family[0], family[family.length - 1]];
    if (psnr.length === 0) {
      if (isNumber(last.totals.objective)) card(number(last.totals.objective, 4), `${name}final objective`);
      if (isNumber(last.totals.iterations)) card(String(last.totals.iterations), `${name}iterations; the run ${last.summary.stopped}`);
    }
    if (last.ranks > first.ranks) {
      const gain = first.median("iteration_time_sec") / last.median("iteration_time_sec");
      const more = last.processors / first.processors, kind = first.onGpu ? "GPUs" : "cores";
      card(`${number(gain)}×`, `${name}speed of ${last.ranks} ranks over ${first.ranks}, on ${more === 1 ? `as many ${kind}` : `${number(more)} times the ${kind}`}`);
    }
    const shares = last.breakdown.map((seconds, i) => [seconds, phases[i].name]).sort((a, b) => b[0] - a[0]);
    const total = last.breakdown.reduce((sum, seconds) => sum + seconds, 0);
    if (total > 0) card(`${Math.round((100 * shares[0][0]) / total)} %`, `${name}of an iteration is ${shares[0][1]} (${last.label})`);
  }
  at("answers").replaceChildren(...cards.slice(0, 12));
}

function overview() {
  const seconds = (title, key) => [title, (run) => number(run.median(key))];
  const quality = [["PSNR dB", "psnr", 4], ["SSIM", "ssim", 3], ["Objective", "objective", 4]]
    .filter(([, key]) => runs.some((run) => isNumber(run.totals[key])))
    .map(([title, key, digits]) => [title, (run) => number(run.totals[key], digits)]);
  const columns = [...quality, seconds("Iteration s", "iteration_time_sec"), seconds("Gradient s", "gradient_time_sec"), seconds("Denoiser s", "denoise_time_sec"),
    seconds("Communication s", "communication_time_sec"), seconds("Waiting s", "waiting_time_sec"),
    ["Sent MB", (run) => number((run.median("communication_bytes") || 0) / 1e6)],
    ["Memory MB", (run) => number(run.all.memory_peak_mb ? run.all.memory_peak_mb.max : null)]];
  fillTable(at("runs"), ["Run", ...columns.map(([title]) => title)], runs.map((run) => {
    const name = tag("span", {}, tag("span", {class: "swatch", style: `background:${run.color}`}), run.label);
    return [name, ...columns.map(([, value]) => value(run))];
  }));
}

const curve = (run, x, y) => ({name: run.label, x, y, mode: "lines+markers", ...lines(run)});
const iterationsOf = (run) => run.rows.iteration.map((i) => i + 1);

function quality() {
  const known = withNumbers("psnr");
  reveal("quality", known.length > 0);
  if (known.length === 0) return;
  draw("plot-psnr-iteration", "PSNR against iteration", known.map((run) => curve(run, iterationsOf(run), run.rows.psnr)), {xaxis: {title: "iteration"}, yaxis: {title: "PSNR in dB"}});
  draw("plot-psnr-time", "PSNR against time", known.map((run) => curve(run, run.rows.time, run.rows.psnr)), {xaxis: {title: "seconds", rangemode: "tozero"}, yaxis: {title: "PSNR in dB"}});
}

// Draws a column against iteration, on a logarithmic axis if it spans a factor of ten; hides the figure if no run has it.
function progress(id, title, column) {
  const known = withNumbers(column);
  at(id).closest("figure").hidden = known.length === 0;
  if (known.length === 0) return false;
  const values = known.flatMap((run) => run.rows[column]).filter(isNumber);
  const positive = values.filter((value) => value > 0);
  const isLog = values.every((value) => value >= 0) && Math.max(...positive) > 10 * Math.min(...positive);
  const shown = (value) => (isNumber(value) && (!isLog || value > 0) ? value : null);
  draw(id, title, known.map((run) => curve(run, iterationsOf(run), run.rows[column].map(shown))),
    {xaxis: {title: "iteration"}, yaxis: isLog ? {title: "", type: "log", ...ticks125(positive), exponentformat: "e"} : {title: ""}});
  return true;
}

function convergence() {
  const drawn = [progress("plot-objective", "Objective", "objective"), progress("plot-change", "Relative change", "relative_change")];
  reveal("convergence", drawn.some(Boolean));
}

const bar = (phase, x, y) => ({type: "bar", name: phase.name, x, y, marker: {color: phase.color, line: {width: 1, color: "#00000055"}, pattern: {shape: phase.pattern, fillmode: "overlay", fgcolor: "#000", fgopacity: 0.35, size: 6}}});
// Long names in two lines, so that they fit below a bar.
const broken = (label) => label.replace(", ", "<br>");

function time() {
  draw("plot-time", "An iteration", phases.map((phase, i) => bar(phase, runs.map((run) => broken(run.label)), runs.map((run) => run.breakdown[i]))), {barmode: "stack", xaxis: {title: "", type: "category"}, yaxis: {title: "seconds"}});
  const warmup = runs.length > 0 && runs[0].summary.statistics ? runs[0].summary.statistics.warmup_iterations : 0;
  at("time-caption").textContent = `Medians over iterations, repetitions and ranks; the first ${warmup === 1 ? "iteration is" : `${warmup} iterations are`} left out as warm-up. `
    + "Gradient and denoiser are what a rank computes itself; communication moves data; waiting is for ranks that are not ready yet; other is the stopping rules.";
}

function memory() {
  const traces = [];
  for (const run of runs) {
    for (const [phase, dash] of [["gradient", "dot"], ["denoise", "solid"]]) {
      const y = run.rows[`${phase}_memory_${run.onGpu ? "peak" : "allocated"}_mb`];
      if (!y || !y.some(isNumber)) continue;
      traces.push({name: `${run.label}: ${phase === "gradient" ? "gradient" : "denoiser"}`, x: run.rows.iteration.map((i) => i + 1), y, mode: "lines+markers",
        line: {color: run.color, dash, width: 2.5}, marker: {color: run.color, symbol: phase === "gradient" ? `${run.symbol}-open` : run.symbol, size: 7}});
    }
  }
  reveal("memory", traces.length > 0);
  if (traces.length === 0) return;
  draw("plot-memory", "Memory of a step, first rank", traces, {xaxis: {title: "iteration"}, yaxis: {title: "MB", rangemode: "tozero"}});
  at("memory-caption").textContent = runs.every((run) => run.onGpu) ? "The most that tensors held during the step."
    : "On the CPU: the resident set of the process at the end of the step, libraries and weights included. On a GPU: the most that tensors held during the step.";
}

function scaling() {
  const several = families().filter((family) => new Set(family.map((run) => run.ranks)).size > 1);
  reveal("scaling", several.length > 0);
  if (several.length === 0) return;
  const times = [], efficiency = [];
  for (const family of several) {
    const x = family.map((run) => run.ranks), first = family[0];
    const name = several.length > 1 ? `${first.label.replace(/^\d+ ranks?, /, "")}: ` : "";
    const ideal = family.map((run) => (first.median("iteration_time_sec") * first.processors) / run.processors);
    const series = (what, key, extra) => times.push({name: name + what, x, y: family.map((run) => run.median(key)), mode: "lines+markers", ...extra});
    // One method: a colour per quantity; several: a colour per method.
    const style = (color, dash, symbol) => {
      const shade = several.length > 1 ? first.color : color;
      return {line: {color: shade, dash, width: 2.5}, marker: {color: shade, symbol, size: 8}};
    };
    series("iteration", "iteration_time_sec", style("#d55e00", "solid", "circle"));
    series("denoiser", "denoise_time_sec", style("#0072b2", "dash", "square"));
    series("gradient", "gradient_time_sec", style("#009e73", "dot", "diamond"));
    times.push({name: `${name}ideal`, x, y: ideal, mode: "lines", line: {color: css("--soft"), dash: "longdash", width: 1.5}});
    efficiency.push({name: `${name}iteration`, x, y: family.map((run, i) => (100 * ideal[i]) / run.median("iteration_time_sec")), mode: "lines+markers", ...lines(first)});
  }
  const ranks = [...new Set(several.flat().map((run) => run.ranks))].sort((a, b) => a - b);
  efficiency.push({name: "ideal", x: [ranks[0], ranks[ranks.length - 1]], y: [100, 100], mode: "lines", line: {color: css("--soft"), dash: "longdash", width: 1.5}});
  const xaxis = {title: "ranks", type: "log", tickvals: ranks, ticktext: ranks.map(String)};
  draw("plot-scaling", "Strong scaling", times, {xaxis, yaxis: {title: "seconds per iteration", type: "log", ...ticks125(times.flatMap((trace) => trace.y))}});
  draw("plot-efficiency", "Parallel efficiency", efficiency, {xaxis, yaxis: {title: "%", rangemode: "tozero"}});
  const shared = several.flat().filter((run) => !run.onGpu && run.ranks > 1 && new Set(run.summary.hosts).size === 1);
  at("scaling-note").hidden = shared.length === 0;
  at("scaling-note").textContent = `On the CPU the ideal counts the cores at work: ${several.flat().map((run) => `${run.processors} of ${run.ranks} ${run.ranks === 1 ? "rank" : "ranks"}`).join(", ")}. `
    + "Ranks that share the cores of one machine can hardly be faster than one rank that has them all; more threads than cores are slower.";
}

// --- ranks and tiles ---

const svg = (name, attributes, ...children) => tag(`svg:${name}`, attributes, ...children);
const box = (spans) => `M${spans[1][0]} ${spans[0][0]}H${spans[1][1]}V${spans[0][1]}H${spans[1][0]}Z`;

function tilePicture(run) {
  const plan = run.plan;
  if (!plan || plan.shape.length !== 2) {
    at("tiles").replaceChildren(...(run.pictures.reconstruction ? [tag("img", {src: data.pictures[run.pictures.reconstruction].uri, alt: "The restored picture", style: "width:100%"})] : []));
    at("tiles-caption").textContent = plan ? "The tiles are three-dimensional and not drawn."
      : run.isWhole ? "The denoiser was given the whole picture: there are no tiles."
      : "The run does not tell how its denoiser cuts the picture.";
    return;
  }
  const [height, width] = plan.shape, unit = Math.max(height, width) / 600;
  const picture = svg("svg", {viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "Tile plan"});
  const defs = svg("defs", {});
  picture.append(defs);
  if (run.pictures.reconstruction) picture.append(svg("image", {href: data.pictures[run.pictures.reconstruction].uri, width, height, preserveAspectRatio: "none"}));
  const detail = svg("g", {"pointer-events": "none"});
  const show = (i) => {
    const tile = plan.tiles[i], color = colorOf(tile.owner);
    const size = (spans) => spans.map(([a, b]) => b - a).reverse().join(" × ");
    detail.replaceChildren(
      svg("path", {d: box(tile.window) + box(tile.support), "fill-rule": "evenodd", fill: color, "fill-opacity": .35}),
      svg("path", {d: box(tile.window), fill: "none", stroke: "#fff", "stroke-width": 3 * unit}),
      svg("path", {d: box(tile.window), fill: "none", stroke: color, "stroke-width": 2 * unit, "stroke-dasharray": `${8 * unit} ${4 * unit}`}),
      svg("path", {d: box(tile.support) + box(tile.core), "fill-rule": "evenodd", fill: `url(#hatch)`}),
      svg("path", {d: box(tile.core), fill: "none", stroke: "#000", "stroke-width": 2.5 * unit}));
    at("tiles-caption").textContent = `${plan.tiles.length} tiles. Number and colour: the rank that denoises a tile. Chosen: tile ${i + 1} of rank ${tile.owner}, core ${size(tile.core)} pixels, `
      + `given to the denoiser with its halo (dashed) as ${size(tile.window)}; hatched: blended with its neighbours. Choose another with the pointer, or Tab and Enter.`;
  };
  const hatch = svg("pattern", {id: "hatch", width: 6 * unit, height: 6 * unit, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)"});
  hatch.append(svg("rect", {width: 6 * unit, height: 6 * unit, fill: "#fff", "fill-opacity": .5}), svg("rect", {width: 2.5 * unit, height: 6 * unit, fill: "#000"}));
  defs.append(hatch);
  plan.tiles.forEach((tile, i) => {
    const color = colorOf(tile.owner), [[top, bottom], [left, right]] = tile.core;
    const text = svg("text", {x: (left + right) / 2, y: (top + bottom) / 2, "font-size": Math.min(28 * unit, (right - left) / 2, (bottom - top) / 2), "text-anchor": "middle", "dominant-baseline": "central",
      fill: "#fff", stroke: "#000", "stroke-width": 3 * unit, "paint-order": "stroke", "font-weight": 700, "font-family": "system-ui, sans-serif"}, String(tile.owner));
    const group = svg("g", {class: "tile", tabindex: 0, role: "button", "aria-label": `Tile ${i + 1}, rank ${tile.owner}`},
      svg("path", {class: "core", d: box(tile.core), fill: color, "fill-opacity": .4, stroke: "#fff", "stroke-width": 1.5 * unit}), text);
    group.addEventListener("click", () => show(i));
    group.addEventListener("focus", () => show(i));
    picture.append(group);
  });
  picture.append(detail);
  at("tiles").replaceChildren(picture);
  // The tile in the middle has a halo on most of its sides.
  const distance = (tile) => Math.hypot((tile.core[0][0] + tile.core[0][1] - height) / 2, (tile.core[1][0] + tile.core[1][1] - width) / 2);
  show(plan.tiles.reduce((best, tile, i) => (distance(tile) < distance(plan.tiles[best]) ? i : best), 0));
}

function rankDetail(run) {
  const ranks = run.perRank, names = ranks.map((rank) => `rank ${rank.rank}`);
  const median = (rank, key) => (rank[key] ? rank[key].median : null);
  draw("plot-ranks", run.label, phases.slice(0, 4).map((phase) => bar(phase, names, ranks.map((rank) => Math.max(0, median(rank, phase.key) || 0)))),
    {barmode: "stack", xaxis: {title: "", type: "category"}, yaxis: {title: "seconds"}});
  tilePicture(run);
  const tiles = (rank) => (run.plan ? run.plan.tiles.filter((tile) => tile.owner === rank).length : "–");
  const operators = run.summary.operators_per_rank || [];
  fillTable(at("rank-table"), ["Rank", "Host", "Threads", "Operators", "Tiles", "Gradient s", "Denoiser s", "Communication s", "Waiting s", "Sent MB", "Memory MB"],
    ranks.map((rank) => [`${rank.rank}`, rank.host, rank.threads, operators[rank.rank] ?? "–", tiles(rank.rank),
      ...["gradient_time_sec", "denoise_time_sec", "communication_time_sec", "waiting_time_sec"].map((key) => number(median(rank, key))),
      number((median(rank, "communication_bytes") || 0) / 1e6), number(rank.memory_peak_mb ? rank.memory_peak_mb.max : null)]));
}

function ranks() {
  const select = at("rank-run");
  select.replaceChildren(...runs.map((run, i) => new Option(run.label, i)));
  if (runs.length === 0) return;
  const most = runs.reduce((best, run, i) => (run.ranks > runs[best].ranks ? i : best), 0);
  select.value = most;
  select.addEventListener("change", () => rankDetail(runs[select.value]));
  rankDetail(runs[most]);
}

// --- pictures ---

function pictureChoices() {
  const choices = new Map();  // picture -> name
  for (const run of runs) {
    for (const [label, id] of Object.entries(run.pictures)) {
      if (!choices.has(id)) choices.set(id, label === "reconstruction" ? `restored, ${run.label}` : label);
      else if (label === "reconstruction") choices.set(id, `${choices.get(id)}; ${run.label}`);
    }
  }
  return [...choices].map(([id, name]) => ({id, name, ...data.pictures[id]}));
}

function pictures() {
  const choices = pictureChoices();
  reveal("pictures", choices.length > 0);
  if (choices.length === 0) return;
  at("compare").classList.toggle("single", choices.length === 1);
  const viewport = at("viewport"), slider = at("slider"), left = at("image-left"), right = at("image-right");
  const view = {scale: 1, x: 0, y: 0};  // of the pictures' upper left corner, in units of the viewport
  const selects = [at("compare-left"), at("compare-right")];
  for (const select of selects) select.replaceChildren(...choices.map((choice, i) => new Option(choice.name, i)));
  const find = (pattern, otherwise) => Math.max(otherwise, choices.findIndex((choice) => pattern.test(choice.name)));
  selects[0].value = find(/^measurement/, Math.min(1, choices.length - 1));
  selects[1].value = find(/^restored/, 0);

  function show() {
    const p = slider.value / 100;
    const inPicture = Math.min(1, Math.max(0, (p - view.x) / view.scale));
    left.style.clipPath = `inset(0 ${100 - 100 * inPicture}% 0 0)`;
    for (const image of [left, right]) image.style.transform = `translate(${100 * view.x}%, ${100 * view.y}%) scale(${view.scale})`;
    at("divider").style.left = `${100 * p}%`;
    at("zoom-level").textContent = `${Math.round(100 * view.scale)} %`;
    viewport.classList.toggle("near", view.scale >= 4);
    const names = selects.map((select) => choices[select.value].name);
    viewport.setAttribute("aria-label", choices.length === 1 ? names[0] : `${names[0]} on the left, ${names[1]} on the right of the line at ${slider.value} %`);
    slider.setAttribute("aria-valuetext", `${slider.value} % ${names[0]}`);
  }
  function choose() {
    const chosen = selects.map((select) => choices[select.value]);
    left.src = chosen[0].uri;
    right.src = chosen[1].uri;
    viewport.style.aspectRatio = `${chosen[1].width} / ${chosen[1].height}`;
    show();
  }
  function place(scale, x, y) {
    view.scale = Math.min(16, Math.max(1, scale));
    view.x = Math.min(0, Math.max(1 - view.scale, x));
    view.y = Math.min(0, Math.max(1 - view.scale, y));
    show();
  }
  // Zooms so that the point (u, v) of the viewport stays where it is.
  function zoom(factor, u = 0.5, v = 0.5) {
    const scale = Math.min(16, Math.max(1, view.scale * factor)), change = scale / view.scale;
    place(scale, u - (u - view.x) * change, v - (v - view.y) * change);
  }
  const where = (event) => {
    const frame = viewport.getBoundingClientRect();
    return [(event.clientX - frame.left) / frame.width, (event.clientY - frame.top) / frame.height];
  };

  selects.forEach((select) => select.addEventListener("change", choose));
  slider.addEventListener("input", show);
  at("zoom-in").addEventListener("click", () => zoom(1.5));
  at("zoom-out").addEventListener("click", () => zoom(1 / 1.5));
  at("zoom-reset").addEventListener("click", () => place(1, 0, 0));
  viewport.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2, ...where(event));
  }, {passive: false});
  viewport.addEventListener("keydown", (event) => {
    const moves = {ArrowLeft: [0.1, 0], ArrowRight: [-0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1]};
    if (event.key === "+" || event.key === "=") zoom(1.5);
    else if (event.key === "-") zoom(1 / 1.5);
    else if (event.key === "0") place(1, 0, 0);
    else if (moves[event.key]) place(view.scale, view.x + moves[event.key][0], view.y + moves[event.key][1]);
    else return;
    event.preventDefault();
  });

  // One pointer near the line moves it, elsewhere in an enlarged picture it moves the picture; two pointers zoom.
  const pointers = new Map();
  let movesLine = false;
  viewport.addEventListener("pointerdown", (event) => {
    viewport.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, where(event));
    const [u] = where(event);
    movesLine = view.scale === 1 || Math.abs(u - slider.value / 100) < 0.06;
    if (movesLine && pointers.size === 1) { slider.value = 100 * u; show(); }
    viewport.style.touchAction = view.scale === 1 ? "pan-y" : "none";
  });
  viewport.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const now = where(event);
    const others = [...pointers].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
    pointers.set(event.pointerId, now);
    if (others.length > 0) {
      const apart = (point) => Math.hypot(point[0] - others[0][0], point[1] - others[0][1]);
      zoom(apart(now) / Math.max(0.01, apart(before)), (now[0] + others[0][0]) / 2, (now[1] + others[0][1]) / 2);
    } else if (movesLine) {
      slider.value = 100 * now[0];
      show();
    } else {
      place(view.scale, view.x + now[0] - before[0], view.y + now[1] - before[1]);
    }
  });
  for (const end of ["pointerup", "pointercancel"]) viewport.addEventListener(end, (event) => pointers.delete(event.pointerId));
  choose();
  at("print-pictures").replaceChildren(...[...new Set(selects.map((select) => select.value))].map((value) => {
    const choice = choices[value];
    return tag("figure", {}, tag("img", {src: choice.uri, alt: choice.name}), tag("figcaption", {}, choice.name));
  }));
}

// --- configuration ---

function configuration() {
  const rows = [];
  const add = (name, values) => {
    const texts = values.map((value) => (value === undefined || value === null || value === "" ? "–" : typeof value === "object" ? JSON.stringify(value) : String(value)));
    if (texts.some((text) => text !== "–")) rows.push([name, ...texts]);
  };
  const keys = [...new Set(runs.flatMap((run) => Object.keys(run.configuration)))];
  for (const key of keys) add(key, runs.map((run) => run.configuration[key]));
  add("ranks", runs.map((run) => run.ranks));
  add("hosts", runs.map((run) => [...new Set(run.summary.hosts || [])].join(", ")));
  add(keys.includes("device") ? "device used" : "device", runs.map((run) => run.summary.device));
  if (!keys.includes("backend") && runs.some((run) => run.summary.backend)) add("backend", runs.map((run) => run.summary.backend));
  for (const key of ["processor", "cores", "threads_per_rank"]) add(key, runs.map((run) => (run.summary.machine || {})[key]));
  add("memory_gb", runs.map((run) => number(((run.summary.machine || {}).memory_mb || 0) / 1024)));
  for (const key of ["tessera", "libtorch"]) add(`version of ${key}`, runs.map((run) => (run.summary.versions || {})[key]));
  for (const key of ["iterations", "setup_time_sec", "time_sec", "recording_time_sec", "objective", "relative_change"]) add(key, runs.map((run) => (isNumber(run.totals[key]) ? number(run.totals[key], 4) : undefined)));
  add("repetitions", runs.map((run) => (run.summary.statistics || {}).repetitions));
  add("stopped", runs.map((run) => run.summary.stopped));
  add("folder", runs.map((run) => run.folder));
  at("settings-hint").hidden = runs.length < 2;
  fillTable(at("settings"), ["", ...runs.map((run) => run.label)], rows, (cell) => typeof cell === "string" && cell.length > 14);
  [...at("settings").tBodies[0].rows].forEach((row, i) => row.classList.toggle("differs", new Set(rows[i].slice(1)).size > 1));
}

about();
if (runs.length > 0) {
  for (const section of [answers, overview, quality, convergence, time, memory, scaling, ranks, pictures, configuration]) section();
} else {
  for (const section of document.querySelectorAll("main > section")) section.hidden = true;
}
