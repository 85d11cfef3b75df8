import Foundation
import Looping

/// The markup that shows a trace: a player over its loops, with the memory and the program of a machine, the graph, the
/// learner's fit, or the text and what would follow.
///
/// Pages that the command writes hold everything inline; the server's page loads the same `style` and `script`.
public struct TraceViewer {
  /// Steps beyond this number would make a page that browsers cannot hold.
  public static let largestStepCount = 20_000

  /// CSS and JavaScript of the viewer. The script defines `LoopedViewer`: `mount(element, trace)` and what it is made of.
  public static let style = PackageResources.viewer_css
  public static let script =
    PackageResources.viewer_js + PackageResources.viewer_machine_js + PackageResources.viewer_graph_js
    + PackageResources.viewer_regression_js + PackageResources.viewer_text_js

  /// The parts of a trace as the script takes them.
  private struct Shown: Encodable {
    var header: TraceHeader
    var steps: [TraceStep]
    var end: TraceEnd?
  }

  /// - Parameter id: distinguishes several viewers on one page; letters only.
  public static func markup(_ trace: Trace, id: String = "trace") throws -> String {
    try markup(trace, id: id, after: "")
  }

  /// - Parameter after: script to run when the viewer is there, on its element.
  private static func markup(_ trace: Trace, id: String, after: String) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.withoutEscapingSlashes]
    let shown = Shown(
      header: trace.header, steps: Array(trace.steps.prefix(largestStepCount)), end: trace.end)
    // "</script>" inside a string would end the element.
    let json = String(decoding: try encoder.encode(shown), as: UTF8.self).replacing("<", with: "\\u003c")
    let cut =
      shown.steps.count < trace.steps.count
      ? "<p>The first \(shown.steps.count) of \(trace.steps.count) loops are shown.</p>" : ""
    return """
      \(cut)<style>
      \(String(decoding: style, as: UTF8.self))
      </style><div id="\(id)"></div>
      <script>
      \(String(decoding: script, as: UTF8.self))
      LoopedViewer.mount(document.getElementById("\(id)"), \(json));
      \(after)
      </script>
      """
  }

  /// A page of its own.
  public static func page(_ trace: Trace) throws -> String {
    var page = HTMLPage(title: trace.header.program)
    // The keys work from the beginning.
    let focus = "document.getElementById(\"trace\").focus({preventScroll: true});"
    page.raw(try markup(trace, id: "trace", after: focus))
    return page.text
  }
}
