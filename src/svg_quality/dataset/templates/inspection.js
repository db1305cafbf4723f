
"use strict";
(() => {
  const state = JSON.parse(document.getElementById("state").textContent);
  const list = document.getElementById("cards");
  const cards = [...list.querySelectorAll(".card")];
  const control = (id) => document.getElementById(id);
  const words = { accept: "accepted", reject: "rejected" };
  let marks = state.marks;
  let current = null;
  let waiting = Promise.resolve(); // marks are sent one after the other
  let downloaded = true;

  const shown = () => [...list.children].filter((card) => !card.hidden);

  function say(text, bad = false) {
    control("said").textContent = text;
    control("said").classList.toggle("bad", bad);
  }

  function draw(card) {
    const mark = marks[card.dataset.id];
    card.dataset.verdict = mark ? mark.verdict : "";
    for (const button of card.querySelectorAll(".marks [data-verdict]")) {
      const same = mark && button.dataset.verdict === mark.verdict;
      const pressed = same && (button.dataset.type || null) === mark.logo_type;
      button.setAttribute("aria-pressed", String(Boolean(pressed)));
    }
    const word = mark && (words[mark.verdict] || `is ${mark.logo_type}`);
    card.querySelector("header .said").textContent = word || "";
  }

  function count() {
    const verdicts = cards.map((card) => card.dataset.verdict).filter(Boolean);
    const of = (verdict) => verdicts.filter((each) => each === verdict).length;
    const parts = [
      [of("accept"), "accepted"], [of("reject"), "rejected"], [of(state.wrong_type), "wrong type"],
    ].filter(([number]) => number).map(([number, word]) => `${number} ${word}`);
    const detail = parts.length ? `: ${parts.join(", ")}` : "";
    control("count").textContent = `${verdicts.length} of ${cards.length} marked${detail}`;
    if (!state.saves) control("text").value = asText();
  }

  function asText() {
    const sorted = Object.fromEntries(Object.keys(marks).sort().map((id) => [id, marks[id]]));
    return JSON.stringify({ version: 1, marks: sorted }, null, 1) + "\n";
  }

  function set(card, mark) {
    if (mark) marks[card.dataset.id] = mark;
    else delete marks[card.dataset.id];
    draw(card);
    count();
  }

  async function send(card, wish, before) {
    try {
      const answer = await fetch("marks", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ image_id: card.dataset.id, ...wish }),
      });
      const said = await answer.json();
      if (!answer.ok) throw new Error(said.error);
      set(card, said.mark);
      say(`Saved; the file holds ${said.n_marks} mark${said.n_marks === 1 ? "" : "s"}.`);
    } catch (error) {
      set(card, before);
      const gone = error instanceof TypeError;
      say(gone ? "Not saved: the server does not answer. Start it again, and open the address " +
        "it prints." : `Not saved: ${error.message}`, true);
    }
  }

  function mark(card, verdict, type) {
    const before = marks[card.dataset.id] || null;
    const again = before && before.verdict === verdict && before.logo_type === type;
    const wish = again || !verdict ? { verdict: null, logo_type: null } : { verdict, logo_type: type };
    const at = new Date().toISOString();
    const derived = state.originals[card.dataset.id];
    set(card, wish.verdict ? { ...wish, derived_from: derived, at } : null);
    if (state.saves) {
      say("Saving …");
      waiting = waiting.then(() => send(card, wish, before));
    } else {
      downloaded = false;
      say("Marked in this page; download the marks to keep them.");
    }
  }

  function choose(card, scroll) {
    if (current) current.classList.remove("current");
    current = card;
    card.classList.add("current");
    if (scroll) {
      card.focus({ preventScroll: true });
      card.scrollIntoView({ block: "nearest" });
    }
  }

  function move(step) {
    const visible = shown();
    const place = visible.indexOf(current);
    const next = place < 0 ? visible[0] : visible[place + step];
    if (next) choose(next, true);
  }

  function enlarge(card) {
    const large = card.classList.toggle("large");
    const button = card.querySelector(".enlarge");
    button.setAttribute("aria-pressed", String(large));
    button.textContent = large ? "Reduce" : "Enlarge";
    card.scrollIntoView({ block: "nearest" });
  }

  const orders = {
    ssim: (a, b) => a.dataset.ssim - b.dataset.ssim,
    tile: (a, b) => a.dataset.tile - b.dataset.tile,
    bytes: (a, b) => b.dataset.bytes - a.dataset.bytes,
  };

  function arrange() {
    const type = control("type").value;
    const order = orders[control("order").value];
    const unmarked = control("unmarked").checked;
    for (const card of order ? [...cards].sort(order) : cards) {
      card.hidden = (type && card.dataset.type !== type) || (unmarked && card.dataset.verdict !== "");
      list.append(card);
    }
    control("empty").hidden = shown().length > 0;
    if (current && current.hidden) {
      current.classList.remove("current");
      current = null;
    }
  }

  list.addEventListener("click", (event) => {
    const card = event.target.closest(".card");
    if (!card) return;
    choose(card, false);
    const button = event.target.closest("button");
    if (button && button.dataset.verdict) {
      mark(card, button.dataset.verdict, button.dataset.type || null);
    } else if (button || event.target.closest("figure")) enlarge(card);
  });
  list.addEventListener("focusin", (event) => choose(event.target.closest(".card"), false));
  for (const id of ["type", "order", "unmarked"]) control(id).addEventListener("change", arrange);

  const steps = { j: 1, ArrowRight: 1, ArrowDown: 1, k: -1, ArrowLeft: -1, ArrowUp: -1 };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("select, textarea, input:not([type=checkbox])")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const type = state.types[Number(key) - 1];
    if (steps[key]) move(steps[key]);
    else if (!current || current.hidden || !("aruz".includes(key) || type)) return;
    else if (key === "z") enlarge(current);
    else if (key === "u") {
      if (marks[current.dataset.id]) mark(current, null, null);
    } else if (event.repeat) return;
    else if (type && type === current.dataset.type) {
      say(`It is of type ${type} already: press a to accept it.`);
    } else {
      const wish = key === "a" ? ["accept", null] : key === "r" ? ["reject", null] : null;
      const [verdict, chosen] = wish || [state.wrong_type, type];
      const held = marks[current.dataset.id];
      // A key sets a mark and never takes it away: pressed twice by mistake it does no harm.
      if (!held || held.verdict !== verdict || held.logo_type !== chosen) mark(current, verdict, chosen);
      move(1);
    }
    event.preventDefault();
  });

  if (!state.saves) {
    control("download").addEventListener("click", () => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([asText()], { type: "application/json" }));
      link.download = "marks.json";
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
      downloaded = true;
      say("Downloaded.");
    });
    addEventListener("beforeunload", (event) => {
      if (!downloaded) event.preventDefault();
    });
  }
  cards.forEach(draw);
  count();
  arrange();
})();
