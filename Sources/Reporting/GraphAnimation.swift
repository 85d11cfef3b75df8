import Foundation

/// A drawing that shows an algorithm loop by loop: what is done, what waits, the tree as it grows.
public struct GraphAnimation {
  public struct Change: Encodable, Sendable {
    public var node: Int
    /// What stands below the node from now on.
    public var value: String
    /// The node before, or the node itself.
    public var predecessor: Int

    public init(node: Int, value: String, predecessor: Int) {
      self.node = node
      self.value = value
      self.predecessor = predecessor
    }
  }

  /// What one loop did.
  public struct Frame: Encodable, Sendable {
    /// Of the loop, counted from 1.
    public var number: Int
    public var visited: [Int]
    public var changes: [Change]

    public init(number: Int, visited: [Int], changes: [Change]) {
      self.number = number
      self.visited = visited
      self.changes = changes
    }
  }

  /// Larger graphs are drawn without an animation.
  public static let largestNodeCount = 500
  /// Changes in all frames together; more make a page that browsers cannot hold.
  public static let largestChangeCount = 400_000

  /// The drawing with a slider, buttons and keys.
  ///
  /// - Parameter what: what a frame is: a loop, or a step.
  public static func markup(
    _ drawing: GraphDrawing, frames: [Frame], what: String = "loop", id: String = "graph"
  ) throws -> String {
    func json(_ value: some Encodable) throws -> String {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.withoutEscapingSlashes]
      // "</script>" inside a string would end the element.
      return String(decoding: try encoder.encode(value), as: UTF8.self).replacing("<", with: "\\u003c")
    }
    var still = drawing
    // The values stand where the last ones need to stand; the script fills them in.
    still.hidesValues = true
    still.groups = drawing.groups.map { _ in -1 }
    for edge in still.edges.indices { still.edges[edge].isMarked = false }
    return """
      <style>
      .player { display: flex; gap: .5rem; align-items: center; } .player input { flex: 1; }
      .player button { font: inherit; min-width: 2.4rem; color: inherit; background: none; border: 1px solid var(--line);
        border-radius: 6px; }
      .legend span { margin-right: 1.2rem; } .legend i { display: inline-block; width: .8rem; height: .8rem;
        border-radius: 50%; margin-right: .35rem; border: 2px solid; }
      #\(id) .node circle { transition: fill .15s, stroke .15s; }
      #\(id) .frontier circle { stroke: #bf8700; stroke-width: 3; }
      #\(id) .visited circle { stroke: #1a7f37; fill: color-mix(in srgb, #1a7f37 30%, var(--node)); stroke-width: 2; }
      #\(id) .now circle { stroke: #cf222e; fill: color-mix(in srgb, #cf222e 35%, var(--node)); stroke-width: 4; }
      #\(id) .changed .value { fill: #bf8700; }
      </style>
      <p class="legend"><span><i style="color:#cf222e"></i>this \(HTMLPage.escape(what))</span>
      <span><i style="color:#bf8700"></i>frontier</span><span><i style="color:#1a7f37"></i>visited</span>
      <span>thick lines: the tree</span></p>
      <div class="player"><button data-go="start" title="Home">⏮</button><button data-go="back" title="←">◀</button>
      <button data-go="play" title="space">▶ play</button><button data-go="on" title="→">▶</button>
      <button data-go="end" title="End">⏭</button>
      <input type="range" min="0" value="0" max="\(frames.count)" aria-label="\(HTMLPage.escape(what))">
      <output></output></div>
      \(still.text(id: id))
      <script>(() => {
      const frames = \(try json(frames)), names = \(try json(drawing.names)),
        edges = \(try json(drawing.edges.map { [$0.source, $0.target] })), directed = \(drawing.isDirected),
        what = \(try json(what));
      const svg = document.getElementById("\(id)"), player = svg.parentNode.querySelector(".player");
      \(script)
      })();</script>
      """
  }

  private static let script = """
    const slider = player.querySelector("input"), output = player.querySelector("output");
    const nodes = [...svg.querySelectorAll(".node")], lines = [];
    for (const line of svg.querySelectorAll(".edge")) lines[line.dataset.edge] = line;
    const values = nodes.map(node => node.querySelector(".value"));
    // For each pair of nodes the edge that stands for it; the other direction where edges have none, or a tree
    // takes them both ways.
    const between = new Map();
    edges.forEach(([s, t], i) => { if (!between.has(s + "," + t)) between.set(s + "," + t, i); });
    const edge = (s, t) => between.has(s + "," + t) ? between.get(s + "," + t) : between.get(t + "," + s);
    let loop = 0, timer = null;
    const show = to => {
      loop = Math.max(0, Math.min(frames.length, to));
      const text = new Array(nodes.length).fill(""), before = new Array(nodes.length).fill(-1), visited = new Set();
      for (let i = 0; i < loop; i++) {
        for (const c of frames[i].changes) { text[c.node] = c.value; before[c.node] = c.predecessor; }
        for (const v of frames[i].visited) visited.add(v);
      }
      const frame = loop ? frames[loop - 1] : {visited: [], changes: []};
      const now = new Set(frame.visited), changed = new Set(frame.changes.map(c => c.node));
      nodes.forEach((node, i) => {
        node.classList.toggle("visited", visited.has(i));
        node.classList.toggle("frontier", !visited.has(i) && text[i] !== "");
        node.classList.toggle("now", now.has(i));
        node.classList.toggle("changed", changed.has(i));
        if (values[i]) values[i].textContent = text[i];
      });
      const tree = new Set();
      before.forEach((p, i) => { if (p >= 0 && p !== i) tree.add(edge(p, i)); });
      lines.forEach((line, i) => line.classList.toggle("marked", tree.has(i)));
      slider.value = loop;
      const list = frame.visited.slice(0, 8).map(v => names[v]).join(", ") + (frame.visited.length > 8 ? ", …" : "");
      output.textContent = `${what} ${loop ? frame.number : 0} of ${frames.length ? frames[frames.length - 1].number : 0}` + (list ? `: ${list}` : "");
    };
    const stop = () => { clearInterval(timer); timer = null; player.querySelector("[data-go=play]").textContent = "▶ play"; };
    const play = () => {
      if (timer) return stop();
      if (loop >= frames.length) show(0);
      player.querySelector("[data-go=play]").textContent = "❚❚ stop";
      timer = setInterval(() => { show(loop + 1); if (loop >= frames.length) stop(); },
        Math.max(60, Math.min(600, 20000 / frames.length)));
    };
    const go = {start: () => show(0), back: () => show(loop - 1), on: () => show(loop + 1),
      end: () => show(frames.length), play};
    player.onclick = event => {
      const action = event.target.dataset.go;
      if (action && action !== "play") stop();
      if (action) go[action]();
    };
    slider.oninput = () => { stop(); show(+slider.value); };
    document.addEventListener("keydown", event => {
      const action = {ArrowLeft: "back", ArrowRight: "on", Home: "start", End: "end", " ": "play"}[event.key];
      if (!action || event.target.tagName === "INPUT" && event.key !== " ") return;
      event.preventDefault();
      if (action !== "play") stop();
      go[action]();
    });
    show(0);
    """
}
