import Foundation

/// What standard error and standard output are.
public enum Terminal {
  public static func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

  /// Colours only on a terminal, and not where NO_COLOR is set.
  public static let hasColors =
    isTerminal(STDOUT_FILENO) && ProcessInfo.processInfo.environment["NO_COLOR"] == nil

  /// SGR colour codes.
  public enum Color: Int {
    case red = 31
    case green = 32
    case yellow = 33
    case blue = 34
    case magenta = 35
    case cyan = 36
    case faint = 90
  }

  public static func colored(_ text: String, _ color: Color) -> String {
    hasColors ? "\u{1B}[\(color.rawValue)m\(text)\u{1B}[0m" : text
  }
}

/// A line on standard error that says how far a long run is: only on a terminal, only after two seconds.
public struct ProgressBar {
  private let total: Int
  private let what: String
  private let start = ContinuousClock.now
  private var last: ContinuousClock.Instant?
  private let isShown = Terminal.isTerminal(STDERR_FILENO)

  /// - Parameters:
  ///   - total: how many units the whole work has.
  ///   - what: their name, in the plural.
  public init(total: Int, what: String) {
    self.total = max(total, 1)
    self.what = what
  }

  /// The text for `done` units after `seconds`: bar, share, and the time left at the average rate so far.
  public static func line(done: Int, total: Int, what: String, seconds: Double) -> String {
    let share = min(1, max(0, Double(done) / Double(total)))
    let filled = Int(share * 24)
    let left = share > 0 ? Int((seconds / share * (1 - share)).rounded()) : 0
    let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: 24 - filled)
    let time = share > 0 ? String(format: "%d:%02d left", left / 60, left % 60) : "…"
    return "\(bar) \(Int(share * 100)) %  \(done) of \(total) \(what)  \(time)"
  }

  public mutating func update(_ done: Int) {
    guard isShown else { return }
    let now = ContinuousClock.now
    guard now - start > .seconds(2), last.map({ now - $0 > .milliseconds(100) }) ?? true else { return }
    last = now
    let text = Self.line(done: done, total: total, what: what, seconds: (now - start) / .seconds(1))
    FileHandle.standardError.write(Data("\r\u{1B}[K\(text)".utf8))
  }

  public func finish() {
    if last != nil { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
  }
}
