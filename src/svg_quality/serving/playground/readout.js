// Predicted beside measured: two numbers, and a bar with the interval for each.

import { bytes, ssim } from "./figures.js";
import { draw } from "./elements.js";
import { clamp, likeness, logarithmic } from "./scale.js";

const at = (id) => document.getElementById(id);

/** Show what is predicted of the settings; null while it is not known. */
export function showPredicted(prediction, known = true) {
  at("ssim-predicted").textContent = prediction ? ssim(prediction.ssim) : known ? "–" : "…";
  at("bytes-predicted").textContent = prediction ? bytes(prediction.svg_bytes) : known ? "–" : "…";
}

/** Show what a conversion with the settings gave; null where none was made. */
export function showMeasured(measured) {
  at("ssim-measured").textContent = measured ? ssim(measured.ssim, 4) : "–";
  at("bytes-measured").textContent = measured ? bytes(measured.svg_bytes) : "–";
}

/** Draw both bars over the range that the sliders can reach. */
export function drawBars(prediction, measured, extent) {
  const [lowest, highest] = widen(extent?.ssim, [prediction?.ssim_low, prediction?.ssim_high, measured?.ssim]);
  const [least, most] = widen(extent?.svg_bytes, [prediction?.bytes_low, prediction?.bytes_high, measured?.svg_bytes]);
  const p = prediction;
  bar(at("ssim-bar"), likeness(lowest, highest, 0, 200), p && [p.ssim_low, p.ssim, p.ssim_high], measured?.ssim);
  bar(at("bytes-bar"), logarithmic(least, most, 0, 200), p && [p.bytes_low, p.svg_bytes, p.bytes_high], measured?.svg_bytes);
}

function widen(span, values) {
  const all = [...(span ?? []), ...values.filter((value) => value != null)];
  return all.length ? [Math.min(...all), Math.max(...all)] : [0, 1];
}

function bar(svg, scale, interval, measured) {
  const x = (value) => clamp(scale(value), 0, 200).toFixed(2);
  const tick = (style, value) => draw("line", { class: style, x1: x(value), x2: x(value), y1: 1, y2: 19 });
  const parts = [draw("line", { class: "base", x1: 0, x2: 200, y1: 10, y2: 10 })];
  if (interval) {
    const [low, middle, high] = interval;
    parts.push(draw("rect", { class: "band", x: x(low), width: Math.max(x(high) - x(low), 0.5), y: 3, height: 14 }));
    parts.push(tick("predicted", middle));
  }
  if (interval && measured != null) parts.push(tick("measured", measured));
  svg.replaceChildren(...parts);
}
