// The in-context view: points to drag, and the learner's fit after every loop.
"use strict";
(() => {
  const {$, h, json, examples, say, options, saveTrace} = Page;
  const sets = {
    "a rising line": [[-2.2, -1.9], [-1.2, -1.2], [-0.5, -0.3], [0.6, 0.6], [1.3, 1.0], [2.1, 2.0]],
    "a falling line": [[-2, 2.9], [-0.8, 1.4], [0.7, -1.1], [1.9, -2.6]],
    "one point": [[1.5, 1.5]],
    "an outlier": [[-2, -1], [-1, -0.5], [0.5, 0.25], [1, 0.5], [2, 1], [2.4, -2.5]],
    "noise alone": [[-2.4, 0.6], [-1.6, -1], [-0.9, 1.2], [-0.3, -0.6], [0.4, 1], [1, -1.3], [1.7, 0.8], [2.3, -0.4]],
    "no points": [],
  };
  let points = sets["a rising line"].map(p => [...p]), viewer = null, trace = null, busy = false, again = false, most = 10;

  Page.first("learner", async () => {
    options($("learner-example"), [...Object.keys(sets).map(k => [k, k]), ["own", "my own"]], "a rising line");
    try {
      const {limits} = await examples();
      most = limits.points;
      $("learner-loops").value = limits.trainedLoops;
      $("learner-loops").max = limits.loops;
      $("learner-about").textContent = "One layer, trained on thousands of linear functions of five features and frozen since. It reads the points as a prompt " +
        "and, loop by loop, comes to predict what least squares would. Here one feature varies and the other four are zero, so that its answers can be drawn; " +
        `it has seen no constant, so every line goes through the origin. It was trained with ${limits.trainedLoops} loops, and always on several features at once: what you see is the edge of what it knows.`;
      $("learner-hint").textContent = `Drag a point, or choose it with Tab and move it with the arrow keys; Delete removes it. A double click adds one, up to ${most}.`;
      fit();
    } catch (error) { say($("learner-error"), error); }
  });

  // One request at a time; a drag that goes on meanwhile is answered by the next.
  async function fit() {
    if (busy) { again = true; return; }
    busy = true;
    try {
      do {
        again = false;
        const loops = Math.round(+$("learner-loops").value) || undefined;
        const answer = await json("looped/in-context/fit", {points: points.map(([x, y]) => ({x, y})), loops});
        $("learner-error").textContent = "";
        show(answer);
      } while (again);
    } catch (error) { say($("learner-error"), error); } finally { busy = false; }
  }

  let dragged = null;
  function show(answer) {
    trace = {header: answer.header, steps: answer.steps, end: answer.end};
    const n = trace.steps.length;
    const before = viewer ? (viewer.at >= viewer.trace.steps.length ? n : Math.min(viewer.at, n)) : n;
    const focused = document.activeElement?.dataset?.point;
    viewer?.stop();
    viewer = LoopedViewer.mount($("learner-viewer"), trace, {range: dragged?.range});
    viewer.go(before);
    $("learner-save").disabled = false;
    arm();
    if (focused !== undefined) $("learner-viewer").querySelector(`[data-point="${focused}"]`)?.focus();
  }

  // Makes the plot's points movable.
  function arm() {
    const svg = $("learner-viewer").querySelector(".lv-plot");
    svg.setAttribute("role", "group");
    svg.querySelectorAll(".lv-point").forEach((circle, i) => {
      circle.dataset.point = i;
      circle.setAttribute("tabindex", 0);
      circle.setAttribute("role", "slider");
      circle.setAttribute("aria-label", `point ${i + 1}`);
      circle.setAttribute("aria-valuenow", points[i][1]);
      circle.setAttribute("aria-valuetext", `x ${points[i][0].toFixed(1)}, y ${points[i][1].toFixed(1)}`);
      circle.addEventListener("keydown", event => {
        const d = {ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1]}[event.key];
        if (d) move(i, points[i][0] + d[0], points[i][1] + d[1]);
        else if (event.key === "Delete" || event.key === "Backspace") { points.splice(i, 1); changed(); }
        else return;
        event.preventDefault();
        event.stopPropagation();
      });
    });
  }

  // The plot is drawn anew with every answer, so a drag is followed on the document.
  const value = event => viewer.scene.plot.value(event);

  $("learner-viewer").addEventListener("pointerdown", event => {
    const i = event.target.dataset?.point;
    if (i === undefined) return;
    event.preventDefault();
    dragged = {i: +i, range: viewer.scene.plot.range};
    event.target.focus({preventScroll: true});
  });
  addEventListener("pointermove", event => {
    if (!dragged) return;
    const v = value(event);
    move(dragged.i, v.x, v.y);
  });
  const drop = () => { if (dragged) { dragged = null; fit(); } };
  addEventListener("pointerup", drop);
  addEventListener("pointercancel", drop);
  $("learner-viewer").addEventListener("dblclick", event => {
    if (!event.target.closest(".lv-plot:not(.lv-distance)") || event.target.dataset?.point !== undefined) return;
    const v = value(event);
    add(v.x, v.y);
  });

  const clamp = (v, limit) => Math.round(Math.max(-limit, Math.min(limit, v)) * 100) / 100;
  function move(i, x, y) {
    points[i] = [clamp(x, 3), clamp(y, 20)];
    const circle = $("learner-viewer").querySelector(`[data-point="${i}"]`);
    if (circle) {
      circle.setAttribute("cx", viewer.scene.plot.x(points[i][0]));
      circle.setAttribute("cy", viewer.scene.plot.y(points[i][1]));
    }
    changed();
  }
  function add(x, y) {
    if (points.length >= most) return Page.toast(`The learner has seen prompts of up to ${most} points.`);
    points.push([clamp(x, 3), clamp(y, 20)]);
    changed();
  }
  function changed() {
    $("learner-example").value = "own";
    fit();
  }

  $("learner-example").addEventListener("change", () => {
    const set = sets[$("learner-example").value];
    if (set) { points = set.map(p => [...p]); fit(); }
  });
  $("learner-loops").addEventListener("change", fit);
  $("learner-add").addEventListener("click", () => {
    const slope = trace ? trace.header.regression.leastSquares.at(-1) / 3 : 1, x = ((points.length * 1.7 + 0.4) % 5) - 2.5;
    add(x, slope * x);
  });
  $("learner-remove").addEventListener("click", () => { if (points.length) { points.pop(); changed(); } });
  $("learner-save").addEventListener("click", () => saveTrace(trace, "in-context.jsonl"));
})();
