// Settings to take along: VTracer's command, Python, JSON; and the SVG as a file.

const FLAGS = { layer_difference: "gradient_step", length_threshold: "segment_length" };
const SPELT = { binary: "bw", none: "pixel" }; // where the command line has words of its own

export const stem = (name) => name.replace(/\.[^.]*$/, "") || "logo";

/** Safe as one word of a shell. */
export const quoted = (text) => (/^[\w.@%+=:,/][\w.@%+=:,/-]*$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** As text: "command", "python" or "json". */
function asText(kind, parameters, name) {
  if (kind === "json") return JSON.stringify(parameters, null, 2);
  const [source, target] = [name, `${stem(name)}.svg`];
  if (kind === "python") {
    const named = Object.entries(parameters).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
    const files = `${JSON.stringify(source)}, ${JSON.stringify(target)}`;
    return `import vtracer\n\nvtracer.convert_image_to_svg_py(\n    ${files},\n    ${named.join(", ")},\n)`;
  }
  const flags = Object.entries(parameters)
    .filter(([key]) => key !== "max_iterations") // the command has no flag for it
    .map(([key, value]) => `--${FLAGS[key] ?? key} ${SPELT[value] ?? value}`);
  return `vtracer --input ${quoted(source)} --output ${quoted(target)} ${flags.join(" ")}`;
}

/** Put such text on the clipboard, or where it can be copied by hand. */
export async function copy(kind, parameters, name) {
  const text = asText(kind, parameters, name);
  const alone = kind === "json" ? "" : " VTracer alone takes the file as it is; here it is put on white, and reduced if large.";
  const copied = await navigator.clipboard?.writeText(text).then(() => true, () => false);
  document.getElementById("copied").textContent = `${copied ? "Copied." : "To be copied by hand:"}${alone}`;
  const field = document.getElementById("to-copy");
  field.hidden = Boolean(copied); // a browser may refuse, and has no clipboard without https
  field.value = text;
  if (!copied) field.select();
}

/** Save an address as a file. */
export function save(url, name) {
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
}
