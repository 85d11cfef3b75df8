import Foundation
import Tensors

/// What a run says of one step: names and numbers, in order.
public struct LogEntry: Equatable, Sendable {
  public var step: Int
  public var values: [(name: String, value: Double)]

  public init(step: Int, _ values: [(name: String, value: Double)]) {
    self.step = step
    self.values = values
  }

  public init(_ report: Trainer.Report, _ more: [(name: String, value: Double)] = []) {
    self.init(
      step: report.step,
      [("loss", report.loss), ("gradient_norm", report.gradientNorm), ("rate", Double(report.rate))] + more)
  }

  public static func == (a: LogEntry, b: LogEntry) -> Bool {
    a.step == b.step && a.values.map(\.name) == b.values.map(\.name)
      && a.values.map(\.value) == b.values.map(\.value)
  }

  /// One line that `grep` and `cut` can read: `step=100 loss=0.51234 gradient_norm=0.0312 rate=0.0001`.
  public var line: String {
    (["step=\(step)"] + values.map { "\($0.name)=\(String(format: "%.6g", $0.value))" }).joined(
      separator: " ")
  }

  /// One JSON object; a number that JSON cannot say is null.
  public var json: String {
    let members = values.map { "\"\($0.name)\":\($0.value.isFinite ? "\($0.value)" : "null")" }
    return "{" + (["\"step\":\(step)"] + members).joined(separator: ",") + "}"
  }
}

/// One JSON object per line and step, appended as the run goes.
public final class JSONLinesLog {
  private let file: FileHandle

  /// - Parameter step: the step of the checkpoint a run resumes from: lines of later steps, which the run
  ///   will write again, are dropped, and so is a last line that was not finished. `nil` starts a new file.
  /// - Throws: `AtomicFile.Failure`, or what reading throws.
  public init(path: String, resumingAfter step: Int? = nil) throws {
    var kept: [UInt8] = []
    if let step, FileManager.default.fileExists(atPath: path) {
      let text = try Data(contentsOf: URL(fileURLWithPath: path))
      for line in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: true) {
        guard let number = Self.step(of: line), number <= step else { break }
        kept += line
        kept.append(UInt8(ascii: "\n"))
      }
    }
    try AtomicFile.write([kept], to: path)
    guard let file = FileHandle(forWritingAtPath: path) else {
      throw LogError(path: path)
    }
    self.file = file
    try file.seekToEnd()
  }

  private static func step(of line: Data) -> Int? {
    let object = try? JSONSerialization.jsonObject(with: line) as? [String: Any]
    return object?["step"] as? Int
  }

  public func write(_ entry: LogEntry) throws { try file.write(contentsOf: Data((entry.json + "\n").utf8)) }
  public func close() throws { try file.close() }
}

/// A TensorBoard event file: scalars by step.
///
/// Each record is its length (8 bytes, little-endian), the masked CRC-32C of that, an Event message, and the masked
/// CRC-32C of the message. A run that resumes writes another file into the same folder; TensorBoard reads all.
/// Sources: TensorFlow's record_writer.h, event.proto, summary.proto.
public final class EventFile {
  private let file: FileHandle
  public let path: String

  /// Makes a new file in `folder`, which is made if need be.
  public init(folder: String, time: Double = Date().timeIntervalSince1970) throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let host = ProcessInfo.processInfo.hostName.filter {
      $0.isLetter || $0.isNumber || $0 == "-" || $0 == "."
    }
    var (path, number) = ("", 0)
    repeat {
      path = "\(folder)/events.out.tfevents.\(Int(time)).\(host).\(number)"
      number += 1
    } while FileManager.default.fileExists(atPath: path)
    guard FileManager.default.createFile(atPath: path, contents: nil),
      let file = FileHandle(forWritingAtPath: path)
    else { throw LogError(path: path) }
    self.path = path
    self.file = file
    var version = ProtobufWriter()
    version.double(1, time)
    version.data(3, "brain.Event:2".utf8)
    try file.write(contentsOf: Data(Self.record(version.bytes)))
  }

  public func write(_ entry: LogEntry, time: Double = Date().timeIntervalSince1970) throws {
    var event = ProtobufWriter()
    event.double(1, time)
    event.integer(2, entry.step)
    event.message(5) { summary in
      for (name, value) in entry.values {
        summary.message(1) { scalar in
          scalar.data(1, name.utf8)
          scalar.float(2, Float(value))
        }
      }
    }
    try file.write(contentsOf: Data(Self.record(event.bytes)))
  }

  public func close() throws { try file.close() }

  static func record(_ message: [UInt8]) -> [UInt8] {
    func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
      withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }
    let length = bytes(UInt64(message.count))
    return length + bytes(CRC32C.masked(length)) + message + bytes(CRC32C.masked(message))
  }
}

/// A log that cannot be opened for writing.
public struct LogError: Error, Equatable, CustomStringConvertible {
  public let path: String
  public var description: String { "\(path): error: cannot be opened for writing" }
}
