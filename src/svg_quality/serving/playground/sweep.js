// One request that foresees every move of every slider.
//
// A sweep is the predictions at one set and at every value of each parameter with the others
// fixed: some 760 sets. So a slider follows the hand without asking the server, and the curve
// behind it is there too.

import { row } from "./figures.js";

const FIELDS = ["ssim", "svg_bytes"];

/** Values a slider can take. `range` is one of the server's ParameterRange. */
export function valuesOf(range) {
  if (range.choices) return range.choices;
  const step = stepOf(range);
  const n = Math.round((range.high - range.low) / step);
  return Array.from({ length: n + 1 }, (_, i) => Number((range.low + i * step).toFixed(3)));
}

export const stepOf = (range) => (range.whole ? 1 : 0.1);

/** Two sets with equal texts are the same set. */
export const keyOf = (parameters) => JSON.stringify(parameters, Object.keys(parameters).sort());

/** The sets to ask for: `at` first, then each parameter's values; defaults are left out. */
export function setsAround(at, ranges) {
  const sets = [at];
  for (const range of ranges) {
    for (const value of valuesOf(range)) sets.push({ ...at, [range.name]: value });
  }
  return sets.map((set) =>
    Object.fromEntries(ranges.filter((r) => set[r.name] !== r.default).map((r) => [r.name, set[r.name]])),
  );
}

export class Sweep {
  #at;
  #columns;
  #spans = new Map();

  /** `columns` belong to `setsAround(at, ranges)`, in that order. */
  constructor(at, ranges, columns) {
    this.#at = at;
    this.#columns = columns;
    let start = 1;
    for (const range of ranges) {
      const values = valuesOf(range);
      this.#spans.set(range.name, { values, start });
      start += values.length;
    }
  }

  /** The prediction of a set that differs in one parameter at most; otherwise null. */
  at(parameters) {
    const changed = Object.keys(this.#at).filter((name) => parameters[name] !== this.#at[name]);
    if (changed.length === 0) return row(this.#columns, 0);
    if (changed.length > 1) return null;
    const { values, start } = this.#spans.get(changed[0]);
    const place = values.indexOf(parameters[changed[0]]);
    return place < 0 ? null : row(this.#columns, start + place);
  }

  /** What one parameter does: its values, and SSIM and bytes at each. */
  curve(name) {
    const { values, start } = this.#spans.get(name);
    const part = (field) => this.#columns[field].slice(start, start + values.length);
    return { values, ssim: part("ssim"), svg_bytes: part("svg_bytes") };
  }

  /** Lowest and highest SSIM and bytes of the whole sweep: one scale for all curves. */
  get extent() {
    return Object.fromEntries(
      FIELDS.map((field) => [field, [Math.min(...this.#columns[field]), Math.max(...this.#columns[field])]]),
    );
  }
}
