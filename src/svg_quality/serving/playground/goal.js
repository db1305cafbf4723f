// What Optimise is asked for: smallest or most alike, a lowest SSIM, a largest size.

import { bytes } from "./figures.js";
import { quoted } from "./sharing.js";

const at = (id) => document.getElementById(id);

/** The API's fields; `min_ssim` "default" means what VTracer's defaults reach. */
export function objective() {
  const form = at("goal");
  const prefer = form.elements.prefer.value;
  const [floor, ceiling] = [at("min-ssim").value, at("max-bytes").value];
  return {
    objective: prefer === "smallest" ? "smallest" : "best-ssim",
    min_ssim: floor === "" ? "default" : Number(floor),
    max_bytes: ceiling === "" ? 0 : Number(ceiling),
  };
}

/** The same in a sentence; `reached` is the default's measured SSIM, where it is known. */
export function inWords({ objective: prefer, min_ssim, max_bytes }, reached) {
  const within = max_bytes ? ` within ${bytes(max_bytes)}` : "";
  if (prefer === "best-ssim") {
    const floor = min_ssim === "default" ? "" : ` and at least ${min_ssim}`;
    return `The highest SSIM${within || " at any size"}${floor}.`;
  }
  const known = reached == null ? "" : ` (${reached.toFixed(3)})`;
  const floor = min_ssim === "default" ? `the default’s SSIM${known}` : `an SSIM of ${min_ssim} or more`;
  return `The smallest file that keeps ${floor}${within}.`;
}

/** The same as a command. */
export function command({ objective: prefer, min_ssim, max_bytes }, name) {
  const words = ["svg-quality optimize", quoted(name)];
  if (prefer !== "smallest") words.push("--objective best-ssim");
  if (min_ssim !== "default") words.push(`--min-ssim ${min_ssim}`);
  if (max_bytes) words.push(`--max-bytes ${max_bytes}`);
  return words.join(" ");
}
