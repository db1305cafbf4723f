// The predicted Pareto front of size and quality: a chart to click on and to walk with the keys.
//
// To assistive technology it is a slider over the front's points, smallest file first.

import { row, sentence, shortBytes } from "./figures.js";
import { draw, path } from "./elements.js";
import { clamp, likeness, likenessTicks, logarithmic, logTicks } from "./scale.js";

const MARGIN = { left: 46, right: 14, top: 12, bottom: 34 };
/** A front as stairs: between two points only what the smaller one gives can be had. */
const steps = (points) => points.flatMap(([x, y], i) => (i ? [[x, points[i - 1][1]], [x, y]] : [[x, y]]));

const REACH = 28; // px: so near to a point a click chooses it

export class Front {
  #box;
  #onchoose;
  #parameters = [];
  #points = []; // predictions
  #place = -1; // of the chosen point, -1: none
  #marks = { here: null, tried: [], floor: null, ceiling: null };
  #alone = false; // no front: only what was converted is drawn
  #svg = null;
  #x = null;
  #y = null;

  constructor(box, onchoose) {
    this.#box = box;
    this.#onchoose = onchoose;
    new ResizeObserver(() => this.draw()).observe(box);
  }

  /** Take the server's answer; null while there is none, and `alone` where none will come. */
  show(answer, alone = false) {
    this.#alone = alone;
    this.#parameters = answer?.parameters ?? [];
    this.#points = answer ? this.#parameters.map((_, i) => row(answer.predictions, i)) : [];
    this.#place = -1;
    this.draw();
  }

  /** Mark the present settings (`isHere` knows them), what was converted, and the goal's bounds. */
  mark(marks, isHere) {
    this.#marks = marks;
    this.#place = this.#parameters.findIndex(isHere);
    this.draw();
  }

  draw() {
    const { width, height } = this.#box.getBoundingClientRect();
    const empty = !this.#points.length && !(this.#alone && this.#marks.tried.length);
    this.#box.firstElementChild.hidden = !empty;
    if (empty) this.#svg?.remove();
    if (empty) this.#svg = null;
    if (empty || width < 50) return;
    this.#svg ??= this.#makeSvg();
    this.#scales(width, height);
    this.#svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.#svg.replaceChildren(...this.#grid(width, height), ...this.#bounds(width, height), ...this.#curve(), ...this.#tried(), ...this.#here());
    if (this.#alone) return;
    const now = this.#place < 0 ? this.#nearestToHere() : this.#place;
    this.#svg.setAttribute("aria-valuemax", this.#points.length);
    this.#svg.setAttribute("aria-valuenow", now + 1);
    const which = this.#place < 0 ? "between the points; nearest" : "point";
    this.#svg.setAttribute("aria-valuetext", `${which} ${now + 1} of ${this.#points.length}: ${sentence(this.#points[now])}`);
  }

  #makeSvg() {
    if (this.#alone) return this.#put(draw("svg", { role: "img", "aria-label": "Size and SSIM of what was converted" }));
    const svg = draw("svg", { tabindex: 0, role: "slider", "aria-label": "Predicted front, smallest file first", "aria-valuemin": 1, "aria-describedby": "front-says" });
    svg.addEventListener("keydown", (event) => this.#walk(event));
    svg.addEventListener("pointerdown", (event) => this.#choose(this.#nearest(event)));
    svg.addEventListener("pointermove", (event) => this.#hover(this.#nearest(event)));
    svg.addEventListener("pointerleave", () => this.#say(this.#place));
    return this.#put(svg);
  }

  #put(svg) {
    this.#box.append(svg);
    return svg;
  }

  #scales(width, height) {
    const { here, tried, floor, ceiling } = this.#marks;
    const extras = [here, ...tried.map((one) => one.measured)].filter(Boolean);
    const sizes = [...this.#points, ...extras].map((p) => p.svg_bytes).concat(ceiling ?? []);
    const qualities = [...this.#points, ...extras].map((p) => p.ssim).concat(floor ?? []);
    const [low, high] = [Math.min(...qualities), Math.max(...qualities)];
    const room = Math.max(0.01, 0.06 * (high - low));
    this.domain = { x: [Math.min(...sizes) / 1.15, Math.max(...sizes) * 1.15], y: [low - room, Math.min(high + room, 1)] };
    this.#x = logarithmic(...this.domain.x, MARGIN.left, width - MARGIN.right);
    this.#y = likeness(...this.domain.y, height - MARGIN.bottom, MARGIN.top);
  }

  #grid(width, height) {
    const bottom = height - MARGIN.bottom;
    const parts = [];
    for (const value of likenessTicks(...this.domain.y)) {
      const y = this.#y(value);
      parts.push(draw("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: y, y2: y }));
      parts.push(draw("text", { x: MARGIN.left - 6, y: y + 4, "text-anchor": "end" }, String(Number(value.toFixed(4)))));
    }
    let free = 0;
    for (const value of logTicks(...this.domain.x)) {
      const x = this.#x(value);
      parts.push(draw("line", { class: "grid", x1: x, x2: x, y1: MARGIN.top, y2: bottom }));
      if (x < free || x > width - 24) continue;
      parts.push(draw("text", { x, y: bottom + 15, "text-anchor": "middle" }, shortBytes(value)));
      free = x + 34;
    }
    parts.push(draw("text", { class: "axis", x: width - MARGIN.right, y: height - 4, "text-anchor": "end" }, "size, bytes: smaller is better"));
    parts.push(draw("text", { class: "axis", x: MARGIN.left + 4, y: MARGIN.top + 10 }, "SSIM: higher is better"));
    return parts;
  }

  #bounds(width, height) {
    const { floor, ceiling } = this.#marks;
    const [left, right, top, bottom] = [MARGIN.left, width - MARGIN.right, MARGIN.top, height - MARGIN.bottom];
    const parts = [];
    if (floor != null) {
      const y = clamp(this.#y(floor), top, bottom);
      parts.push(draw("rect", { class: "outside", x: left, y, width: right - left, height: bottom - y }));
      parts.push(draw("line", { class: "bound", x1: left, x2: right, y1: y, y2: y }));
      parts.push(draw("text", { class: "bound-label", x: right - 4, y: y > top + 24 ? y - 5 : y + 14, "text-anchor": "end" }, "lowest SSIM"));
    }
    if (ceiling != null) {
      const x = clamp(this.#x(ceiling), left, right);
      parts.push(draw("rect", { class: "outside", x, y: top, width: right - x, height: bottom - top }));
      parts.push(draw("line", { class: "bound", x1: x, x2: x, y1: top, y2: bottom }));
      parts.push(draw("text", { class: "bound-label", x: x - 5, y: bottom - 6, "text-anchor": "end" }, "largest size"));
    }
    return parts;
  }

  #curve() {
    if (this.#alone) return [];
    const { y: domain } = this.domain;
    const at = (p, field) => [this.#x(p.svg_bytes), this.#y(clamp(p[field], ...domain))];
    const stairs = (field) => steps(this.#points.map((p) => at(p, field)));
    const band = [...stairs("ssim_high"), ...stairs("ssim_low").reverse()];
    return [
      draw("path", { class: "band", d: `${path(band)}Z` }),
      draw("path", { class: "curve", d: path(stairs("ssim")) }),
      ...this.#points.map((p) => draw("circle", { class: "point", cx: this.#x(p.svg_bytes), cy: this.#y(p.ssim), r: 3.5 })),
    ];
  }

  #tried() {
    const parts = [];
    for (const { measured, predicted, isDefault } of this.#marks.tried) {
      const [x, y] = [this.#x(measured.svg_bytes), this.#y(measured.ssim)];
      if (predicted) parts.push(draw("line", { class: "gap", x1: x, y1: y, x2: this.#x(predicted.svg_bytes), y2: clamp(this.#y(predicted.ssim), 0, 4000) }));
      parts.push(draw("rect", { class: "tried", x: x - 3, y: y - 3, width: 6, height: 6, transform: `rotate(45 ${x} ${y})` }));
      if (isDefault) parts.push(draw("text", { class: "axis", x: x - 8, y: y + 16, "text-anchor": "end" }, "default"));
    }
    return parts;
  }

  #here() {
    const { here } = this.#marks;
    return here ? [draw("circle", { class: "here", cx: this.#x(here.svg_bytes), cy: this.#y(here.ssim), r: 8 })] : [];
  }

  #distance(i, x, y) {
    return Math.hypot(this.#x(this.#points[i].svg_bytes) - x, this.#y(this.#points[i].ssim) - y);
  }

  #closest(x, y) {
    return this.#points.reduce((best, _, i) => (this.#distance(i, x, y) < this.#distance(best, x, y) ? i : best), 0);
  }

  #nearestToHere() {
    const { here } = this.#marks;
    return here ? this.#closest(this.#x(here.svg_bytes), this.#y(here.ssim)) : 0;
  }

  #nearest(event) {
    const { left, top } = this.#svg.getBoundingClientRect();
    const [x, y] = [event.clientX - left, event.clientY - top];
    const i = this.#closest(x, y);
    return this.#distance(i, x, y) <= REACH ? i : -1;
  }

  #choose(i) {
    if (i < 0) return;
    this.#place = i;
    this.#onchoose(this.#parameters[i], this.#points[i]);
    this.#say(i);
  }

  #hover(i) {
    this.#say(i < 0 ? this.#place : i);
  }

  #say(i) {
    const said = i < 0 ? "" : `Point ${i + 1} of ${this.#points.length}: ${sentence(this.#points[i])}`;
    document.getElementById("front-says").textContent = said;
  }

  #walk(event) {
    const last = this.#points.length - 1;
    const from = this.#place < 0 ? this.#nearestToHere() : this.#place;
    const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 5, PageDown: -5 }[event.key];
    const to = { Home: 0, End: last }[event.key] ?? (step ? clamp(from + (this.#place < 0 ? 0 : step), 0, last) : -1);
    if (to < 0) return;
    event.preventDefault();
    this.#choose(to);
  }
}
