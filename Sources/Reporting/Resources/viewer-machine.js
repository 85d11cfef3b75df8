// Machines: the program, its memory, where the heads look, and the whole run as a picture.
(V => {
  const {h, number} = V, largestGrid = 1024;

  // "42 Z" → address and label.
  function cellName(column, index) {
    const match = /^(\d+)(?: (.*))?$/.exec(column);
    return match ? {address: match[1], label: match[2] || ""} : {address: String(index), label: column};
  }

  V.scenes.machine = ({trace, history, go}) => {
    const {header, steps} = trace, count = header.columns.length;
    // In one memory the program counter is a cell; machines with separate memories count instructions.
    const isUnified = header.family === "SUBLEQ" && /unified/i.test(header.network);
    const names = header.columns.map(cellName);
    const status = h("div", {class: "lv-status"});
    const output = h("pre", {class: "lv-output", tabindex: "0", "aria-label": "what the program has written"});
    const attention = h("div", {class: "lv-attention"});
    const heat = V.heatMap(trace, history, go);
    const isGrid = count <= largestGrid;
    const cells = isGrid ? names.map((name, i) => h("div", {class: "lv-cell", title: header.columns[i]},
      h("span", {class: "lv-address", text: isUnified ? name.address : ""}),
      h("b", {class: "lv-value"}), h("span", {class: "lv-label", text: name.label}))) : [];
    const memory = h("div", {class: "lv-memory" + (isUnified ? " lv-threes" : ""), role: "img", "aria-label": "memory"}, cells);
    const lines = header.listing ? header.listing.text.split("\n") : [];
    const rows = lines.map((text, i) =>
      h("li", {class: "lv-line", "data-line": i + 1}, h("code", {text: text || " "})));
    const listing = header.listing
      ? h("ol", {class: "lv-listing", tabindex: "0", "aria-label": "program"}, rows) : null;
    let marked = [], lineNow = null;

    function mark(index, name) {
      const cell = cells[index];
      if (cell) { cell.classList.add(name); marked.push([cell, name]); }
    }

    // The column an attended cell's name stands for; the scratchpad and the device are none.
    const byName = new Map(header.columns.map((name, i) => ["cell " + name, i]));

    function showAttention(step) {
      attention.replaceChildren();
      if (!step || !step.attention) {
        attention.append(h("p", {class: "lv-faint", text: step
          ? "Where the heads looked is recorded for the first loops (up to 400), in memories of up to 300 cells."
          : "Take a step to see where each head looks."}));
        return;
      }
      const table = h("table", {}, h("thead", {}, h("tr", {}, ["head", "from", "looks at"].map(t => h("th", {scope: "col", text: t})))));
      const body = h("tbody");
      for (const a of step.attention) {
        const [layer, head] = a.head.split(" / ");
        body.append(h("tr", {}, h("th", {scope: "row", title: a.head, text: head || layer}),
          h("td", {text: a.query}),
          h("td", {}, a.columns.map((column, i) => h("div", {class: "lv-look"},
            h("span", {class: "lv-bar", style: {"--share": a.weights[i]}}), h("span", {text: column}),
            h("span", {class: "lv-faint", text: a.weights[i].toFixed(2)}))))));
        const target = byName.get(a.columns[0]);
        if (target !== undefined && /read/.test(a.head)) mark(target, "lv-read");
      }
      table.append(body);
      attention.append(table);
    }

    function show(loop, state, step) {
      for (const [cell, name] of marked) cell.classList.remove(name);
      marked = [];
      const changed = new Map((step ? step.changes : []).map(c => [c.column, c]));
      cells.forEach((cell, i) => {
        const text = number(state[i]), value = cell.children[1];
        if (value.textContent !== text) value.textContent = text;
        cell.classList.toggle("lv-zero", state[i] === 0);
      });
      for (const column of changed.keys()) mark(column, "lv-changed");
      const position = step ? step.position : undefined, next = steps[loop] && steps[loop].position;
      if (isUnified) {
        if (position !== undefined) for (let k = 0; k < 3; k++) mark(position + k, "lv-now");
        if (next !== undefined) for (let k = 0; k < 3; k++) mark(next + k, "lv-next");
      }
      const current = position !== undefined ? position : next;
      if (lineNow) lineNow.classList.remove("lv-now");
      lineNow = null;
      if (listing && isUnified && current !== undefined) {
        lineNow = rows[header.listing.lines[current] - 1] || null;
        if (lineNow) {
          lineNow.classList.add("lv-now");
          const above = lineNow.offsetTop - listing.offsetTop;
          if (above < listing.scrollTop + 20 || above > listing.scrollTop + listing.clientHeight - 40)
            listing.scrollTop = above - listing.clientHeight / 2;
        }
      }
      status.replaceChildren();
      const chip = (name, text, kind) => h("span", {class: "lv-chip " + (kind || "")}, h("i", {text: name}), text);
      if (!step) {
        status.append(h("strong", {text: "Before the first step"}));
        if (next !== undefined) status.append(chip("program counter", String(next)));
      } else {
        status.append(h("strong", {text: step.summary}));
        if (position !== undefined) status.append(chip("program counter", String(position)));
        for (const c of [...changed.values()].slice(0, 8))
          status.append(chip(header.columns[c.column], `${number(c.before)} → ${number(c.after)}`, "lv-changed"));
        if (step.jumped) status.append(chip("flag", next !== undefined ? `jumped to ${next}` : "jumped", "lv-jumped"));
        if (step.output) status.append(chip("wrote", JSON.stringify(step.output), "lv-wrote"));
      }
      let written = "";
      for (let i = 0; i < loop; i++) if (steps[i].output) written += steps[i].output;
      output.textContent = written;
      output.classList.toggle("lv-empty", written === "");
      showAttention(step);
      heat.show(loop);
      return status.textContent ? (step ? `${step.summary}${[...changed.values()].slice(0, 3)
        .map(c => `, ${header.columns[c.column]} is now ${number(c.after)}`).join("")}${step.jumped ? ", jumped" : ""}`
        : "Before the first step") : "";
    }

    const panel = (title, className, ...content) =>
      h("section", {class: "lv-panel " + className}, h("h3", {text: title}), ...content);
    // Machines without characters have nothing to write.
    const element = h("div", {class: "lv-machine" + (listing ? " lv-with-listing" : "")},
      status,
      listing ? panel("Program", "lv-p-listing", listing) : null,
      isGrid ? panel("Memory", "lv-p-memory", memory, isUnified ? h("p", {class: "lv-legend"},
        h("span", {class: "lv-key lv-now", text: "this instruction"}), h("span", {class: "lv-key lv-next", text: "the next"}),
        h("span", {class: "lv-key lv-read", text: "read"}), h("span", {class: "lv-key lv-changed", text: "changed"})) : null) : null,
      isUnified || steps.some(s => s.output) ? panel("Written so far", "lv-p-output", output) : null,
      panel("Attention", "lv-p-attention", attention),
      panel("The whole run", "lv-p-heat", heat.element, h("p", {class: "lv-legend lv-faint",
        text: "memory from left to right, loops from top to bottom; orange positive, blue negative, pale: just changed. Drag to travel."})));
    return {element, show};
  };
})(window.LoopedViewer);
