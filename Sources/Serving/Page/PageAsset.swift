import Reporting

/// The files of the page, as they are in the binary.
public struct PageAsset: Sendable {
  /// Under `/`; the page itself is "".
  public var path: String
  public var type: String
  public var bytes: [UInt8]

  public static let all: [PageAsset] = [
    PageAsset(path: "", type: "text/html; charset=utf-8", bytes: PackageResources.page_html),
    PageAsset(path: "icon.svg", type: "image/svg+xml", bytes: PackageResources.icon_svg),
    PageAsset(path: "page.css", type: css, bytes: PackageResources.page_css),
    PageAsset(path: "viewer.css", type: css, bytes: TraceViewer.style),
    PageAsset(path: "viewer.js", type: script, bytes: TraceViewer.script),
    PageAsset(path: "page.js", type: script, bytes: PackageResources.page_js),
    PageAsset(path: "chat.js", type: script, bytes: PackageResources.chat_js),
    PageAsset(path: "lens.js", type: script, bytes: PackageResources.lens_js),
    PageAsset(path: "program.js", type: script, bytes: PackageResources.program_js),
    PageAsset(path: "graph.js", type: script, bytes: PackageResources.graph_js),
    PageAsset(path: "learner.js", type: script, bytes: PackageResources.learner_js),
  ]

  private static let css = "text/css; charset=utf-8"
  private static let script = "text/javascript; charset=utf-8"

  /// The browser loads nothing that did not come from this server, runs no script and no style from within the page,
  /// and lets no other page frame it.
  public static let headers: [(name: String, value: String)] = [
    (
      "Content-Security-Policy",
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"), ("Cache-Control", "no-cache"),
  ]
}
