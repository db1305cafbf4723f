// Logo and tracing side by side: what lies behind them, how near they are, and the difference.

import { clamp } from "./scale.js";

const at = (id) => document.getElementById(id);
const ZOOMS = [1, 2, 4, 8];

export class Pictures {
  #box = at("pictures");
  #panes = [...document.querySelectorAll("[data-pane]")];
  #zoom = 1;
  #x = 0; // per cent of a picture's width
  #y = 0;
  #view = "tracing";
  #has = { tracing: false, difference: false };
  #caption = "";

  constructor() {
    for (const name of ["view", "ground", "zoom"]) {
      for (const input of document.querySelectorAll(`input[name=${name}]`)) {
        input.addEventListener("change", () => this[`_${name}`](input.value));
      }
    }
    for (const pane of this.#panes) {
      pane.addEventListener("keydown", (event) => this.#key(event));
      pane.addEventListener("pointerdown", (event) => this.#drag(event, pane));
    }
    at("source").addEventListener("load", () => this.#crisp());
    at("source").addEventListener("error", () => (at("source").alt = "This browser cannot show such files. The server can read it."));
    this._ground("checkers");
  }

  /** A new logo: its address, and whether it is made of pixels. */
  source(url, isPixels) {
    at("source").alt = "The logo";
    at("source").src = url;
    at("source").dataset.pixels = isPixels;
    this.#box.hidden = false;
    at("drop").hidden = true;
    this.#zoomTo(1);
  }

  /** Show a conversion, or none; `earlier` says that the sliders have moved since. */
  tracing(url, difference, caption, earlier) {
    this.#picture("tracing", url);
    this.#picture("difference", difference);
    this.#box.classList.toggle("earlier", earlier);
    this.#caption = caption;
    this.#show();
  }

  #picture(id, url) {
    this.#has[id] = Boolean(url);
    if (url) at(id).src = url;
    else at(id).removeAttribute("src");
  }

  #show() {
    const difference = this.#view === "difference";
    at("tracing").hidden = difference || !this.#has.tracing;
    at("difference").hidden = !difference || !this.#has.difference;
    at("tracing-caption").textContent = difference && !this.#box.classList.contains("earlier") ? "Difference: the darker, the farther off" : this.#caption;
    const missing = difference && this.#has.tracing && !this.#has.difference;
    at("pane-note").textContent = missing ? "Convert to see where it differs." : "";
  }

  _view(value) {
    this.#view = value;
    this.#show();
  }

  _ground(value) {
    this.#box.classList.toggle("checkers", value === "checkers");
    this.#box.classList.toggle("white", value === "white");
  }

  _zoom(value) {
    this.#zoomTo(Number(value));
  }

  #zoomTo(zoom) {
    this.#zoom = zoom;
    document.querySelector(`input[name=zoom][value="${zoom}"]`).checked = true;
    this.#box.classList.toggle("enlarged", zoom > 1);
    this.#move(zoom === 1 ? -this.#x : 0, zoom === 1 ? -this.#y : 0);
    this.#crisp();
  }

  #move(dx, dy) {
    const reach = 50; // no farther than a corner of the picture in the middle of the pane
    this.#x = clamp(this.#x + dx, -reach, reach);
    this.#y = clamp(this.#y + dy, -reach, reach);
    for (const pane of this.#panes) {
      pane.style.setProperty("--zoom", this.#zoom);
      pane.style.setProperty("--x", this.#x);
      pane.style.setProperty("--y", this.#y);
    }
  }

  /** Pixels that are drawn twice as large or more are shown as pixels, not as a blur. */
  #crisp() {
    const image = at("source");
    const longer = Math.max(image.naturalWidth, image.naturalHeight) || Infinity;
    const enlarged = (image.clientWidth * this.#zoom) / longer;
    image.classList.toggle("crisp", image.dataset.pixels === "true" && enlarged >= 2);
  }

  #key(event) {
    const nearer = { "+": 1, "=": 1, "-": -1 }[event.key];
    if (nearer) {
      const place = clamp(ZOOMS.indexOf(this.#zoom) + nearer, 0, ZOOMS.length - 1);
      this.#zoomTo(ZOOMS[place]);
      return event.preventDefault();
    }
    const far = 8 / this.#zoom;
    const step = { ArrowLeft: [far, 0], ArrowRight: [-far, 0], ArrowUp: [0, far], ArrowDown: [0, -far] }[event.key];
    if (!step || this.#zoom === 1) return undefined;
    this.#move(...step);
    return event.preventDefault();
  }

  #drag(event, pane) {
    if (this.#zoom === 1 || event.button !== 0) return;
    const per = 100 / (0.9 * pane.clientWidth * this.#zoom);
    const move = (now) => this.#move(now.movementX * per, now.movementY * per);
    const end = () => pane.removeEventListener("pointermove", move);
    pane.setPointerCapture(event.pointerId);
    pane.addEventListener("pointermove", move);
    pane.addEventListener("lostpointercapture", end, { once: true });
  }
}
