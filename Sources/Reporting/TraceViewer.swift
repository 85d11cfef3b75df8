import Foundation
import Looping

/// The markup that shows a trace: a memory × step heat map, a slider, and the chosen step in detail.
public struct TraceViewer {
  /// Steps beyond this number would make a page that browsers cannot hold.
  public static let largestStepCount = 20_000

  /// - Parameter id: distinguishes several viewers on one page; letters only.
  public static func markup(_ trace: Trace, id: String = "trace") throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.withoutEscapingSlashes]
    var shown = trace
    shown.steps = Array(trace.steps.prefix(largestStepCount))
    func json(_ value: some Encodable) throws -> String {
      // "</script>" inside a string would end the element.
      String(decoding: try encoder.encode(value), as: UTF8.self).replacing("<", with: "\\u003c")
    }
    let cut =
      shown.steps.count < trace.steps.count
      ? "<p>The first \(shown.steps.count) of \(trace.steps.count) loops are shown.</p>" : ""
    return """
      <div class="viewer" id="\(id)">
      <style>
      .viewer canvas { width: 100%; height: 300px; border: 1px solid var(--line); image-rendering: pixelated;
        cursor: crosshair; }
      .viewer input[type=range] { width: 100%; } .viewer .changed { color: var(--mark); font-weight: 600; }
      .viewer .bar { display: inline-block; height: .7em; background: var(--mark); margin-right: .5em; }
      .viewer .panes { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 1rem; }
      .viewer .output { white-space: pre-wrap; font-family: monospace; }
      </style>
      \(cut)
      <p>Memory (left to right) over loops (top to bottom): blue is negative, orange positive, the brighter the larger;
      a change is marked. Click, or move with the slider and the arrow keys.</p>
      <canvas></canvas><input type="range" min="0" value="0" aria-label="loop">
      <div class="panes"><div class="step"></div><div class="attention"></div></div>
      <p>Written so far: <span class="output"></span></p>
      <script>(() => {
      const header = \(try json(shown.header)), steps = \(try json(shown.steps)), root = document.getElementById("\(id)");
      \(script)
      })();</script></div>
      """
  }

  private static let script = """
    const canvas = root.querySelector("canvas"), slider = root.querySelector("input");
    const n = header.columns.length, rows = steps.length + 1;
    slider.max = steps.length;
    const states = [Float64Array.from(header.values)];
    const escape = text => String(text).replace(/[&<>]/g, c => ({"&": "&amp;", "<": "&lt;", ">": "&gt;"}[c]));
    // Snapshots every 64 loops keep memory bounded; the states between them are replayed.
    let state = states[0].slice();
    steps.forEach((step, i) => {
      for (const c of step.changes) state[c.column] = c.after;
      if ((i + 1) % 64 === 0) states[(i + 1) / 64] = state.slice();
    });
    const at = loop => {
      const s = states[Math.floor(loop / 64)].slice();
      for (let i = Math.floor(loop / 64) * 64; i < loop; i++)
        for (const c of steps[i].changes) s[c.column] = c.after;
      return s;
    };
    let largest = 1;
    for (const v of header.values) largest = Math.max(largest, Math.abs(v));
    for (const step of steps) for (const c of step.changes) largest = Math.max(largest, Math.abs(c.after));
    const draw = chosen => {
      const height = Math.min(rows, 600), width = Math.min(n, 2048);
      canvas.width = width; canvas.height = height;
      const context = canvas.getContext("2d"), image = context.createImageData(width, height);
      let now = states[0].slice(), done = 0;
      for (let y = 0; y < height; y++) {
        const loop = Math.floor(y * rows / height), changed = new Set();
        while (done < loop) { for (const c of steps[done].changes) { now[c.column] = c.after; changed.add(c.column); } done++; }
        for (let x = 0; x < width; x++) {
          const cell = Math.floor(x * n / width), v = now[cell];
          const strength = v === 0 ? 0 : 0.25 + 0.75 * Math.log1p(Math.abs(v)) / Math.log1p(largest);
          const base = v > 0 ? [230, 130, 30] : [40, 120, 220], o = 4 * (y * width + x);
          for (let k = 0; k < 3; k++) image.data[o + k] = changed.has(cell) ? 255 - base[k] / 4 : base[k];
          image.data[o + 3] = changed.has(cell) ? 255 : 255 * strength;
        }
      }
      context.putImageData(image, 0, 0);
      context.fillStyle = "rgba(128,128,128,.8)";
      context.fillRect(0, Math.floor(chosen * height / rows), width, 1);
    };
    const show = loop => {
      slider.value = loop;
      draw(loop);
      const step = steps[loop - 1], pane = root.querySelector(".step"), look = root.querySelector(".attention");
      root.querySelector(".output").textContent = steps.slice(0, loop).map(s => s.output || "").join("");
      if (!step) { pane.innerHTML = "<h3>Before the first loop</h3>"; look.innerHTML = ""; return; }
      pane.innerHTML = `<h3>Loop ${step.loop}</h3><table><tbody>` +
        (step.position === undefined ? "" : `<tr><th>program counter</th><td>${step.position}</td></tr>`) +
        `<tr><th>instruction</th><td>${escape(step.summary)}</td></tr>` +
        `<tr><th>flag</th><td>${step.jumped ? "jumped" : "did not jump"}</td></tr>` +
        step.changes.map(c => `<tr class="changed"><th>${escape(header.columns[c.column])}</th><td>${c.before} → ${c.after}</td></tr>`).join("") +
        (step.output ? `<tr><th>wrote</th><td>${escape(JSON.stringify(step.output))}</td></tr>` : "") + "</tbody></table>";
      look.innerHTML = !step.attention ? "" : "<h3>Attention</h3><table><tbody>" + step.attention.map(a =>
        `<tr><th>${escape(a.head)}</th><td>${escape(a.query)} →</td><td>` + a.columns.map((c, i) =>
          `<div><span class="bar" style="width:${4 * a.weights[i]}em"></span>${escape(c)} ${a.weights[i].toFixed(3)}</div>`).join("") +
        "</td></tr>").join("") + "</tbody></table>";
    };
    slider.oninput = () => show(+slider.value);
    canvas.onclick = event => {
      const box = canvas.getBoundingClientRect();
      show(Math.min(steps.length, Math.max(0, Math.floor((event.clientY - box.top) / box.height * rows))));
    };
    show(Math.min(1, steps.length));
    """

  /// A page of its own.
  public static func page(_ trace: Trace) throws -> String {
    var page = HTMLPage(title: trace.header.program)
    page.paragraph(
      "\(trace.header.network): \(trace.header.layers) layers, width \(trace.header.width), "
        + "\(trace.header.parameters) constant weights (digest \(trace.header.digest)). "
        + "\(trace.steps.count) loops; \(trace.end?.halt ?? "cut off").")
    page.raw(try markup(trace))
    return page.text
  }
}
