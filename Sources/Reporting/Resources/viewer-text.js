// Language models: the text in reading order, under every token what the model would go on with after this loop, how sure it
// is, and whether it would leave.
(V => {
  const {h} = V;
  const percent = p => `${p > 0 && p < 0.0005 ? "< 0.1" : (100 * p).toFixed(1)} %`;
  const mean = values => values.reduce((sum, v) => sum + v, 0) / Math.max(values.length, 1);

  // A token's text with what cannot be seen: blanks at the ends as dots, controls as escapes.
  const names = {"\n": "\\n", "\t": "\\t", "\r": "\\r"};
  const escaped = text => text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g,
    c => names[c] ?? "\\x" + c.charCodeAt(0).toString(16).padStart(2, "0"));
  const shown = text => escaped(text).replace(/^ +| +$/g, blanks => "·".repeat(blanks.length)) || "∅";
  // For ears: without the signs that stand for blanks.
  const spoken = text => escaped(text).trim() || (text ? "blank" : "nothing");

  V.scenes.text = ({trace, history}) => {
    const {header, steps} = trace, {tokens, trainedLoops} = header.text, most = history.largest;
    const hasExit = steps.some(s => s.predictions?.some(p => p.exit != null));
    let chosen = Math.max(0, tokens.length - 1), now = 0, state = history.at(0);

    const cells = tokens.map((text, i) => {
      const guess = h("span", {class: "lv-guess"}), bits = h("span"), exit = hasExit ? h("i", {class: "lv-exit"}) : null;
      const cell = h("div", {class: "lv-word", role: "option", "data-token": i, onpointerenter: () => choose(i),
        onclick: () => { choose(i); cell.focus({preventScroll: true}); }, onfocus: () => choose(i),
        // As wide as the longest of its first choices, so that nothing moves from loop to loop.
        style: {"--letters": Math.max(...steps.slice(0, 32).map(s => shown(s.predictions?.[i].tokens[0] ?? "").length), 1)}},
        h("b", {text: shown(text)}), guess, h("span", {class: "lv-foot"}, bits, exit));
      return {cell, guess, bits, exit};
    });
    const words = h("div", {class: "lv-words", role: "listbox", "aria-label": "tokens, and what would follow", onkeydown: event => {
      const step = {ArrowDown: 1, ArrowUp: -1}[event.key];
      if (!step || !cells.length) return;
      event.preventDefault();
      cells[Math.max(0, Math.min(cells.length - 1, chosen + step))].cell.focus();
    }}, cells.flatMap(({cell}, i) => tokens[i].includes("\n") ? [cell, h("span", {class: "lv-break", role: "presentation"})] : [cell]));
    const status = h("div", {class: "lv-status"}), about = h("div", {class: "lv-about"});

    const prediction = (loop, i) => steps[loop - 1]?.predictions?.[i];
    const isChanged = (loop, i) => {
      const [before, after] = [prediction(loop - 1, i), prediction(loop, i)];
      return !!before && !!after && before.tokens[0] !== after.tokens[0];
    };

    function choose(i) {
      mark(chosen, false);
      mark(chosen = i, true);
      describe();
    }
    // One token is where the tab key stops; the arrows go on from there.
    function mark(i, isChosen) {
      cells[i]?.cell.setAttribute("aria-selected", String(isChosen));
      if (cells[i]) cells[i].cell.tabIndex = isChosen ? 0 : -1;
    }

    // The chosen token: what is most probable behind it now, and what was the first choice in every loop.
    function describe() {
      if (!tokens.length) return;
      const p = prediction(now, chosen), cell = (tag, text) => h(tag, tag === "th" ? {scope: "row", text} : {text});
      const top = (p?.tokens ?? []).map((token, k) => h("tr", {}, h("th", {scope: "row", class: "lv-said", text: shown(token)}),
        h("td", {}, h("span", {class: "lv-look"}, h("span", {class: "lv-bar", style: {"--share": p.probabilities[k]}}),
          h("span", {text: percent(p.probabilities[k])})))));
      const loops = steps.slice(0, 32).map((_, i) => {
        const q = prediction(i + 1, chosen);
        return h("tr", {class: isChanged(i + 1, chosen) ? "lv-new" : null, "aria-current": i + 1 === now ? "step" : null},
          cell("th", `${i + 1}`), h("td", {class: "lv-said", text: q ? shown(q.tokens[0]) : "–"}),
          cell("td", q ? percent(q.probabilities[0]) : ""), cell("td", history.at(i + 1)[chosen].toFixed(2)),
          hasExit ? cell("td", q?.exit == null ? "" : percent(q.exit)) : null);
      });
      const head = titles => h("thead", {}, h("tr", {}, titles.filter(Boolean).map(text => h("th", {scope: "col", text}))));
      about.replaceChildren(
        h("h3", {text: `What follows “${shown(tokens[chosen])}” (position ${header.columns[chosen]}) ` +
          (now ? "after loop " + now : "before the first loop")}),
        top.length ? h("table", {class: "lv-table lv-top"}, head(["next token", "probability"]), h("tbody", {}, top))
          : h("p", {class: "lv-faint", text: "Nothing has been read out yet: every token is as probable as any other."}),
        h("h3", {text: "Its first choice, loop by loop"}),
        h("table", {class: "lv-table lv-loops"}, head(["loop", "next token", "probability", "bits", hasExit && "leaves"]), h("tbody", {}, loops)));
    }

    function show(loop, values, step) {
      now = loop;
      state = values;
      cells.forEach(({cell, guess, bits, exit}, i) => {
        const p = prediction(loop, i), isNew = isChanged(loop, i);
        guess.textContent = p ? shown(p.tokens[0]) : "–";
        bits.textContent = state[i].toFixed(1);
        cell.classList.toggle("lv-changed", isNew);
        cell.style.setProperty("--doubt", `${(60 * Math.max(0, Math.min(1, state[i] / most))).toFixed(1)}%`);
        let said = p ? `${p.tokens.map((t, k) => `${spoken(t)} ${percent(p.probabilities[k])}`).join(", ")}` : "nothing read out yet";
        if (isNew) said += `; before this loop ${spoken(prediction(loop - 1, i).tokens[0])}`;
        said += `; ${state[i].toFixed(2)} bits`;
        if (exit) {
          let before = 0;
          for (let k = 1; k < loop; k++) before += prediction(k, i)?.exit ?? 0;
          const here = p?.exit ?? 0;
          exit.style.setProperty("--left", `${(100 * before).toFixed(1)}%`);
          exit.style.setProperty("--leaves", `${(100 * (before + here)).toFixed(1)}%`);
          if (p?.exit != null) said += `; leaves here with ${percent(here)}`;
        }
        cell.setAttribute("aria-label", `${spoken(tokens[i])}: ${said}`);
      });
      describe();
      const text = step ? step.summary : `Before the first loop: ${mean(state).toFixed(2)} bits, as nothing has been read`;
      status.replaceChildren(h("strong", {text}));
      if (loop > trainedLoops)
        status.append(h("span", {class: "lv-chip"}, h("i", {text: "beyond training"}), `+${loop - trainedLoops} loops`));
      return `${loop === 0 ? "" : `Loop ${loop}: `}${text}`;
    }

    cells.forEach((_, i) => mark(i, i === chosen));
    const key = (name, text) => h("span", {class: "lv-key " + name, text});
    return {show, element: h("div", {class: "lv-text-scene"}, status,
      h("section", {class: "lv-panel lv-p-text"}, words, h("p", {class: "lv-legend"},
        key("lv-doubtkey", "the fuller, the less sure; the number is its entropy in bits"),
        key("lv-changed", "another than before this loop"),
        hasExit ? key("lv-exitkey", "leaves in this loop, behind those that have left") : null,
        h("span", {text: "↑ ↓ go from token to token"}))),
      h("section", {class: "lv-panel lv-p-about"}, about))};
  };
})(window.LoopedViewer);
