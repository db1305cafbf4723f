// Numbers and settings as text.

const thousands = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export const ssim = (value, decimals = 3) => value.toFixed(decimals);

export const bytes = (value) => `${thousands.format(Math.round(value))} B`;

/** Short, for axes: 950, 1.2k, 35k, 1.4M. */
export function shortBytes(value) {
  for (const [unit, letter] of [[1e6, "M"], [1e3, "k"]]) {
    if (value >= unit) return `${Number((value / unit).toPrecision(2))}${letter}`;
  }
  return String(Math.round(value));
}

/** One sentence of a prediction. */
export const sentence = (p) =>
  `SSIM ${ssim(p.ssim)} (${ssim(p.ssim_low)} to ${ssim(p.ssim_high)}), ` +
  `${bytes(p.svg_bytes)} (${thousands.format(p.bytes_low)} to ${thousands.format(p.bytes_high)})`;

/** The i-th of an answer's columns. */
export const row = (columns, i) =>
  Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values[i]]));
