// The REST API, as this page asks it. Nothing else in the page uses the network.

const KEY = "svg-quality-key"; // in sessionStorage: gone when the tab closes
const PATIENCE = 60_000; // ms that a busy server is waited for

/** What went wrong, in words for the person at the page. */
export class Problem extends Error {
  constructor(message, code = "") {
    super(message);
    this.code = code;
  }
}

/** Called with the seconds to wait while the server is busy, and with 0 when it no longer is. */
export const waiting = { say: () => {} };

export const useKey = (key) => sessionStorage.setItem(KEY, key);

export const describe = () => ask("v1/model");

export const predict = (file, sets, signal) =>
  ask("v1/predict", form(file, { parameters: JSON.stringify(sets) }), signal);

export const front = (file, signal) => ask("v1/front", form(file, {}), signal);

/** With `picture` the answer also holds the logo as it was traced, as a PNG. */
export const convert = (file, parameters, signal, picture = false) =>
  ask("v1/convert", form(file, { parameters: JSON.stringify(parameters), picture }), signal);

export const optimize = (file, objective, signal) =>
  ask("v1/optimize", form(file, { ...objective, difference: true }), signal);

/** The example that comes with the page. */
export async function example() {
  const answer = await reach("playground/example.svg", {});
  return new File([await answer.blob()], "example.svg", { type: "image/svg+xml" });
}

function form(file, fields) {
  const body = new FormData();
  body.append("image", file, file.name || "pasted.png");
  for (const [name, value] of Object.entries(fields)) body.append(name, String(value));
  return body;
}

async function ask(path, body, signal) {
  const until = performance.now() + PATIENCE;
  const key = sessionStorage.getItem(KEY);
  const request = { method: body ? "POST" : "GET", body, signal, headers: key ? { "X-API-Key": key } : {} };
  for (;;) {
    const answer = await reach(path, request);
    if (answer.ok) return answer.json();
    const seconds = Math.max(1, Number(answer.headers.get("Retry-After")) || 1);
    if (answer.status !== 429 || performance.now() + 1000 * seconds > until) {
      throw await problemOf(answer);
    }
    waiting.say(seconds);
    await pause(1000 * seconds, signal);
    waiting.say(0);
  }
}

async function reach(path, request) {
  try {
    return await fetch(path, request);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("The server does not answer. Is svg-quality serve still running? Your logo is still here: try again.", "gone");
  }
}

const CANNOT_BE_USED = new Set(["unreadable_image", "unsupported_image", "image_too_small", "image_too_large", "request_too_large"]);
const OWN_WORDS = {
  internal_error: "Something went wrong on the server; its log says what. Your logo is still here.",
  timeout: "This took longer than the server allows. Try simpler settings or a smaller logo.",
  foreign_origin: "The server answers to its own page only: open the address that svg-quality serve printed.",
};

async function problemOf(answer) {
  let said = {};
  try {
    said = await answer.json();
  } catch {
    // Not from svg-quality: a proxy's own page, say.
  }
  const detail = said.detail || said.title || `the server answered ${answer.status} without saying why`;
  const before = CANNOT_BE_USED.has(said.code) ? "This file cannot be used: " : "";
  const words = OWN_WORDS[said.code] ?? `${before}${detail}.`;
  return new Problem(words[0].toUpperCase() + words.slice(1), said.code);
}

function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => reject(new DOMException("no longer wanted", "AbortError"));
    if (signal?.aborted) return stop();
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => (clearTimeout(timer), stop()), { once: true });
  });
}
