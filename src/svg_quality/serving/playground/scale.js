// Maps from SSIM and bytes to places in a drawing.

export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/** Linear: `low` goes to `start`, `high` to `end`. */
export function linear(low, high, start, end) {
  const width = high - low || 1;
  return (value) => start + ((value - low) / width) * (end - start);
}

/** The same in the logarithm: sizes differ by factors. */
export function logarithmic(low, high, start, end) {
  const map = linear(Math.log(low), Math.log(high), start, end);
  return (value) => map(Math.log(Math.max(value, 1)));
}

const EXACT = 0.0005; // 1 - SSIM that counts as identical

/**
 * For SSIM: every halving of what is missing to 1 takes the same room, so that 0.95 and 0.97,
 * which a designer tells apart, do not fall together because another setting gives 0.5.
 */
export function likeness(low, high, start, end) {
  const far = (value) => -Math.log(Math.max(1 - value, EXACT));
  const map = linear(far(low), far(high), start, end);
  return (value) => map(far(value));
}

const LIKENESS_TICKS = [-1, 0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999];

/** Values to label between two SSIM: well-known ones, or round steps where these are too few. */
export function likenessTicks(low, high) {
  const known = LIKENESS_TICKS.filter((value) => value >= low && value <= high);
  return known.length >= 3 ? known : ticks(low, high, 4);
}

/** Round steps between two SSIM, about `n` of them. */
function ticks(low, high, n) {
  const rough = (high - low) / n;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= rough) * power;
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first + 1;
  return Array.from({ length: count }, (_, i) => Number(((first + i) * step).toPrecision(6)));
}

/** 1, 2 and 5 of every power of ten between two sizes; only powers where these are many. */
export function logTicks(low, high) {
  const made = [];
  for (let power = 10 ** Math.floor(Math.log10(low)); power <= high; power *= 10) {
    for (const factor of high / low > 300 ? [1] : [1, 2, 5]) {
      if (factor * power >= low && factor * power <= high) made.push(factor * power);
    }
  }
  return made;
}
