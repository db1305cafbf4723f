// The page: what the person does, what the server is asked, what is shown.

import * as api from "./api.js";
import { bytes, ssim } from "./figures.js";
import { Front } from "./front.js";
import { command, inWords, objective } from "./goal.js";
import { isTiff, receiveFiles } from "./incoming.js";
import { showOutcome } from "./outcome.js";
import { Pictures } from "./pictures.js";
import { drawBars, showMeasured, showPredicted } from "./readout.js";
import { Settings } from "./settings.js";
import { copy, save, stem } from "./sharing.js";
import { keyOf, setsAround, Sweep } from "./sweep.js";
import { begin, cancel, later } from "./underway.js";

const at = (id) => document.getElementById(id);
const REST = 120; // ms after which a slider is at rest
const SETTLED = 400; // ms after which its tracing is made, where that is wanted

const state = {
  model: null, // the server's ModelAnswer
  file: null,
  url: null, // of the file, for the picture
  parameters: null,
  prediction: null, // of these parameters; null: not known
  sweep: null,
  tried: new Map(), // key of a set -> {parameters, measured, predicted, url, difference}
  last: null, // the key whose tracing is shown
};
const pictures = new Pictures();
const front = new Front(at("front"), (parameters, predicted) => choose(parameters, predicted));
let settings = null;

// ---- what goes wrong

/** Do something that may fail, and say so in words if it does. */
async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    if (error.name === "AbortError") return undefined;
    if (!(error instanceof api.Problem)) throw error;
    complain(error);
    return undefined;
  }
}

function complain(problem) {
  say("");
  if (problem.code === "unauthorized") {
    at("key-form").hidden = false;
    at("key").focus();
    return;
  }
  at("alert-text").textContent = problem.message;
  at("alert").hidden = false;
}

const say = (text) => (at("status").textContent = text);

// ---- a logo

async function open(file) {
  await ready();
  const most = state.model.limits.max_request_bytes;
  if (file.size > most) {
    throw new api.Problem(`A file may have ${bytes(most)} here, ${file.name} has ${bytes(file.size)}.`);
  }
  const signal = begin("open");
  say(`Reading ${file.name}…`);
  const asked = [api.convert(file, settings.defaults, signal, isTiff(file)), api.predict(file, sets(settings.defaults), signal)];
  const first = await Promise.any(asked).catch((error) => Promise.reject(error.errors[0]));
  cancel("predict", "convert", "front", "optimise");
  show(file, first.image);
  await Promise.all([
    attempt(async () => {
      const answer = await asked[0];
      if (answer.picture) pictures.source(answer.picture, true);
      keep(answer);
      say(`Traced with VTracer’s defaults: SSIM ${ssim(answer.measured.ssim, 4)}, ${bytes(answer.measured.svg_bytes)}.`);
    }),
    attempt(async () => foresee(settings.defaults, await asked[1])),
    attempt(loadFront),
  ]);
}

function show(file, facts) {
  for (const url of [state.url, ...[...state.tried.values()].map((one) => one.url)]) URL.revokeObjectURL(url);
  Object.assign(state, { file, url: URL.createObjectURL(file), parameters: { ...settings.defaults }, prediction: null, sweep: null, tried: new Map(), last: null });
  at("alert").hidden = true;
  at("outcome").hidden = true;
  at("worth").hidden = true;
  at("name").textContent = file.name;
  at("about").textContent = about(facts);
  at("unlike").hidden = !facts.unlike_training;
  at("unlike").textContent = "This logo is unlike those the model learned from: trust its numbers less, and convert before you decide.";
  for (const id of ["controls", "convert", "download", "optimise"]) at(id).disabled = false;
  at("stop").hidden = true;
  pictures.source(state.url, facts.format !== "SVG");
  pictures.tracing(null, null, "Tracing", false);
  settings.show(state.parameters);
  settings.drawCurves(null);
  front.show(null);
  at("front-says").textContent = "";
  render();
}

function about(facts) {
  const size = `${facts.source_width} × ${facts.source_height} px`;
  const reduced = facts.width !== facts.source_width || facts.height !== facts.source_height;
  return `${facts.format}, ${size}${reduced ? `, traced at ${facts.width} × ${facts.height}` : ""}, on white`;
}

async function loadFront() {
  const none = at("front").querySelector(".empty");
  if (!state.model.available) {
    front.show(null, true);
    at("front-says").textContent = "No model answers, so there is no predicted front: the chart shows what was converted.";
    return render();
  }
  none.textContent = "Looking for the front…";
  try {
    front.show(await api.front(state.file, begin("front")));
    render();
  } catch (error) {
    none.textContent = "There is no front for this logo.";
    throw error;
  }
}

// ---- settings and their predictions

const sets = (parameters) => setsAround(parameters, state.model.parameters);

/** Take a set; `predicted` where it is known already. */
function choose(parameters, predicted = null) {
  say("");
  state.parameters = { ...parameters };
  state.prediction = predicted ?? state.sweep?.at(parameters) ?? null;
  settings.show(parameters);
  render();
  later("predict", REST, () => attempt(sweepHere));
  if (at("follow").checked) later("convert", SETTLED, () => tracingOf(state.parameters) || attempt(convertNow));
}

async function sweepHere() {
  if (!state.model.available) return;
  const parameters = state.parameters;
  foresee(parameters, await api.predict(state.file, sets(parameters), begin("predict")));
}

function foresee(parameters, answer) {
  heed(answer);
  state.sweep = answer.predictions && new Sweep(parameters, state.model.parameters, answer.predictions);
  state.prediction = state.sweep?.at(state.parameters) ?? state.prediction;
  settings.drawCurves(state.sweep);
  if (answer.interval) at("level").textContent = Math.round(100 * answer.interval);
  render();
}

/** An answer says which model gave it: it may have come, gone or changed since. */
function heed(answer) {
  const available = answer.status !== "unavailable";
  if (available === state.model.available && answer.model_version === state.model.model_version) return;
  Object.assign(state.model, { available, reason: answer.reason, model_version: answer.model_version });
  showModel();
}

// ---- conversions

const tracingOf = (parameters) => {
  const one = state.tried.get(keyOf(parameters));
  return one?.url ? one : null;
};

async function convertNow() {
  say("Converting…");
  const answer = await api.convert(state.file, state.parameters, begin("convert"));
  keep(answer);
  say(converted(answer));
}

/** Remember a conversion; with its SVG it can be shown and saved. */
function keep({ parameters, measured, predicted, svg, difference }) {
  const key = keyOf(parameters);
  const before = state.tried.get(key);
  const url = svg ? URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" })) : before?.url;
  if (svg && before?.url) URL.revokeObjectURL(before.url);
  state.tried.set(key, {
    parameters, measured, url,
    predicted: predicted ?? before?.predicted, // not every optimizer predicts
    difference: difference ?? before?.difference,
  });
  render();
}

function converted({ measured, predicted }) {
  const facts = `Converted: SSIM ${ssim(measured.ssim, 4)}, ${bytes(measured.svg_bytes)}, ${measured.path_count} paths; worst tile ${ssim(measured.ssim_worst_tile)}.`;
  if (!predicted) return facts;
  const inside = measured.ssim >= predicted.ssim_low && measured.ssim <= predicted.ssim_high;
  return `${facts} Predicted ${ssim(predicted.ssim)}: ${inside ? "inside" : "outside"} the band.`;
}

async function download() {
  const { parameters, file } = state; // the sliders may move meanwhile
  if (!tracingOf(parameters)) await convertNow();
  if (state.file === file) save(tracingOf(parameters).url, `${stem(file.name)}.svg`);
}

// ---- letting it choose

async function optimise() {
  const wanted = { ...objective(), method: state.model.available ? "predictive" : "adaptive" };
  say(state.model.available ? "Optimising: the best few are converted for real…" : "No model answers: searching by real conversions…");
  at("stop").hidden = false;
  const signal = begin("optimise");
  try {
    take(wanted, await api.optimize(state.file, wanted, signal));
  } finally {
    if (!signal.aborted) at("stop").hidden = true; // else whoever stopped it sees to that
  }
}

function take(wanted, answer) {
  for (const one of answer.attempts) {
    if (one.measured) keep({ ...one });
  }
  if (answer.chosen?.measured) keep({ ...answer.chosen, svg: answer.svg, difference: answer.difference });
  const foreseen = (one) => one && { ...one, predicted: one.predicted ?? state.tried.get(keyOf(one.parameters))?.predicted };
  const shown = { ...answer, default: foreseen(answer.default), chosen: foreseen(answer.chosen), attempts: answer.attempts.map(foreseen) };
  showOutcome(shown, settings.defaults, command(wanted, state.file.name), (one) => choose(one.parameters, one.predicted));
  at("worth").hidden = answer.status !== "do_not_vectorise";
  at("worth").textContent = `Better left as pixels: ${answer.reason}`;
  if (answer.chosen) choose(answer.chosen.parameters, answer.chosen.predicted);
  const { measured } = answer.chosen ?? {};
  const found = measured ? ` SSIM ${ssim(measured.ssim, 4)}, ${bytes(measured.svg_bytes)}.` : "";
  say(`${{ found: "Found.", not_reached: "Not reached.", do_not_vectorise: "Better left as pixels.", unavailable: "No answer." }[answer.status]}${found} What was tried stands under the chart.`);
}

function bounds() {
  const wanted = objective();
  const reached = state.file && state.tried.get(keyOf(settings.defaults))?.measured.ssim;
  at("goal-says").textContent = inWords(wanted, reached);
  const floor = wanted.min_ssim === "default" ? (wanted.objective === "smallest" ? reached : null) : wanted.min_ssim;
  return { floor: floor ?? null, ceiling: wanted.max_bytes || null };
}

// ---- the page follows the state

function render() {
  if (!state.file) return;
  const { parameters, prediction, sweep } = state;
  const key = keyOf(parameters);
  const mine = state.tried.get(key);
  const extent = sweep?.extent;
  showPredicted(prediction, !state.model.available);
  showMeasured(mine?.measured);
  drawBars(prediction, mine?.measured, extent);
  settings.announce(prediction);
  const defaults = keyOf(settings.defaults);
  const tried = [...state.tried].map(([one, value]) => ({ ...value, isDefault: one === defaults }));
  front.mark({ here: prediction, tried, ...bounds() }, (set) => keyOf(set) === key);
  renderTracing(key, mine);
}

function renderTracing(key, mine) {
  if (mine?.url) state.last = key;
  const last = state.tried.get(state.last);
  const others = state.last !== key;
  const caption = !last ? "Tracing" : others ? "Earlier settings. Convert to see these." : `Tracing, ${bytes(last.measured.svg_bytes)}`;
  pictures.tracing(last?.url, last?.difference, caption, Boolean(last && others));
}

function showModel() {
  const { available, reason, model_version: version } = state.model;
  at("model").className = `model ${available ? "ready" : "missing"}`;
  at("model").textContent = available ? `Model ${version}` : "No model: settings are measured, not predicted";
  at("fine").hidden = !available;
  at("no-model").hidden = available;
  if (!available) at("no-model").textContent = `No predictions: ${reason ?? "no model answers"}. Convert, Download and Optimise work by real conversions.`;
}

async function start() {
  state.model = await api.describe();
  settings = new Settings(state.model.parameters, (parameters) => choose(parameters));
  showModel();
  bounds();
}

let starting = null;

/** Ask the server who it is, once, and again where it could not say. */
const ready = () =>
  (starting ??= start().catch((error) => {
    starting = null;
    throw error;
  }));

// ---- what the person does

api.waiting.say = (seconds) => say(seconds ? `The server is busy; trying again in ${seconds} s.` : "Trying again…");
receiveFiles((file) => attempt(() => open(file)));
at("example").addEventListener("click", () => attempt(async () => open(await api.example())));
at("convert").addEventListener("click", () => attempt(convertNow));
at("download").addEventListener("click", () => attempt(download));
at("reset").addEventListener("click", () => state.file && choose(settings.defaults));
at("stop").addEventListener("click", () => {
  cancel("optimise");
  at("stop").hidden = true;
  say("Stopped.");
});
at("alert-close").addEventListener("click", () => (at("alert").hidden = true));
at("goal").addEventListener("input", () => state.model && (bounds(), render()));
at("goal").addEventListener("submit", (event) => (event.preventDefault(), attempt(optimise)));
at("settings").addEventListener("submit", (event) => event.preventDefault());
at("follow").addEventListener("change", () => state.file && choose(state.parameters, state.prediction));
at("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  api.useKey(at("key").value);
  at("key-form").hidden = true;
  attempt(ready);
});
for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", () => state.file && copy(button.dataset.copy, state.parameters, state.file.name));
}
attempt(ready);
