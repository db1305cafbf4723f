"use strict";
(() => {
  const LEFT = 48, RIGHT = 342, TOP = 28, BOTTOM = 256; // of the plot area, as in pages/charts.py
  const REACH = 14; // chart units from which a dot is still found
  const FIRST_PARAMETER = 8;
  const data = JSON.parse(document.getElementById("dots").textContent);
  const card = document.getElementById("dot-card");
  const spoken = document.getElementById("dot-spoken");
  const shownStyles = new Set(["everyday", "mono", "rest"]);
  const part = (name) => card.querySelector(`[data-part="${name}"]`);
  const log10 = (value) => Math.log10(Math.max(value, 1));
  const COLUMNS = {
    ssim: (row) => row[2], predicted: (row) => row[3], error: (row) => row[3] - row[2],
    bytes: (row) => log10(row[6]), predicted_bytes: (row) => log10(row[7]),
  };
  const minus = (text) => text.replace("-", "\u2212");
  const signed = (value) => (value > 0 ? "+" : "") + minus(value.toFixed(3));
  const grouped = (value) => Math.round(value).toLocaleString("en").replaceAll(",", "\u202f");

  function facts(row) {
    const [, , ssim, predicted, low, high, bytes, predictedBytes] = row;
    return [
      ["SSIM measured", minus(ssim.toFixed(3))],
      ["SSIM predicted", minus(predicted.toFixed(3))],
      ["its interval", `${minus(low.toFixed(3))} to ${minus(high.toFixed(3))}`],
      ["error", signed(predicted - ssim)],
      ["bytes measured", grouped(bytes)],
      ["bytes predicted", `${grouped(predictedBytes)} (\u00d7${(predictedBytes / bytes).toFixed(2)})`],
    ];
  }

  function fill(row) {
    const [name, kind, thumbnail] = data.images[row[0]];
    part("name").textContent = name;
    part("kind").textContent = kind;
    const image = part("image");
    image.hidden = !thumbnail;
    if (thumbnail) image.src = thumbnail;
    part("facts").replaceChildren(...facts(row).flatMap(([label, value]) => {
      const term = document.createElement("dt"), told = document.createElement("dd");
      term.textContent = label;
      told.textContent = value;
      return [term, told];
    }));
    part("settings").replaceChildren(...data.names.map((label, k) => {
      const item = document.createElement("li"), value = row[FIRST_PARAMETER + k];
      const told = document.createElement(value === data.defaults[k] ? "span" : "mark");
      told.textContent = value;
      item.append(`${label} `, told);
      return item;
    }));
  }

  function say(row) {
    const settings = data.names.map((label, k) => [label, row[FIRST_PARAMETER + k], data.defaults[k]])
      .filter(([, value, usual]) => value !== usual).map(([label, value]) => `${label} ${value}`);
    spoken.textContent = [data.images[row[0]][0], ...facts(row).map((fact) => fact.join(" ")),
      settings.length ? settings.join(", ") : "all parameters as by default"].join("; ");
  }

  function place(x, y) { // in the viewport, beside the point, never over its edge
    card.hidden = false;
    const { width, height } = card.getBoundingClientRect(), gap = 16;
    const { clientWidth, clientHeight } = document.documentElement;
    const left = x + gap + width <= clientWidth ? x + gap : x - gap - width;
    const top = y + gap + height <= clientHeight ? y + gap : y - gap - height;
    card.style.left = `${Math.max(4, Math.min(left, clientWidth - width - 4))}px`;
    card.style.top = `${Math.max(4, Math.min(top, clientHeight - height - 4))}px`;
  }

  const hidings = [];
  function hide() {
    card.hidden = true;
    for (const hideRing of hidings) hideRing();
  }

  for (const plot of document.querySelectorAll("[data-plot]")) {
    const svg = plot.querySelector("svg");
    const { x, y, x_limits: across, y_limits: up } = JSON.parse(plot.dataset.plot);
    const places = data.rows.map((row) => [
      LEFT + (COLUMNS[x](row) - across[0]) / (across[1] - across[0]) * (RIGHT - LEFT),
      BOTTOM + (COLUMNS[y](row) - up[0]) / (up[1] - up[0]) * (TOP - BOTTOM),
    ]);
    const miss = (row) => Math.abs(COLUMNS[y](row) - (y === "error" ? 0 : COLUMNS[x](row)));
    const worstFirst = data.rows.map((_, k) => k).sort((a, b) => miss(data.rows[b]) - miss(data.rows[a]));
    const ring = document.createElementNS("http://www.w3.org/2000/svg", "circle");
    ring.setAttribute("class", "ring");
    ring.setAttribute("r", "6");
    ring.setAttribute("visibility", "hidden");
    svg.append(ring);
    hidings.push(() => ring.setAttribute("visibility", "hidden"));
    let pinned = false, step = -1;

    function show(k) {
      hide();
      ring.setAttribute("cx", places[k][0]);
      ring.setAttribute("cy", places[k][1]);
      ring.setAttribute("visibility", "visible");
      fill(data.rows[k]);
      const box = ring.getBoundingClientRect();
      place(box.left + box.width / 2, box.top + box.height / 2);
    }
    function nearest(event) {
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      let found = -1, closest = REACH * REACH;
      places.forEach(([left, top], k) => {
        const apart = (left - point.x) ** 2 + (top - point.y) ** 2;
        if (apart < closest && shownStyles.has(data.rows[k][1])) [found, closest] = [k, apart];
      });
      return found;
    }
    svg.addEventListener("pointermove", (event) => {
      if (pinned || event.pointerType === "touch") return;
      const k = nearest(event);
      if (k < 0) hide(); else show(k);
    });
    svg.addEventListener("pointerleave", (event) => {
      if (!pinned && event.pointerType !== "touch") hide();
    });
    svg.addEventListener("click", (event) => {
      const k = nearest(event);
      pinned = k >= 0 && !(pinned && card.hidden === false);
      if (k < 0 || !pinned) hide(); else show(k);
    });
    plot.addEventListener("blur", () => { pinned = false; hide(); });
    plot.addEventListener("keydown", (event) => {
      const order = worstFirst.filter((k) => shownStyles.has(data.rows[k][1]));
      const moves = { ArrowRight: step + 1, ArrowLeft: step - 1, Home: 0, End: order.length - 1 };
      if (event.key === "Escape") { pinned = false; hide(); return; }
      if (!(event.key in moves) || !order.length) return;
      event.preventDefault();
      step = Math.max(0, Math.min(moves[event.key], order.length - 1));
      pinned = true;
      show(order[step]);
      say(data.rows[order[step]]);
    });
    plot.tabIndex = 0;
  }

  for (const button of document.querySelectorAll("[data-style]")) {
    button.addEventListener("click", () => {
      const style = button.dataset.style, on = !shownStyles.has(style);
      if (on) shownStyles.add(style); else shownStyles.delete(style);
      button.setAttribute("aria-pressed", on);
      button.closest("section").classList.toggle(`without-${style}`, !on);
      hide();
    });
  }
  document.addEventListener("scroll", hide, { passive: true });
  document.body.classList.add("scripted");
})();
