// What Optimise found: the default beside the chosen set, predicted beside measured, the rest.

import { bytes, ssim } from "./figures.js";
import { make } from "./elements.js";
import { keyOf } from "./sweep.js";
import { changes } from "./words.js";

const at = (id) => document.getElementById(id);
const ORIGINS = {
  default: "VTracer’s defaults", rule: "rule", neighbour: "worked for a similar logo",
  front: "predicted front", tpe: "search", coarse: "coarse look", refine: "refined",
};

/**
 * @param answer the server's OptimizeAnswer
 * @param defaults VTracer's
 * @param shell the same as a command
 * @param onuse called with an attempt
 */
export function showOutcome(answer, defaults, shell, onuse) {
  at("outcome").hidden = false;
  at("reason").textContent = capital(answer.reason);
  const title = answer.status === "found" ? "Chosen" : "Best found";
  const chosen = answer.chosen && card(title, answer.chosen, answer.default);
  at("verdict").replaceChildren(...[answer.default && card("VTracer’s defaults", answer.default), chosen].filter(Boolean));
  const differs = answer.chosen ? `${title}: ${changes(answer.chosen.parameters, defaults)}.` : "";
  at("changes").replaceChildren(make("span", { textContent: `${differs} In a shell: ` }), make("code", { textContent: shell }));
  const n = answer.n_conversions;
  at("spent").textContent = `${n} real ${n === 1 ? "conversion" : "conversions"} in ${answer.seconds.toFixed(1)} s. ${capital(answer.confidence)}`;
  at("tried").replaceChildren(...table(answer, defaults, onuse));
}

const capital = (text) => (text ? text[0].toUpperCase() + text.slice(1) : "");

function card(title, attempt, beside) {
  const { measured, predicted } = attempt;
  const box = make("div", {}, make("h3", { textContent: title }));
  if (!measured) {
    box.append(make("p", { textContent: attempt.error ?? "not converted" }));
    return box;
  }
  box.append(make("p", { className: "big", textContent: `${ssim(measured.ssim, 4)} · ${bytes(measured.svg_bytes)}` }));
  const foreseen = predicted ? `predicted ${ssim(predicted.ssim)} · ${bytes(predicted.svg_bytes)}` : "nothing was predicted";
  box.append(make("p", { className: "quiet", textContent: `${foreseen}; ${measured.path_count} paths, worst tile ${ssim(measured.ssim_worst_tile)}` }));
  if (beside?.measured && beside !== attempt) {
    const factor = measured.svg_bytes / beside.measured.svg_bytes;
    const gained = measured.ssim - beside.measured.ssim;
    const sign = gained < 0 ? "−" : "+";
    box.append(make("p", { textContent: `${factor.toFixed(2)} × the default’s size, SSIM ${sign}${Math.abs(gained).toFixed(4)}` }));
  }
  return box;
}

function table(answer, defaults, onuse) {
  const names = ["Setting", "SSIM", "predicted", "Bytes", "predicted", "From", ""];
  const head = make("tr", {}, ...names.map((name) => make("th", { scope: "col", textContent: name })));
  const isChosen = (attempt) => Number(answer.chosen != null && keyOf(attempt.parameters) === keyOf(answer.chosen.parameters));
  const chosenFirst = answer.attempts.toSorted((a, b) => isChosen(b) - isChosen(a));
  const rows = chosenFirst.map((attempt) => {
    const { measured, predicted } = attempt;
    const text = (value, className = "") => make("td", { textContent: value, className });
    const use = make("button", { type: "button", textContent: "Use", "aria-label": `Use ${changes(attempt.parameters, defaults)}` });
    use.addEventListener("click", () => onuse(attempt));
    return make(
      "tr", { className: isChosen(attempt) ? "chosen" : "" },
      text(changes(attempt.parameters, defaults), "said"),
      text(measured ? ssim(measured.ssim, 4) : attempt.error ? "failed" : "–"),
      text(predicted ? ssim(predicted.ssim) : "–", "guess"),
      text(measured ? bytes(measured.svg_bytes) : "–"),
      text(predicted ? bytes(predicted.svg_bytes) : "–", "guess"),
      text(ORIGINS[attempt.origin] ?? attempt.origin),
      make("td", {}, use),
    );
  });
  return [make("thead", {}, head), make("tbody", {}, ...rows)];
}
