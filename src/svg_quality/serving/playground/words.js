// The eleven parameters in a designer's words. Ranges, choices and defaults come from the server.

/** In the order of the page; `everyday` ones stand first and are always open. */
export const WORDS = {
  mode: {
    everyday: true, label: "Outlines",
    help: "What outlines are made of. Pixels look like stairs when enlarged.",
    choices: { spline: "Curves", polygon: "Lines", none: "Pixels" },
  },
  color_precision: {
    everyday: true, label: "Colour precision", unit: " bit", colours: true,
    help: "Bits kept of each colour. Fewer: flatter colours, fewer shapes.",
  },
  layer_difference: {
    everyday: true, label: "Layer difference", unit: "", colours: true,
    help: "Grey levels between layers. Higher: gradients become fewer, broader steps.",
  },
  filter_speckle: {
    everyday: true, label: "Speckle filter", unit: " px",
    help: "Patches up to this side are dropped: noise, but small dots too.",
  },
  corner_threshold: {
    everyday: true, label: "Corner threshold", unit: "°", curves: true,
    help: "Turns sharper than this stay corners. Higher: rounder.",
  },
  path_precision: {
    everyday: true, label: "Decimals", unit: "", curves: true,
    help: "Digits after the point in coordinates: size, hardly ever looks.",
  },
  colormode: {
    label: "Colours", help: "Black and white traces the dark parts only.",
    choices: { color: "Colour", binary: "Black and white" },
  },
  hierarchical: {
    label: "Shapes", help: "Stacked shapes lie on one another; cut-out ones never overlap.",
    choices: { stacked: "Stacked", cutout: "Cut out" },
  },
  length_threshold: {
    label: "Segment length", unit: " px", curves: true,
    help: "Curves are divided until no segment is longer.",
  },
  splice_threshold: {
    label: "Splice angle", unit: "°", curves: true,
    help: "Where the direction turns by more than this, one curve ends and the next begins.",
  },
  max_iterations: {
    label: "Smoothing rounds", unit: "", curves: true, help: "How often outlines are smoothed, at most.",
  },
};

/** Why VTracer does not read a parameter beside the others; "" where it does. */
export function idle(name, { mode, colormode }) {
  if (WORDS[name].curves && mode !== "spline") return "Does nothing now: VTracer reads it for curves only.";
  if (WORDS[name].colours && colormode === "binary") return "Does nothing now: VTracer does not read it in black and white.";
  return "";
}

/** A value as it is shown. */
export function shown(name, value) {
  const { choices, unit } = WORDS[name];
  return choices ? choices[value] : `${Number(value.toFixed(2))}${unit}`;
}

/** What differs from the defaults, as text. */
export function changes(parameters, defaults) {
  const said = Object.keys(WORDS)
    .filter((name) => parameters[name] !== defaults[name])
    .map((name) => `${WORDS[name].label} ${shown(name, parameters[name])}`.toLowerCase());
  return said.length ? said.join(", ") : "VTracer’s defaults";
}
