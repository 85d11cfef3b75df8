// One token's way through the loops: where it left, with what probability, and what the model would have said.
"use strict";
window.Lens = (() => {
  const {$, h} = Page, panel = $("lens");
  let owner = null, isPinned = false, timer = null;

  // A token's colour by its loop of how many: from low over mid to high, as custom properties.
  function tint(element, loop, loops) {
    const share = loops > 1 ? (Math.min(loop, loops) - 1) / (loops - 1) : 0;
    element.dataset.loop = loop;
    element.dataset.half = share < 0.5 ? "low" : "high";
    element.style.setProperty("--share", `${Math.round((share < 0.5 ? 2 * share : 2 * share - 1) * 100)}%`);
  }

  const visible = text => text === "" ? "∅" : text.replaceAll("\n", "⏎").replaceAll("\t", "⇥");
  const percent = p => !Number.isFinite(p) ? "" : p >= 0.9995 ? "100 %" : p >= 0.0995 ? `${Math.round(p * 100)} %` : p >= 0.001 ? `${(p * 100).toFixed(1)} %` : "0 %";

  // In words, for screen readers.
  function describe(token, loops) {
    const last = (token.predictions || []).map(p => p[0] && p[0].text.trim());
    return `${visible(token.text.trim() || token.text)}, left at loop ${token.exit} of ${loops}` +
      (last.length ? `; by loop it would have said ${last.map((t, i) => `${i + 1}: ${t}`).join(", ")}` : "");
  }

  function fill(token, loops) {
    const probabilities = token.probabilities || [], predictions = token.predictions || [];
    const count = Math.max(probabilities.length, predictions.length, token.exit);
    const rows = [];
    for (let i = 0; i < count; i++) {
      const row = h("tr", {class: i + 1 === token.exit ? "exit" : ""},
        h("td", {text: i + 1 === token.exit ? `${i + 1} ◂` : String(i + 1)}),
        h("td", {}, probabilities[i] === undefined ? h("span", {class: "faint", text: "–"}) : h("span", {class: "bar-cell"},
          h("span", {class: "meter", style: {"--p": probabilities[i]}}), percent(probabilities[i]))),
        h("td", {}, (predictions[i] || []).map(p => h("span", {class: "guess" + (p.id === token.id ? " same" : "")},
          h("code", {text: visible(p.text)}), " " + percent(p.probability)))));
      tint(row, i + 1, loops);
      rows.push(row);
    }
    panel.replaceChildren(h("h3", {}, h("code", {text: visible(token.text)})),
      h("p", {text: `left the loop after ${token.exit} of ${loops} passes`}),
      count ? h("table", {}, h("thead", {}, h("tr", {}, ["loop", "leaves here", "would say"].map(t => h("th", {scope: "col", text: t})))),
        h("tbody", {}, rows)) : h("p", {text: "This server gave no trace."}));
  }

  function show(element, token, loops, pin) {
    clearTimeout(timer);
    if (owner && owner !== element) owner.removeAttribute("aria-expanded");
    owner = element;
    isPinned = pin;
    element.setAttribute("aria-expanded", "true");
    fill(token, loops);
    panel.hidden = false;
    const box = element.getBoundingClientRect(), width = panel.offsetWidth, height = panel.offsetHeight;
    const below = box.bottom + height + 12 < innerHeight || box.top < height + 12;
    panel.style.setProperty("left", `${Math.max(12, Math.min(innerWidth - width - 12, box.left - 20)) + scrollX}px`);
    panel.style.setProperty("top", `${(below ? box.bottom + 8 : box.top - height - 8) + scrollY}px`);
  }

  function hide() {
    clearTimeout(timer);
    owner?.removeAttribute("aria-expanded");
    owner = null;
    isPinned = false;
    panel.hidden = true;
  }

  // Shows on hover after a moment, stays when clicked.
  function hover(element, token, loops) { if (!isPinned) { clearTimeout(timer); timer = setTimeout(() => show(element, token, loops, false), 90); } }
  function leave() { if (!isPinned) { clearTimeout(timer); timer = setTimeout(hide, 150); } }
  panel.addEventListener("pointerenter", () => clearTimeout(timer));
  panel.addEventListener("pointerleave", leave);
  addEventListener("keydown", event => { if (event.key === "Escape") hide(); });
  addEventListener("pointerdown", event => { if (!panel.hidden && !panel.contains(event.target) && !event.target.closest?.(".token")) hide(); });
  addEventListener("hashchange", hide);

  // A whole answer at once: tokens from left to right, loops from top to bottom, the likeliest prediction in each cell.
  function grid(parts, loops) {
    const tokens = parts.filter(p => p.token).map(p => p.token);
    const count = Math.max(0, ...tokens.map(t => (t.predictions || []).length));
    const row = loop => h("tr", {}, h("th", {scope: "row", text: loop + 1}), tokens.map(token => {
      const best = (token.predictions || [])[loop]?.[0];
      if (!best) return h("td");
      const words = `after loop ${loop + 1}: ${visible(best.text)}, ${percent(best.probability)}` + (loop + 1 === token.exit ? ", leaves here" : "");
      const cell = h("td", {title: words, class: (best.id === token.id ? "same" : "other") + (loop + 1 === token.exit ? " exit" : ""),
        style: {"--p": `${Math.round(best.probability * 60)}%`}, text: visible(best.text)});
      tint(cell, loop + 1, loops);
      return cell;
    }));
    return h("div", {class: "lens-grid", tabindex: "0", role: "region", "aria-label": "predictions by loop"}, h("table", {},
      h("caption", {text: "What the model would have said after every loop: the fuller the colour, the surer; dashed where it is not what was said; underlined where the token left."}),
      h("thead", {}, h("tr", {}, h("td"), tokens.map(t => h("th", {scope: "col", text: visible(t.text)})))),
      h("tbody", {}, Array.from({length: count}, (_, i) => row(i)))));
  }

  return {tint, grid, show, hide, hover, leave, describe, get owner() { return owner; }, get isPinned() { return isPinned; }};
})();
