// Graphs: nodes by what the network has done with them, the tree as it grows, and a table of the same.
(V => {
  const {h, number} = V, radius = 25;

  // Places for nodes without any: forces, from a circle, the same every time. Nodes far apart do not push each other, and
  // all are drawn to the middle, so that parts without a connection stay on one picture.
  function layout(count, edges) {
    const p = [];
    for (let i = 0; i < count; i++) {
      const angle = 2.399963 * i, r = 0.45 * Math.sqrt((i + 0.5) / count);
      p.push([0.5 + r * Math.cos(angle), 0.5 + r * Math.sin(angle)]);
    }
    const k = 0.75 / Math.sqrt(Math.max(count, 1)), rounds = count > 200 ? 80 : 400;
    for (let round = 0; round < rounds; round++) {
      const move = p.map(q => [(0.5 - q[0]) * 0.25, (0.5 - q[1]) * 0.25]), step = 0.05 * (1 - round / rounds);
      const push = (i, j, force) => {
        const dx = p[i][0] - p[j][0], dy = p[i][1] - p[j][1], d = Math.hypot(dx, dy) || 1e-6, s = force(d) / d;
        move[i][0] += dx * s; move[i][1] += dy * s; move[j][0] -= dx * s; move[j][1] -= dy * s;
      };
      for (let i = 0; i < count; i++) for (let j = 0; j < i; j++) push(i, j, d => d < 4 * k ? k * k / d : 0);
      for (const e of edges) if (e.source !== e.target) push(e.source, e.target, d => -d * d / k / 2);
      p.forEach((q, i) => {
        const d = Math.hypot(...move[i]) || 1e-9, s = Math.min(step, d) / d;
        q[0] += move[i][0] * s; q[1] += move[i][1] * s;
      });
    }
    const fit = axis => {
      const values = p.map(q => q[axis]), low = Math.min(...values), span = Math.max(...values) - low || 1;
      p.forEach(q => { q[axis] = 0.05 + 0.9 * (q[axis] - low) / span; });
    };
    if (count > 1) { fit(0); fit(1); }
    return p;
  }

  // A drawing of {nodes: [{name, x, y}], edges: [{source, target, weight}], isDirected}.
  // Returns {svg, nodes, edges, moved(i), point(event)}; elements carry data-node and data-edge.
  V.drawGraph = (graph, label) => {
    // Upright where the screen is.
    const [width, height] = innerWidth < 700 ? [520, 620] : [1000, 600], margin = 46;
    const at = i => [margin + graph.nodes[i].x * (width - 2 * margin), margin + graph.nodes[i].y * (height - 2 * margin)];
    const svg = h("svg", {viewBox: `0 0 ${width} ${height}`, class: "lv-graph", role: "group", "aria-label": label});
    const arrow = (id, name, size) => h("marker", {id, class: name, viewBox: "0 0 10 10", refX: 9, refY: 5, markerWidth: size,
      markerHeight: size, markerUnits: "userSpaceOnUse", orient: "auto-start-reverse"}, h("path", {d: "M0 1 L10 5 L0 9 Z"}));
    const unique = "a" + Math.random().toString(36).slice(2, 8);
    if (graph.isDirected) svg.append(h("defs", {}, arrow(unique, "lv-arrow", 9), arrow(unique + "t", "lv-arrow lv-tree", 17)));
    const small = graph.nodes.length > 60, r = small ? (graph.nodes.length > 150 ? 8 : 13) : radius;
    const pairs = new Set(graph.edges.map(e => e.source + "," + e.target));
    // A road that is as long both ways is one line with two heads: the later of the two edges is not drawn.
    const twin = graph.edges.map(() => null), seen = new Map();
    if (graph.isDirected) graph.edges.forEach((e, i) => {
      const other = seen.get(e.target + "," + e.source);
      if (other !== undefined && e.source !== e.target && twin[other] === null && graph.edges[other].weight === e.weight) {
        twin[i] = {shown: other};
        twin[other] = {hidden: i};
      } else seen.set(e.source + "," + e.target, i);
    });
    const shown = i => twin[i]?.shown ?? i;
    const showsWeights = graph.edges.some(e => e.weight !== 1 && e.weight !== undefined);
    // Long names stand below their nodes, and values within.
    const isLong = graph.nodes.some(n => n.name.length > 4), below = small ? r + 13 : r + 17;
    const edges = graph.edges.map((edge, i) => {
      const path = h("path", {class: "lv-edge-line"});
      const text = h("text", {class: "lv-weight", text: showsWeights ? number(edge.weight ?? 1) : ""});
      const hit = h("path", {class: "lv-edge-hit"});
      const group = h("g", {class: "lv-edge", "data-edge": i}, hit, path, text);
      if (shown(i) === i) svg.append(group);
      return {group, path, text, hit};
    });
    const nodes = graph.nodes.map((node, i) => {
      const value = h("text", {class: "lv-node-value", y: isLong ? 6 : below});
      const name = small ? "" : node.name.length > 18 ? node.name.slice(0, 17) + "…" : node.name;
      const group = h("g", {class: "lv-node" + (small ? " lv-small" : "") + (isLong ? " lv-long" : ""), "data-node": i},
        h("circle", {r}), h("text", {class: "lv-node-name", y: isLong ? below : 5, text: name}), value, h("title", {text: node.name}));
      svg.append(group);
      return {group, value};
    });

    function placeEdge(i) {
      const {source, target} = graph.edges[i], {path, text, hit} = edges[i];
      const [x1, y1] = at(source), [x2, y2] = at(target);
      let d, tx, ty;
      if (source === target) {
        d = `M${x1 - r * 0.6} ${y1 - r * 0.8} C${x1 - 3 * r} ${y1 - 3.4 * r} ${x1 + 3 * r} ${y1 - 3.4 * r} ${x1 + r * 0.6} ${y1 - r * 0.8}`;
        [tx, ty] = [x1, y1 - 2.75 * r];
      } else {
        const dx = x2 - x1, dy = y2 - y1, length = Math.hypot(dx, dy) || 1, ux = dx / length, uy = dy / length;
        // Opposite edges bend apart.
        const bend = graph.isDirected && !twin[i] && pairs.has(target + "," + source) ? Math.min(26, length * 0.14) : 0;
        const cx = (x1 + x2) / 2 - uy * 2 * bend, cy = (y1 + y2) / 2 + ux * 2 * bend;
        const from = Math.hypot(cx - x1, cy - y1) || 1, to = Math.hypot(x2 - cx, y2 - cy) || 1;
        const gap = graph.isDirected ? r + 3 : r;
        const start = twin[i] ? gap : r, sx = x1 + (cx - x1) / from * start, sy = y1 + (cy - y1) / from * start;
        const ex = x2 - (x2 - cx) / to * gap, ey = y2 - (y2 - cy) / to * gap;
        d = `M${sx} ${sy} Q${cx} ${cy} ${ex} ${ey}`;
        [tx, ty] = [(x1 + x2) / 2 - uy * (bend + 1), (y1 + y2) / 2 + ux * (bend + 1) + 5];
      }
      path.setAttribute("d", d);
      hit.setAttribute("d", d);
      heads(i, null);
      text.setAttribute("x", tx);
      text.setAttribute("y", ty);
    }
    // Arrow heads; of a tree's edge only the one that shows which way the tree takes it.
    function heads(i, marked) {
      if (!graph.isDirected) return;
      const head = isThere => isThere ? `url(#${unique}${marked ? "t" : ""})` : "none";
      edges[i].path.setAttribute("marker-end", head(!marked || marked.has(i)));
      edges[i].path.setAttribute("marker-start", head(twin[i] && (!marked || marked.has(twin[i].hidden))));
    }
    const placeNode = i => nodes[i].group.setAttribute("transform", `translate(${at(i).join(" ")})`);
    graph.nodes.forEach((_, i) => placeNode(i));
    graph.edges.forEach((_, i) => placeEdge(i));
    return {
      svg, nodes, edges, radius: r,
      moved(i) {
        placeNode(i);
        graph.edges.forEach((e, k) => { if (e.source === i || e.target === i) placeEdge(k); });
      },
      tree(marked) {
        const lines = new Set([...marked].map(shown));
        edges.forEach((edge, i) => {
          edge.group.classList.toggle("lv-tree", lines.has(i));
          heads(i, lines.has(i) ? marked : null);
        });
      },
      // A pointer's place, as a node has it.
      point(event) {
        const p = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
        return {x: Math.max(0, Math.min(1, (p.x - margin) / (width - 2 * margin))),
          y: Math.max(0, Math.min(1, (p.y - margin) / (height - 2 * margin))), px: p.x, py: p.y};
      },
      at,
    };
  };

  // What a node's value means to people.
  const meanings = {
    distance: {title: "distance", text: v => number(v)},
    order: {title: "place", text: v => `${v + 1}.`},
    component: {title: "component of", text: (v, names) => names[v] ?? ""},
    rank: {title: "rank", text: v => v.toFixed(3)},
  };

  V.scenes.graph = ({trace, root}) => {
    const {header, steps} = trace, graph = header.graph, names = header.columns, n = names.length;
    const places = graph.places ? names.map((_, i) => [graph.places[2 * i], graph.places[2 * i + 1]]) : layout(n, graph.edges);
    const drawing = V.drawGraph({isDirected: graph.isDirected, edges: graph.edges,
      nodes: names.map((name, i) => ({name, x: places[i][0], y: places[i][1]}))}, header.program);
    drawing.svg.setAttribute("role", "img");
    const meaning = meanings[graph.value] || meanings.distance;
    const between = new Map();
    graph.edges.forEach((e, i) => { const key = e.source + "," + e.target; if (!between.has(key)) between.set(key, i); });
    const edge = (s, t) => between.get(s + "," + t) ?? (graph.isDirected && graph.value !== "distance" ? between.get(t + "," + s) : graph.isDirected ? undefined : between.get(t + "," + s));
    const rows = names.map(name => h("tr", {}, h("th", {scope: "row", text: name}), h("td"), h("td"), h("td")));
    const hasTree = (graph.value === "distance" || graph.value === "order") &&
      steps.some(s => s.changes.some(c => c.predecessor !== undefined && c.predecessor !== c.column));
    const table = h("table", {class: "lv-table"}, h("thead", {}, h("tr", {},
      ["node", meaning.title, "from", "state"].map(t => h("th", {scope: "col", text: t})))), h("tbody", {}, rows));
    const status = h("div", {class: "lv-status"});
    const order = h("p", {class: "lv-order"});

    function show(loop, state, step) {
      const text = header.values.map(v => v < 0 ? "" : meaning.text(v, names)), before = new Array(n).fill(-1), visited = new Set(), path = [];
      for (let i = 0; i < loop; i++) {
        for (const c of steps[i].changes) {
          text[c.column] = meaning.text(c.after, names);
          before[c.column] = c.predecessor ?? -1;
        }
        for (const v of steps[i].visited || []) { if (!visited.has(v)) path.push(v); visited.add(v); }
      }
      const now = new Set(step ? step.visited || [] : []), changed = new Set(step ? step.changes.map(c => c.column) : []);
      if (graph.source !== undefined && loop === 0) now.add(graph.source);
      const components = [...new Set(text)].filter(Boolean);
      const states = names.map((_, i) => now.has(i) ? (loop === 0 ? "start" : "this loop") : visited.has(i) ? "done" : text[i] ? "reached" : "");
      const classes = {"this loop": "lv-visiting", start: "lv-visiting", done: "lv-done", reached: "lv-frontier", "": "lv-untouched"};
      drawing.nodes.forEach((node, i) => {
        for (const name of Object.values(classes)) node.group.classList.remove(name);
        node.group.classList.add(classes[states[i]]);
        node.group.classList.toggle("lv-changed", changed.has(i));
        node.value.textContent = text[i];
        if (graph.value === "component" && text[i]) node.group.dataset.hue = components.indexOf(text[i]) % 8;
        else delete node.group.dataset.hue;
        const row = rows[i].children;
        row[1].textContent = text[i] || "–";
        row[2].textContent = before[i] >= 0 && before[i] !== i ? names[before[i]] : "";
        row[3].textContent = states[i];
        rows[i].className = classes[states[i]] + (changed.has(i) ? " lv-changed" : "");
      });
      const tree = new Set();
      if (hasTree) before.forEach((p, i) => { if (p >= 0 && p !== i) { const e = edge(p, i); if (e !== undefined) tree.add(e); } });
      drawing.tree(tree);
      const words = step ? step.summary : graph.source !== undefined ? `Start at ${names[graph.source]}` : "Before the first loop";
      status.replaceChildren(h("strong", {text: words}));
      for (const c of step ? step.changes.slice(0, 8) : [])
        status.append(h("span", {class: "lv-chip lv-changed"}, h("i", {text: names[c.column]}),
          (c.before < 0 || graph.value === "component" ? "" : meaning.text(c.before, names) + " → ") + meaning.text(c.after, names)));
      order.textContent = path.length ? "Visited: " + path.slice(0, 80).map(i => names[i]).join(" → ") : "";
      return words;
    }

    const key = (name, text) => h("span", {class: "lv-key " + name, text});
    return {show, element: h("div", {class: "lv-graph-scene"}, status,
      h("section", {class: "lv-panel lv-p-graph"}, drawing.svg, h("p", {class: "lv-legend"},
        key("lv-visiting", "this loop"), key("lv-frontier", "reached"), key("lv-done", "done"),
        hasTree ? key("lv-treekey", "the tree so far") : null)),
      h("section", {class: "lv-panel lv-p-table"}, h("h3", {text: "Nodes"}), h("div", {class: "lv-scroll", tabindex: "0", role: "region", "aria-label": "nodes"}, table), order))};
  };
})(window.LoopedViewer);
