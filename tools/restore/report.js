"use strict";
// A restored image: pictures and their window, what is left of each measurement, the course of the solver, the plan.

const isVolume = data.restored.slices > 1 || data.restored_maximum !== undefined;
const channels = data.restored.channels;
// "colour", or the number of a channel; the slice as a part of the depth; the measurement beside the restored image.
const view = {channel: channels === 3 ? "colour" : 0, depth: 0.5, black: 0, white: 1, measurement: 0};
const canvases = [];  // how to paint each again

// 16-bit codes from low to high: channels, slices, rows, columns.
function decoded(picture) {
  const bytes = Uint8Array.from(atob(picture.codes), (character) => character.charCodeAt(0));
  return {...picture, codes: new Uint16Array(bytes.buffer)};
}

const sliceOf = (picture) => Math.round(view.depth * (picture.slices - 1));

function paintCanvas(canvas, picture, [black, white]) {
  const {columns, rows, slices, low, high, codes} = picture, size = rows * columns;
  canvas.width = columns;
  canvas.height = rows;
  canvas.style.imageRendering = columns < 400 ? "pixelated" : "auto";
  const context = canvas.getContext("2d"), image = context.createImageData(columns, rows);
  const factor = (255 * (high - low)) / 65535 / (white - black), offset = (255 * (low - black)) / (white - black);
  for (let c = 0; c < 3; ++c) {
    const from = ((view.channel === "colour" ? c : view.channel) * slices + sliceOf(picture)) * size;
    for (let i = 0; i < size; ++i) image.data[4 * i + c] = offset + factor * codes[from + i];  // clamped by the array
  }
  for (let i = 0; i < size; ++i) image.data[4 * i + 3] = 255;
  context.putImageData(image, 0, 0);
}

// A figure with a canvas that is painted again when the view changes; picture() and caption() are asked each time.
function pictureFigure(picture, caption, range) {
  const canvas = tag("canvas", {role: "img"}), words = tag("figcaption");
  canvases.push(() => {
    paintCanvas(canvas, picture(), range());
    words.textContent = caption(picture());
    canvas.setAttribute("aria-label", words.textContent);
  });
  return tag("figure", {}, canvas, words);
}

function paintAll() {
  for (const again of canvases) again();
  for (const slider of document.querySelectorAll("input.depth")) slider.value = view.depth * slider.max;
}

const sizeWords = (picture) => {
  const shrunk = picture.shrunk > 1 ? `, each pixel the mean of ${picture.shrunk} × ${picture.shrunk}` : "";
  const slice = picture.slices > 1 ? `, slice ${sliceOf(picture) + 1} of ${picture.slices}` : "";
  return slice + shrunk;
};

function depthSlider(slices) {
  const slider = tag("input", {type: "range", class: "depth", min: 0, max: slices - 1, step: 1});
  slider.addEventListener("input", () => {
    view.depth = slider.value / slider.max;
    paintAll();
  });
  return tag("label", {class: "wide"}, "Slice ", slider);
}

const restored = decoded(data.restored);
const measured = data.measurements.map((each) => decoded(each.measured));

// The value that a part of the restored samples does not exceed.
function quantile(part) {
  const counts = new Uint32Array(65536);
  for (const code of restored.codes) ++counts[code];
  let code = 0;
  for (let sum = counts[0]; sum < part * restored.codes.length && code < 65535; sum += counts[code]) ++code;
  return restored.low + (code * (restored.high - restored.low)) / 65535;
}

function windowControls() {
  const all = [restored, ...measured];
  const low = Math.min(...all.map((picture) => picture.low), ...(data.window ? [data.window[0]] : []));
  const high = Math.max(...all.map((picture) => picture.high), ...(data.window ? [data.window[1]] : []));
  const steps = 1000, unit = (high - low) / steps || 1;
  const sliders = {};
  const set = (black, white) => {
    Object.assign(view, {black, white: Math.max(white, black + unit / 100)});
    for (const [name, {slider, output}] of Object.entries(sliders)) {
      slider.value = (view[name] - low) / unit;
      output.textContent = number(view[name]);
    }
    paintAll();
  };
  const rows = ["black", "white"].map((name) => {
    const slider = tag("input", {type: "range", min: 0, max: steps, step: 1}), output = tag("output");
    slider.addEventListener("input", () => {
      const value = low + slider.value * unit;
      if (name === "black") set(value, Math.max(view.white, value + unit));
      else set(Math.min(view.black, value - unit), value);
    });
    sliders[name] = {slider, output};
    return tag("label", {class: "window"}, name === "black" ? "Black" : "White", slider, output);
  });
  const button = (words, act) => {
    const made = tag("button", {type: "button"}, words);
    made.addEventListener("click", act);
    return made;
  };
  const middle = () => set(quantile(0.005), quantile(0.995));
  at("view").append(...rows, button("Whole range", () => set(low, high)), button("Middle 99 %", middle));
  return () => (data.window ? set(...data.window) : middle());
}

function select(words, names, act) {
  const made = tag("select", {}, ...names.map((name, i) => new Option(name, i)));
  made.addEventListener("change", () => {
    act(Number(made.value));
    paintAll();
  });
  return tag("label", {}, `${words} `, made);
}

function pictures() {
  if (channels > 1) {
    const choices = [...(channels === 3 ? ["colour"] : []), ...Array(channels).keys()];
    at("view").append(select("Channel", choices.map((choice) => (choice === "colour" ? choice : choice + 1)), (i) => (view.channel = choices[i])));
  }
  if (measured.length > 1) {
    at("view").append(select("Measurement", data.measurements.map((each, i) => `${i + 1}: ${each.file}`), (i) => (view.measurement = i)));
  }
  const start = windowControls(), range = () => [view.black, view.white];
  const chosen = () => data.measurements[view.measurement];
  const ofChosen = () => `${chosen().file} as measured${chosen().background ? `, less its background of ${number(chosen().background)}` : ""}`;
  at("images").append(
    pictureFigure(() => restored, (picture) => `Restored${sizeWords(picture)}`, range),
    pictureFigure(() => measured[view.measurement], (picture) => ofChosen() + sizeWords(picture), range));
  if (isVolume) {
    at("images").before(depthSlider(restored.slices));
    const maximum = decoded(data.restored_maximum), maxima = data.measurements.map((each) => decoded(each.measured_maximum));
    at("images").append(
      pictureFigure(() => maximum, (picture) => `Restored: maximum of all slices${sizeWords(picture)}`, range),
      pictureFigure(() => maxima[view.measurement], (picture) => `${ofChosen()}: maximum of all slices${sizeWords(picture)}`, range));
  }
  return start;
}

function residualWords(each) {
  const share = number(each.share_of_noise, 2);
  const size = each.level === undefined ? `Residuals are ${share} of the noise of counting`
    : `Residuals are ${number(each.share_of_noise * each.level)} where the noise is ${number(each.level)}: ${share} of it`;
  return `${size}. Whiteness ${number(each.whiteness, 2)}; about 1 is white, more has structure.`;
}

function residuals() {
  const {drawn, counted} = data.residuals;
  data.measurements.forEach((each, i) => {
    const picture = decoded(each.residual), width = (2 * counted) / each.histogram.length;
    const x = each.histogram.map((_, k) => -counted + (k + 0.5) * width);
    const plot = tag("div", {class: "plot", id: `histogram-${i + 1}`});
    const shrunk = picture.shrunk > 1 ? `, each pixel the mean of ${picture.shrunk} × ${picture.shrunk}, times ${picture.shrunk}` : "";
    const slice = () => (picture.slices > 1 ? `, slice ${sliceOf(picture) + 1} of ${picture.slices}` : "");
    const legend = tag("div", {class: "ramp", "aria-hidden": "true"}, tag("span", {}, `−${drawn}`), tag("i"), tag("span", {}, `+${drawn}`));
    const figure = pictureFigure(() => picture, () => `Residual over noise${slice()}${shrunk}`, () => [-drawn, drawn]);
    figure.querySelector("canvas").after(legend);
    at("measurements").append(tag("section", {class: "measurement"},
      tag("h3", {}, `${i + 1}: ${each.file}`), tag("p", {}, residualWords(each)),
      ...(picture.slices > 1 ? [depthSlider(picture.slices)] : []),
      tag("div", {class: "pair"}, figure, tag("figure", {}, plot, tag("figcaption", {}, "How often residuals are how large, and, dashed, what Gaussian noise has. Those beyond are counted at the ends.")))));
    draw(plot.id, "Histogram", [
      {name: "residuals", x, y: each.histogram, mode: "lines", line: {color: colorOf(0), shape: "hvh"}},
      {name: "noise", x, y: x.map((value) => Math.exp((-value * value) / 2) / Math.sqrt(2 * Math.PI)), mode: "lines", line: {color: colorOf(1), dash: "dash"}},
    ], {xaxis: {title: "residual / noise"}, yaxis: {title: "share per unit", rangemode: "tozero"}});
  });
}

function course() {
  const curve = (id, title, name, points, xaxis, yaxis, caption) => {
    const known = points.filter(([, y]) => isNumber(y) && (yaxis.type !== "log" || y > 0));
    if (known.length < 2) return;
    at("curves").append(tag("figure", {}, tag("div", {class: "plot", id}), tag("figcaption", {}, caption)));
    const [x, y] = [known.map(([each]) => each), known.map(([, each]) => each)];
    draw(id, title, [{name, x, y, mode: "lines+markers", line: {color: colorOf(0)}}],
      {xaxis: {...xaxis, ...(xaxis.type === "log" ? ticks125(x) : {})}, yaxis: {...yaxis, ...(yaxis.type === "log" ? ticks125(y) : {})}});
  };
  curve("changes", "Convergence", "change", data.changes.map((change, i) => [i + 1, change]), {title: "iteration"}, {title: "relative change", type: "log"},
    "How far the image still moves: ‖x new − x old‖ / ‖x new‖ of each iteration.");
  curve("trials", "Weight of the prior", "trials", [...data.trials].sort((a, b) => a[0] - b[0]), {title: "weight", type: "log"}, {title: "what the rule looks at"},
    `What each weight that was tried gives; taken: ${number(data.weight && data.weight.value)}.`);
  reveal("course", at("curves").children.length > 0);
}

function summary() {
  const cards = [], card = (value, text) => cards.push(tag("li", {}, tag("strong", {}, value), tag("span", {}, text)));
  card(number(Math.sqrt(data.misfit), 2), "of the noise is left in the residuals; about 1 if operator and noise are right");
  const whiteness = Math.max(...data.measurements.map((each) => each.whiteness));
  card(number(whiteness, 2), `whiteness of the residuals${measured.length > 1 ? ", of the worst measurement" : ""}; about 1 is white, more has structure`);
  card(String(data.changes.length), `iterations of ${data.solver} in ${number(data.seconds, 2)} s`);
  if (data.weight) card(number(data.weight.value, 4), `weight of the prior, after ${data.weight.trials} trials`);
  at("answers").replaceChildren(...cards);
  const notes = [];
  if (data.misfit > 1.5) notes.push(`Squared residuals are ${number(data.misfit)} times what the noise makes of them: an operator or a noise level is not that of the measurements.`);
  if (data.weight && !data.weight.fits) notes.push("No weight of the prior that was tried is what the rule looks for.");
  at("notes").replaceChildren(...notes.map((note) => tag("p", {class: "note"}, note)));
  at("about").textContent = `${data.output}, from ${measured.length === 1 ? data.measurements[0].file : `${measured.length} measurements`} by ${data.solver}`
    + `${data.prior === "none" ? "" : ` with the prior ${data.prior}`}. Reported ${data.created}.`;
  document.title = `tessera: ${data.output}`;
  at("version").textContent = data.version;
}

summary();
const start = pictures();
residuals();
start();  // paints
course();
const found = data.weight ? [["prior weight", number(data.weight.value, 4), `found in ${data.weight.trials} trials`]] : [];
fillTable(at("rows"), ["", "What will be done", "Who says so"], [...data.plan, ...found], () => true);
