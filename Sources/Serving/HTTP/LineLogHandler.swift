import Foundation
import Logging

/// A log line for each event on standard error: `key=value`, or JSON.
public struct LineLogHandler: LogHandler {
  public var metadata: Logger.Metadata = [:]
  public var logLevel: Logger.Level
  let isJSON: Bool

  public init(level: Logger.Level, isJSON: Bool) {
    logLevel = level
    self.isJSON = isJSON
  }

  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  public func log(event: LogEvent) {
    let all = metadata.merging(event.metadata ?? [:]) { $1 }
    let line = Self.line(
      time: Date(), level: "\(event.level)", message: "\(event.message)",
      values: all.sorted { $0.key < $1.key }.map { ($0.key, "\($0.value)") }, isJSON: isJSON)
    FileHandle.standardError.write(Data(line.utf8))
  }

  /// Line breaks and control characters are escaped: no value can forge a line.
  static func line(
    time: Date, level: String, message: String, values: [(key: String, value: String)], isJSON: Bool
  ) -> String {
    let stamp = time.ISO8601Format(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    let all = [("time", stamp), ("level", level), ("message", message)] + values
    func quoted(_ text: String) -> String { String(decoding: jsonData(text), as: UTF8.self) }
    if isJSON { return "{" + all.map { "\(quoted($0)):\(quoted($1))" }.joined(separator: ",") + "}\n" }
    func plain(_ text: String) -> String {
      let isSimple = !text.isEmpty && text.utf8.allSatisfy { $0 > 32 && $0 < 127 && $0 != 34 && $0 != 61 }
      return isSimple ? text : quoted(text)
    }
    let rest = values.map { " \($0.key)=\(plain($0.value))" }.joined()
    return "\(stamp) \(level) \(message)\(rest)\n"
  }
}
