// The graph view: a drawing to edit, and a run on the network.
"use strict";
(() => {
  const {$, h, json, examples, say, options, saveTrace, reveal} = Page;
  let graph = {nodes: [], edges: [], directed: true}, drawing = null, trace = null;
  // Chosen: {node: i} or {edge: i}. Linking: the node from which an edge is drawn.
  let chosen = null, linking = null, algorithms = [], limits = {nodes: 200, edges: 2000};

  Page.first("graph", async () => {
    try {
      const answer = await examples();
      ({algorithms, limits} = answer);
      options($("graph-example"), [...answer.graphs.map((g, i) => [String(i), g.name]), ["own", "my own"]], "0");
      options($("graph-algorithm"), algorithms.map(a => [a.name, a.title]), "dijkstra");
      $("graph-example").addEventListener("change", () => {
        const example = answer.graphs[$("graph-example").value];
        if (example) load(example.graph, example.algorithm, example.source); else { load({nodes: [], edges: [], directed: true}); }
      });
      $("graph-algorithm").addEventListener("change", () => { showSource(); if (!$("graph-viewer").hidden && trace) run(); });
      load(answer.graphs[0].graph, answer.graphs[0].algorithm, answer.graphs[0].source);
    } catch (error) { say($("graph-error"), error); }
  });

  function load(new_, algorithm, source) {
    graph = {directed: new_.directed !== false, nodes: new_.nodes.map(n => ({...n})), edges: new_.edges.map(e => ({...e}))};
    if (algorithm) $("graph-algorithm").value = algorithm;
    $("graph-directed").checked = graph.directed;
    chosen = linking = null;
    editing(true);
    draw();
    if (source) $("graph-source").value = source;
  }

  function showSource() {
    const algorithm = algorithms.find(a => a.name === $("graph-algorithm").value);
    $("graph-source-label").hidden = !(algorithm && (algorithm.needsSource || algorithm.name === "dfs"));
  }

  function editing(isEditing) {
    $("graph-editor").hidden = !isEditing;
    $("graph-viewer").hidden = isEditing;
    $("graph-edit").hidden = isEditing;
    if (isEditing) { $("graph-error").textContent = ""; trace = null; $("graph-save").disabled = true; }
  }

  function own() { $("graph-example").value = "own"; }
  const announce = text => { $("graph-status").textContent = text; };

  // MARK: Drawing

  function draw() {
    drawing = LoopedViewer.drawGraph({...graph, isDirected: graph.directed}, "graph editor");
    drawing.nodes.forEach(({group}, i) => {
      group.append(h("circle", {class: "ring", r: drawing.radius + 9}));
      group.setAttribute("tabindex", 0);
      group.setAttribute("role", "button");
      group.setAttribute("aria-label", `node ${graph.nodes[i].name}`);
      group.addEventListener("focus", () => { if (linking === null) choose({node: i}); });
    });
    drawing.edges.forEach(({group}, i) => {
      const e = graph.edges[i];
      group.setAttribute("tabindex", 0);
      group.setAttribute("role", "button");
      group.setAttribute("aria-label", `edge from ${graph.nodes[e.source].name} to ${graph.nodes[e.target].name}, weight ${e.weight ?? 1}`);
      group.addEventListener("focus", () => { if (linking === null) choose({edge: i}); });
    });
    $("graph-canvas").replaceChildren(drawing.svg);
    const source = $("graph-source").value;
    options($("graph-source"), graph.nodes.map(n => [n.name, n.name]), graph.nodes.some(n => n.name === source) ? source : graph.nodes[0]?.name);
    showSource();
    showChosen();
  }

  function choose(what) { chosen = what; showChosen(); }

  function showChosen() {
    drawing.nodes.forEach(({group}, i) => group.classList.toggle("chosen", chosen?.node === i));
    drawing.edges.forEach(({group}, i) => group.classList.toggle("chosen", chosen?.edge === i));
    const node = chosen && graph.nodes[chosen.node], edge = chosen && graph.edges[chosen.edge];
    $("graph-selection").hidden = !node && !edge;
    $("graph-name-label").hidden = $("graph-connect").hidden = !node;
    $("graph-weight-label").hidden = !edge;
    if (node) {
      $("graph-chosen").textContent = `Node ${node.name}`;
      if (document.activeElement !== $("graph-name")) $("graph-name").value = node.name;
    }
    if (edge) {
      $("graph-chosen").textContent = `${graph.nodes[edge.source].name} ${graph.directed ? "→" : "–"} ${graph.nodes[edge.target].name}`;
      if (document.activeElement !== $("graph-weight")) $("graph-weight").value = edge.weight ?? 1;
    }
    $("graph-connect").textContent = linking === null ? "Connect to…" : "Choose a node…";
  }

  const focus = (kind, i) => drawing[kind][i]?.group.focus({preventScroll: true});

  // MARK: Changing

  function newName() {
    const used = new Set(graph.nodes.map(n => n.name)), isLower = graph.nodes[0] && /^[a-z]$/.test(graph.nodes[0].name);
    for (let i = 0; i < 26; i++) {
      const name = String.fromCharCode((isLower ? 97 : 65) + i);
      if (!used.has(name) && !(graph.nodes[0] && /^\d+$/.test(graph.nodes[0].name))) return name;
    }
    for (let i = 1; ; i++) if (!used.has(String(i))) return String(i);
  }

  function addNode(x, y) {
    if (graph.nodes.length >= limits.nodes) return Page.toast(`Graphs of up to ${limits.nodes} nodes are run here.`);
    graph.nodes.push({name: newName(), x, y});
    own();
    chosen = {node: graph.nodes.length - 1};
    draw();
    announce(`node ${graph.nodes.at(-1).name} added`);
  }

  function connect(source, target) {
    linking = null;
    if (source === target) return showChosen();
    const same = graph.edges.findIndex(e => (e.source === source && e.target === target) || (!graph.directed && e.source === target && e.target === source));
    if (same < 0) {
      if (graph.edges.length >= limits.edges) return Page.toast(`Graphs of up to ${limits.edges} edges are run here.`);
      graph.edges.push({source, target, weight: 1});
    }
    chosen = {edge: same < 0 ? graph.edges.length - 1 : same};
    own();
    draw();
    focus("edges", chosen.edge);
    announce(`edge from ${graph.nodes[source].name} to ${graph.nodes[target].name}`);
  }

  function remove() {
    if (!chosen) return;
    if (chosen.edge !== undefined) graph.edges.splice(chosen.edge, 1);
    else {
      const i = chosen.node, shift = k => k > i ? k - 1 : k;
      graph.edges = graph.edges.filter(e => e.source !== i && e.target !== i).map(e => ({...e, source: shift(e.source), target: shift(e.target)}));
      graph.nodes.splice(i, 1);
    }
    chosen = linking = null;
    own();
    draw();
    // The keys go on working on what is left.
    if (graph.nodes.length) focus("nodes", 0);
    announce("removed");
  }

  // MARK: Pointer

  const canvas = $("graph-canvas");
  let drag = null;

  const nodeAt = event => {
    const element = document.elementFromPoint(event.clientX, event.clientY)?.closest?.("[data-node]");
    return element && canvas.contains(element) ? +element.dataset.node : null;
  };

  canvas.addEventListener("pointerdown", event => {
    if (event.button || !event.target.closest("svg")) return;
    event.preventDefault();
    const node = event.target.closest("[data-node]"), edge = event.target.closest("[data-edge]");
    const start = {x: event.clientX, y: event.clientY};
    if (node) {
      const i = +node.dataset.node;
      if (linking !== null) return connect(linking, i);
      choose({node: i});
      focus("nodes", i);
      drag = {kind: event.target.classList.contains("ring") ? "link" : "move", node: i, start, moved: false};
      if (drag.kind === "link") {
        const [x, y] = drawing.at(i);
        drag.line = h("line", {class: "rubber", x1: x, y1: y, x2: x, y2: y});
        drawing.svg.append(drag.line);
      }
    } else if (edge) { linking = null; choose({edge: +edge.dataset.edge}); focus("edges", +edge.dataset.edge); }
    else if (linking !== null) { linking = null; showChosen(); }
    else drag = {kind: "add", start, moved: false};
  });
  addEventListener("pointermove", event => {
    if (!drag) return;
    if (Math.hypot(event.clientX - drag.start.x, event.clientY - drag.start.y) > 4) drag.moved = true;
    if (!drag.moved) return;
    const p = drawing.point(event);
    if (drag.kind === "move") { Object.assign(graph.nodes[drag.node], {x: p.x, y: p.y}); drawing.moved(drag.node); }
    if (drag.kind === "link") { drag.line.setAttribute("x2", p.px); drag.line.setAttribute("y2", p.py); }
  });
  addEventListener("pointerup", event => {
    if (!drag) return;
    const {kind, node, moved, line} = drag;
    drag = null;
    line?.remove();
    if (kind === "link") {
      const target = nodeAt(event);
      if (moved && target !== null && target !== node) connect(node, target);
    }
    if (kind === "add" && !moved) { const p = drawing.point(event); addNode(p.x, p.y); }
    if (kind === "move" && moved) own();
  });
  addEventListener("pointercancel", () => { drag?.line?.remove(); drag = null; });

  // MARK: Keys

  canvas.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = event.target.closest?.("[data-node]"), i = at ? +at.dataset.node : null;
    const step = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[event.key];
    if (step && i !== null) {
      const n = graph.nodes[i], clamp = v => Math.max(0, Math.min(1, v));
      Object.assign(n, {x: clamp(n.x + step[0] * 0.02), y: clamp(n.y + step[1] * 0.03)});
      drawing.moved(i);
      own();
    } else if ((event.key === "Enter" || event.key === " ") && i !== null && linking !== null) connect(linking, i);
    else if (event.key.toLowerCase() === "c" && i !== null) { linking = i; showChosen(); announce(`connect ${graph.nodes[i].name}: go to another node and press Enter`); }
    else if (event.key.toLowerCase() === "w" && chosen?.edge !== undefined) $("graph-weight").focus();
    else if (event.key.toLowerCase() === "n") {
      const n = i !== null ? graph.nodes[i] : {x: 0.4, y: 0.4};
      addNode(Math.min(0.97, n.x + 0.12), Math.min(0.95, n.y + 0.12));
      focus("nodes", graph.nodes.length - 1);
    } else if (event.key === "Delete" || event.key === "Backspace") remove();
    else if (event.key === "Escape") { linking = null; showChosen(); }
    else return;
    event.preventDefault();
  });

  $("graph-connect").addEventListener("click", () => {
    linking = linking === null && chosen?.node !== undefined ? chosen.node : null;
    showChosen();
  });
  $("graph-delete").addEventListener("click", remove);
  $("graph-name").addEventListener("change", () => {
    const name = $("graph-name").value.trim(), i = chosen?.node;
    if (i === undefined || !name) return;
    if (graph.nodes.some((n, k) => n.name === name && k !== i)) return Page.toast(`There is a node ${name} already.`);
    graph.nodes[i].name = name;
    own();
    draw();
  });
  $("graph-weight").addEventListener("input", () => {
    const value = +$("graph-weight").value;
    if (chosen?.edge === undefined || $("graph-weight").value === "" || !Number.isFinite(value)) return;
    graph.edges[chosen.edge].weight = value;
    own();
    draw();
  });
  $("graph-directed").addEventListener("change", () => { graph.directed = $("graph-directed").checked; own(); editing(true); draw(); });
  $("graph-clear").addEventListener("click", () => { own(); load({nodes: [], edges: [], directed: $("graph-directed").checked}); });
  $("graph-edit").addEventListener("click", () => { editing(true); draw(); });

  // MARK: Running and files

  async function run(event) {
    event?.preventDefault();
    $("graph-error").textContent = "";
    try {
      const answer = await json("looped/graphs/run", {algorithm: $("graph-algorithm").value, source: $("graph-source").value || undefined, graph});
      trace = {header: answer.header, steps: answer.steps, end: answer.end};
      editing(false);
      trace = {header: answer.header, steps: answer.steps, end: answer.end};
      $("graph-save").disabled = false;
      const viewer = LoopedViewer.mount($("graph-viewer"), trace);
      viewer.go(0);
      reveal($("graph-viewer"));
      viewer.play();
    } catch (error) { say($("graph-error"), error); }
  }
  $("graph-form").addEventListener("submit", run);
  $("graph-save").addEventListener("click", () => saveTrace(trace, "graph.jsonl"));
  $("graph-open").addEventListener("click", () => $("graph-file").click());
  $("graph-file").addEventListener("change", async event => {
    const file = event.target.files[0];
    event.target.value = "";
    if (!file) return;
    try {
      if (file.size > 256 * 1024) throw new Error("graph files have at most 256 KiB here");
      load(await json("looped/graphs/read", {name: file.name, text: await file.text()}));
      own();
    } catch (error) { say($("graph-error"), error); }
  });
})();
