// The viewer of traces: one for the pages that the command writes and for the page that the server shows.
// It builds everything from elements and never from markup, so that a trace's texts cannot become a page's.
"use strict";
window.LoopedViewer = (() => {
  const scenes = {};

  // An element: attributes, "class", "text", "style" of custom properties, and on… handlers.
  function h(tag, attributes, ...children) {
    const svg = ["svg", "g", "path", "line", "circle", "rect", "text", "polyline", "polygon", "defs", "marker", "title",
      "ellipse"].includes(tag);
    const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === undefined || value === null || value === false) continue;
      if (name === "text") element.textContent = value;
      else if (name === "style") for (const [key, v] of Object.entries(value)) element.style.setProperty(key, v);
      else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else element.setAttribute(name, value === true ? "" : value);
    }
    for (const child of children.flat()) if (child !== null && child !== undefined) element.append(child);
    return element;
  }

  // As people write numbers: whole ones whole, others with a few digits, the sign as a minus.
  function number(value, digits = 4) {
    if (!Number.isFinite(value)) return "∞";
    const text = Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(digits)));
    return text.replace("-", "−");
  }

  // JSON Lines to {header, steps, end}; throws an Error that says the line.
  function parse(text) {
    let header = null, end = null;
    const steps = [];
    text.split("\n").forEach((line, index) => {
      if (!line.trim()) return;
      const fail = why => { throw new Error(`line ${index + 1}: ${why}`); };
      let record;
      try { record = JSON.parse(line); } catch { fail(header ? "not JSON; was the file cut off?" : "not a trace"); }
      if (!header) {
        if (!record || record.format !== "looped-trace") fail("not the header of a looped-trace");
        if (record.version !== 1) fail(`trace version ${record.version}; this viewer reads version 1`);
        header = record;
      } else if (end) fail("text behind the end record");
      else if (record && Array.isArray(record.changes)) steps.push(record);
      else if (record && typeof record.halt === "string") end = record;
      else fail("neither a step nor an end record");
    });
    if (!header) throw new Error("line 1: the trace is empty");
    return check({header, steps, end});
  }

  function check(trace) {
    const {header, steps} = trace, columns = header.columns;
    const isColumn = c => Number.isInteger(c) && c >= 0 && c < columns.length;
    if (!Array.isArray(columns) || !Array.isArray(header.values) || columns.length !== header.values.length)
      throw new Error("the header has not as many values as columns");
    const isShare = p => typeof p === "number" && p >= 0 && p <= 1, isText = t => typeof t === "string";
    const isPrediction = p => p && Array.isArray(p.tokens) && p.tokens.length > 0 && p.tokens.every(isText) &&
      Array.isArray(p.probabilities) && p.probabilities.length === p.tokens.length && p.probabilities.every(isShare) && (p.exit == null || isShare(p.exit));
    steps.forEach((step, i) => {
      if (!step.changes.every(c => isColumn(c.column) && typeof c.after === "number") ||
          !(step.visited || []).every(isColumn))
        throw new Error(`step ${i + 1} names a column that the header does not have`);
      const said = step.predictions;
      if (said && !(Array.isArray(said) && said.length === columns.length && said.every(isPrediction)))
        throw new Error(`the predictions of step ${i + 1} do not fit the header's columns`);
    });
    const graph = header.graph;
    if (graph && !(Array.isArray(graph.edges) && graph.edges.every(e => isColumn(e.source) && isColumn(e.target)) &&
        (!graph.places || graph.places.length === 2 * columns.length)))
      throw new Error("the header's graph does not fit its columns");
    const points = header.regression;
    if (points && !(points.queries?.length === columns.length && points.leastSquares?.length === columns.length))
      throw new Error("the header's points do not fit its columns");
    const text = header.text;
    if (text && !(Array.isArray(text.tokens) && text.tokens.length === columns.length && text.tokens.every(isText)))
      throw new Error("the header's text does not fit its columns");
    if (header.listing && header.listing.lines?.length !== columns.length)
      throw new Error("the header's program does not fit its columns");
    return trace;
  }

  // JSON Lines again, as the command writes them.
  function serialize(trace) {
    return [trace.header, ...trace.steps, ...(trace.end ? [trace.end] : [])].map(r => JSON.stringify(r)).join("\n") + "\n";
  }

  // The columns after any loop. Snapshots bound the time, their distance the memory: the states between them are replayed.
  class History {
    constructor(trace) {
      this.steps = trace.steps;
      this.stride = Math.max(64, Math.ceil(trace.steps.length * trace.header.values.length / 4e6));
      this.snapshots = [Float64Array.from(trace.header.values)];
      this.largest = 1;
      for (const v of trace.header.values) this.largest = Math.max(this.largest, Math.abs(v));
      const state = this.snapshots[0].slice();
      this.steps.forEach((step, i) => {
        for (const c of step.changes) {
          state[c.column] = c.after;
          this.largest = Math.max(this.largest, Math.abs(c.after));
        }
        if ((i + 1) % this.stride === 0) this.snapshots[(i + 1) / this.stride] = state.slice();
      });
    }
    at(loop) {
      const first = Math.floor(loop / this.stride), state = this.snapshots[first].slice();
      for (let i = first * this.stride; i < loop; i++) for (const c of this.steps[i].changes) state[c.column] = c.after;
      return state;
    }
  }

  const stillness = window.matchMedia ? window.matchMedia("(prefers-reduced-motion: reduce)") : {matches: false};

  // Drawn, because not every system has a font with these signs.
  const shapes = {first: "M3 3h2v10H3z M13 3v10L6 8z", back: "M12 3v10L4 8z", play: "M4 2.5v11L13.5 8z",
    pause: "M4 3h3v10H4z M9 3h3v10H9z", on: "M4 3v10l8-5z", last: "M11 3h2v10h-2z M3 3v10l7-5z"};
  const icon = name => h("svg", {viewBox: "0 0 16 16", class: "lv-icon", "aria-hidden": "true"}, h("path", {d: shapes[name]}));

  // Buttons, slider and keys that walk from 0 to count.
  function player({count, what, onShow, root, speed = 4}) {
    let at = 0, timer = null;
    const button = (name, label, run) =>
      h("button", {type: "button", class: "lv-" + name, title: label, "aria-label": label, onclick: run}, icon(name));
    const slider = h("input", {type: "range", min: 0, max: count, value: 0, "aria-label": what,
      oninput: () => { stop(); show(+slider.value); }});
    const output = h("output", {class: "lv-count"});
    const pace = h("select", {"aria-label": "speed", class: "lv-speed", onchange: () => { if (timer) { stop(); play(); } }},
      [1, 2, 4, 8, 16, 32].map(s => h("option", {value: s, selected: s === speed, text: `${s} / s`})));
    const toggle = button("play", "play (space)", () => timer ? stop() : play());
    function show(loop) {
      at = Math.max(0, Math.min(count, loop));
      slider.value = at;
      slider.setAttribute("aria-valuetext", at === 0 ? "before the first " + what : `${what} ${at} of ${count}`);
      output.textContent = at === 0 ? `start of ${count}` : `${what} ${at} of ${count}`;
      onShow(at);
    }
    function stop() {
      clearInterval(timer);
      timer = null;
      toggle.replaceChildren(icon("play"));
      toggle.setAttribute("aria-label", "play (space)");
      toggle.title = "play (space)";
      root.removeAttribute("data-playing");
    }
    function play() {
      if (at >= count) show(0);
      toggle.replaceChildren(icon("pause"));
      toggle.setAttribute("aria-label", "pause (space)");
      toggle.title = "pause (space)";
      root.setAttribute("data-playing", "");
      timer = setInterval(() => {
        if (!root.isConnected) return stop();
        show(at + 1);
        if (at >= count) stop();
      }, 1000 / +pace.value);
    }
    const go = to => { stop(); show(to); };
    root.addEventListener("keydown", event => {
      const tag = event.target.tagName;
      if (event.ctrlKey || event.metaKey || event.altKey || ["TEXTAREA", "SELECT"].includes(tag) ||
          (tag === "INPUT" && event.target !== slider)) return;
      const keys = {ArrowRight: () => go(at + 1), ArrowLeft: () => go(at - 1), Home: () => go(0), End: () => go(count)};
      const run = event.key === " " && tag !== "BUTTON" ? () => timer ? stop() : play() : keys[event.key];
      if (run) { event.preventDefault(); run(); }
    });
    const element = h("div", {class: "lv-player", role: "group", "aria-label": "playback"},
      h("div", {class: "lv-buttons"}, button("first", "start (Home)", () => go(0)),
        button("back", "one back (←)", () => go(at - 1)), toggle,
        button("on", "one on (→)", () => go(at + 1)), button("last", "end (End)", () => go(count))),
      slider, output, pace);
    return {element, go, stop, play, get at() { return at; }};
  }

  // Columns from left to right over loops from top to bottom, to see a whole run at once.
  function heatMap(trace, history, go) {
    const columns = trace.header.columns.length, rows = trace.steps.length + 1;
    const canvas = h("canvas", {class: "lv-heat", "aria-hidden": "true"});
    const mark = h("div", {class: "lv-heat-mark", "aria-hidden": "true"});
    const width = canvas.width = Math.max(1, Math.min(columns, 2048)), height = canvas.height = Math.min(rows, 600);
    const context = canvas.getContext("2d"), image = context.createImageData(width, height);
    const now = history.at(0);
    let done = 0;
    for (let y = 0; y < height; y++) {
      const loop = Math.floor(y * rows / height), changed = new Set();
      while (done < loop) for (const c of trace.steps[done++].changes) { now[c.column] = c.after; changed.add(c.column); }
      for (let x = 0; x < width; x++) {
        const cell = Math.floor(x * columns / width), v = now[cell], o = 4 * (y * width + x), isNew = changed.has(cell);
        const strength = v === 0 ? 0 : 0.2 + 0.8 * Math.log1p(Math.abs(v)) / Math.log1p(history.largest);
        const base = v > 0 ? [228, 129, 39] : [52, 118, 220];
        for (let k = 0; k < 3; k++) image.data[o + k] = isNew ? Math.round(base[k] * 0.3 + 178) : base[k];
        image.data[o + 3] = isNew ? 255 : 255 * strength;
      }
    }
    context.putImageData(image, 0, 0);
    const move = event => {
      const box = canvas.getBoundingClientRect();
      go(Math.max(0, Math.min(rows - 1, Math.floor((event.clientY - box.top) / box.height * rows))));
    };
    canvas.addEventListener("pointerdown", event => { canvas.setPointerCapture(event.pointerId); move(event); });
    canvas.addEventListener("pointermove", event => { if (event.buttons) move(event); });
    return {element: h("div", {class: "lv-heat-box"}, canvas, mark),
      show: loop => mark.style.setProperty("top", `${(loop + 0.5) / rows * 100}%`)};
  }

  function facts(header) {
    const parts = [header.network];
    if (header.layers) parts.push(`${header.layers} layer${header.layers === 1 ? "" : "s"}`);
    if (header.width) parts.push(`width ${header.width}`);
    if (header.parameters) parts.push(`${header.parameters.toLocaleString("en")} weights`);
    if (header.digest) parts.push(`digest ${header.digest}`);
    return h("p", {class: "lv-facts", text: parts.join(" · ")});
  }

  // Shows a trace in an element; returns {go, stop, play, at, trace, scene}.
  function mount(root, trace, options = {}) {
    check(trace);
    const {header} = trace;
    root.replaceChildren();
    root.classList.add("lv");
    root.tabIndex = -1;
    const history = new History(trace);
    const live = h("p", {class: "lv-live", role: "status", "aria-live": "polite"});
    const kind = header.regression ? "regression" : header.text && header.columns.length <= 2000 ? "text"
      : header.graph && header.columns.length <= 500 ? "graph" : "machine";
    let scene = null;
    const isStepped = kind === "machine" && header.family !== "graph" && !header.text;
    const controls = player({count: trace.steps.length, what: isStepped ? "step" : "loop",
      root, speed: {graph: 2, text: 1}[kind] ?? 4, onShow: loop => {
        const words = scene.show(loop, history.at(loop), trace.steps[loop - 1]);
        root.dataset.loop = loop;
        if (!root.hasAttribute("data-playing")) live.textContent = words || "";
      }});
    scene = scenes[kind]({trace, history, root, options, go: loop => controls.go(loop)});
    const end = trace.end ? `${trace.end.halt} after ${trace.end.loops}` : "the trace was cut off";
    root.append(facts(header), controls.element, scene.element, live,
      h("p", {class: "lv-end", text: `${header.program}: ${end} ${trace.end ? (isStepped ? "steps" : "loops") : ""}.`}));
    controls.go(0);
    return {go: controls.go, stop: controls.stop, play: controls.play, trace, scene, get at() { return controls.at; }};
  }

  return {h, number, parse, check, serialize, mount, scenes, History, heatMap, stillness};
})();
