// The learner: what it would answer along one feature after every loop, beside least squares.
(V => {
  const {h, number} = V, left = 46, right = 14, top = 14, bottom = 34;

  // A plot of points over [−3.2, 3.2]; returns {svg, x, y, range, draw(points), line(element, xs, ys), value(event)}.
  V.plot = label => {
    // Nearly square where the screen is narrow, so that figures stay legible.
    const [width, height] = innerWidth < 700 ? [420, 400] : [720, 460];
    const svg = h("svg", {viewBox: `0 0 ${width} ${height}`, class: "lv-plot", role: "group", "aria-label": label});
    const grid = h("g", {class: "lv-grid"}), lines = h("g"), points = h("g");
    svg.append(grid, lines, points);
    let range = 4;
    const x = v => left + (v + 3.2) / 6.4 * (width - left - right);
    const y = v => top + (range - v) / (2 * range) * (height - top - bottom);
    function setRange(value) {
      range = value;
      grid.replaceChildren();
      for (let v = -3; v <= 3; v++) {
        grid.append(h("line", {x1: x(v), x2: x(v), y1: top, y2: height - bottom, class: v === 0 ? "lv-axis" : ""}),
          h("text", {x: x(v), y: height - bottom + 20, "text-anchor": "middle", text: number(v)}));
      }
      const step = [0.5, 1, 2, 5, 10, 20, 50, 100].find(s => range / s <= 5) || 100;
      for (let v = -Math.floor(range / step) * step; v <= range; v += step)
        grid.append(h("line", {x1: left, x2: width - right, y1: y(v), y2: y(v), class: v === 0 ? "lv-axis" : ""}),
          h("text", {x: left - 8, y: y(v) + 4, "text-anchor": "end", text: number(v)}));
    }
    setRange(range);
    return {
      svg, lines, points, x, y, setRange, get range() { return range; },
      polyline: (xs, ys) => xs.map((v, i) => `${x(v).toFixed(1)},${Math.max(-2000, Math.min(3000, y(ys[i]))).toFixed(1)}`).join(" "),
      value(event) {
        const p = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
        return {x: (p.x - left) / (width - left - right) * 6.4 - 3.2, y: range - (p.y - top) / (height - top - bottom) * 2 * range};
      },
    };
  };

  // The smallest round range that holds the points and least squares.
  V.plotRange = values => {
    const largest = Math.max(2, ...values.map(Math.abs)) * 1.08;
    return [2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50, 100].find(r => r >= largest) || largest;
  };

  const rms = (a, b) => Math.sqrt(a.reduce((sum, v, i) => sum + (v - b[i]) ** 2, 0) / Math.max(a.length, 1));

  // Distance from least squares over loops, logarithmic; click to go.
  function distanceChart(distances, trained, go) {
    const w = 420, hgt = 230, l = 46, b = 30, t = 12, r = 12;
    const low = Math.floor(Math.log10(Math.max(1e-4, Math.min(...distances.filter(d => d > 0), 1))));
    const high = Math.ceil(Math.log10(Math.max(...distances, 0.1)) + 1e-9);
    const n = Math.max(1, distances.length - 1);
    const x = i => l + i / n * (w - l - r), y = d => t + (high - Math.log10(Math.max(d, 10 ** low))) / Math.max(1, high - low) * (hgt - t - b);
    const svg = h("svg", {viewBox: `0 0 ${w} ${hgt}`, class: "lv-plot lv-distance", role: "img",
      "aria-label": `distance from least squares over loops, from ${number(distances[0], 3)} to ${number(distances.at(-1), 3)}`});
    const grid = h("g", {class: "lv-grid"});
    for (let e = low; e <= high; e++)
      grid.append(h("line", {x1: l, x2: w - r, y1: y(10 ** e), y2: y(10 ** e)}),
        h("text", {x: l - 6, y: y(10 ** e) + 4, "text-anchor": "end", text: e >= 0 ? String(10 ** e) : (10 ** e).toFixed(-e)}));
    const stride = [1, 2, 5, 10, 20, 50].find(s => n / s <= 8) || 50;
    for (let i = 0; i <= n; i += stride)
      grid.append(h("text", {x: x(i), y: hgt - 10, "text-anchor": "middle", text: String(i)}));
    if (trained < n) grid.append(h("line", {x1: x(trained), x2: x(trained), y1: t, y2: hgt - b, class: "lv-trained"}));
    const mark = h("circle", {r: 6, class: "lv-mark"});
    svg.append(grid, h("polyline", {class: "lv-learner", points: distances.map((d, i) => `${x(i)},${y(d)}`).join(" ")}), mark);
    svg.addEventListener("pointerdown", event => {
      const p = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      go(Math.round((p.x - l) / (w - l - r) * n));
    });
    return {svg, show: i => { mark.setAttribute("cx", x(i)); mark.setAttribute("cy", y(distances[i])); }};
  }

  V.scenes.regression = ({trace, history, go, options}) => {
    const scene = trace.header.regression, {queries, leastSquares} = scene, n = trace.steps.length;
    const points = [];
    for (let i = 0; i + 1 < scene.points.length; i += 2) points.push([scene.points[i], scene.points[i + 1]]);
    const plot = V.plot("points, least squares and the learner");
    plot.svg.setAttribute("role", "img");
    // A range that stays while a point is dragged.
    plot.setRange(options.range || V.plotRange([...points.map(p => p[1]), ...leastSquares]));
    // Loops before the one shown stay as traces of light.
    const ghosts = Array.from({length: n}, (_, i) => h("polyline", {class: "lv-ghost", points: plot.polyline(queries, [...history.at(i + 1)])}));
    const learner = h("polyline", {class: "lv-learner"});
    plot.lines.append(...ghosts, h("polyline", {class: "lv-squares", points: plot.polyline(queries, leastSquares)}), learner);
    for (const [px, py] of points) plot.points.append(h("circle", {r: 8, class: "lv-point", cx: plot.x(px), cy: plot.y(py)}));
    const distances = Array.from({length: n + 1}, (_, i) => rms([...history.at(i)], leastSquares));
    const chart = distanceChart(distances, scene.trainedLoops, go);
    const status = h("div", {class: "lv-status"});
    const last = queries.length - 1, slope = v => (v[last] - v[0]) / ((queries[last] - queries[0]) || 1);
    function show(loop, state) {
      learner.setAttribute("points", plot.polyline(queries, [...state]));
      ghosts.forEach((ghost, i) => ghost.style.setProperty("opacity", i + 1 < loop ? Math.max(0.05, 0.4 - 0.06 * (loop - i - 2)) : 0));
      chart.show(loop);
      const chip = (name, text) => h("span", {class: "lv-chip"}, h("i", {text: name}), text);
      status.replaceChildren(h("strong", {text: loop === 0 ? "Before the first loop" : `After loop ${loop}`}),
        chip("from least squares", number(distances[loop], 3)), chip("learner's slope", number(slope(state), 3)),
        chip("least squares' slope", number(slope(leastSquares), 3)));
      if (loop > scene.trainedLoops) status.append(chip("beyond training", `+${loop - scene.trainedLoops} loops`));
      return `${loop === 0 ? "Before the first loop" : "Loop " + loop}: ${number(distances[loop], 3)} from least squares`;
    }
    const key = (name, text) => h("span", {class: "lv-key " + name, text});
    return {show, plot, element: h("div", {class: "lv-regression-scene"}, status,
      h("section", {class: "lv-panel lv-p-plot"}, plot.svg, h("p", {class: "lv-legend"}, key("lv-learnerkey", "the learner, this loop"),
        key("lv-squareskey", "least squares"), key("lv-pointkey", "context"))),
      h("section", {class: "lv-panel lv-p-distance"}, h("h3", {text: "Distance from least squares, by loop"}), chart.svg))};
  };
})(window.LoopedViewer);
