// The controls of the eleven parameters, with what each would do drawn behind it.

import { WORDS, idle, shown } from "./words.js";
import { shortBytes, ssim } from "./figures.js";
import { draw, make, path } from "./elements.js";
import { likeness, linear, logarithmic } from "./scale.js";
import { stepOf } from "./sweep.js";

const HEIGHT = 26; // of a curve, units

export class Settings {
  #ranges;
  #controls = new Map(); // name -> {show(value), curve(sweep, value)}
  #parameters;
  #onchange;

  /**
   * @param ranges the server's ParameterRange list
   * @param onchange called with a whole set when the person moves something
   */
  constructor(ranges, onchange) {
    this.#ranges = new Map(ranges.map((range) => [range.name, range]));
    this.#onchange = onchange;
    this.defaults = Object.fromEntries(ranges.map((range) => [range.name, range.default]));
    for (const name of Object.keys(WORDS)) {
      const range = this.#ranges.get(name);
      if (!range) continue;
      const place = document.querySelector(WORDS[name].everyday ? "#everyday" : "#rest");
      place.append(range.choices ? this.#options(range) : this.#slider(range));
    }
    this.show(this.defaults);
  }

  /** Put the controls at a set. */
  show(parameters) {
    this.#parameters = { ...parameters };
    for (const [name, control] of this.#controls) control.show(parameters[name]);
    for (const box of document.querySelectorAll(".setting")) {
      const why = idle(box.dataset.name, parameters);
      box.classList.toggle("idle", Boolean(why));
      box.querySelector(".help").textContent = why || WORDS[box.dataset.name].help;
    }
  }

  /** Draw the curves of a sweep; null takes them away. */
  drawCurves(sweep) {
    for (const control of this.#controls.values()) control.curves(sweep);
  }

  /** Say beside the control that has the focus what is predicted (for screen readers). */
  announce(prediction) {
    for (const control of this.#controls.values()) control.announce?.(prediction);
  }

  #change(name, value) {
    this.#parameters = { ...this.#parameters, [name]: value };
    this.#onchange(this.#parameters);
  }

  #slider(range) {
    const { name } = range;
    const [box, head] = frame(name);
    const input = make("input", { type: "range", id: `p-${name}`, min: range.low, max: range.high, step: stepOf(range), "aria-describedby": `h-${name}` });
    const value = make("span", { className: "value" });
    const curve = draw("svg", { class: "curve", viewBox: `0 0 100 ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" });
    head.append(make("label", { htmlFor: input.id, textContent: WORDS[name].label }), value);
    input.addEventListener("input", () => {
      value.textContent = shown(name, Number(input.value));
      this.#change(name, Number(input.value));
    });
    this.#controls.set(name, {
      show: (given) => {
        // A set may hold values between the slider's steps: the text says them as they are.
        if (Number(input.value) !== given) input.value = given;
        value.textContent = shown(name, given);
        input.setAttribute("aria-valuetext", shown(name, given));
      },
      curves: (sweep) => curve.replaceChildren(...(sweep ? curves(sweep, range) : [])),
      announce: (p) => {
        const said = p ? `, predicted SSIM ${ssim(p.ssim)}, ${Math.round(p.svg_bytes)} bytes` : "";
        input.setAttribute("aria-valuetext", shown(name, this.#parameters[name]) + said);
      },
    });
    box.append(head, curve, input, helpOf(name));
    return box;
  }

  #options(range) {
    const { name } = range;
    const [box, head] = frame(name);
    const field = make("fieldset", { className: "choice wide", "aria-describedby": `h-${name}` });
    const label = make("legend", { className: "hidden", textContent: WORDS[name].label });
    head.append(make("span", { textContent: WORDS[name].label, "aria-hidden": "true" }));
    field.append(label);
    const inputs = new Map();
    const notes = new Map();
    for (const choice of range.choices) {
      const input = make("input", { type: "radio", name: `p-${name}`, value: choice });
      const text = make("span", { textContent: shown(name, choice) });
      const note = make("small");
      text.append(note);
      const option = make("label");
      option.append(input, text);
      field.append(option);
      input.addEventListener("change", () => this.#change(name, choice));
      inputs.set(choice, input);
      notes.set(choice, note);
    }
    this.#controls.set(name, {
      show: (given) => (inputs.get(given).checked = true),
      curves: (sweep) => {
        const curve = sweep?.curve(name);
        range.choices.forEach((choice, i) => {
          notes.get(choice).textContent = curve ? `${ssim(curve.ssim[i])} · ${shortBytes(curve.svg_bytes[i])}` : "";
        });
      },
    });
    box.append(head, field, helpOf(name));
    return box;
  }
}

function curves(sweep, range) {
  const { values, ssim: quality, svg_bytes: size } = sweep.curve(range.name);
  const { extent } = sweep;
  const x = linear(range.low, range.high, 0, 100);
  const up = likeness(...extent.ssim, HEIGHT - 1, 1);
  const down = logarithmic(...extent.svg_bytes, HEIGHT - 1, 1);
  const line = (map, of) => path(values.map((value, i) => [x(value), map(of[i])]));
  return [
    draw("path", { class: "bytes", d: line(down, size) }),
    draw("path", { class: "ssim", d: line(up, quality) }),
  ];
}

function frame(name) {
  const box = make("div", { className: "setting" });
  box.dataset.name = name;
  return [box, make("div", { className: "head" })];
}

function helpOf(name) {
  return make("p", { className: "help", id: `h-${name}` });
}
