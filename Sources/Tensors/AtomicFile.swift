import Foundation

/// Writes files so that whoever looks sees the old one or the whole new one, never a part.
public enum AtomicFile {
  /// Writes `parts`, one after the other, beside `path` and then moves the file there.
  ///
  /// - Throws: `AtomicFile.Failure`; what was at `path` before is then still there.
  public static func write(_ parts: [[UInt8]], to path: String) throws {
    let folder = (path as NSString).deletingLastPathComponent
    let name = (path as NSString).lastPathComponent
    let temporary = (folder as NSString).appendingPathComponent(
      ".\(name).\(UInt32.random(in: .min ... .max)).partial")
    guard !name.isEmpty, FileManager.default.createFile(atPath: temporary, contents: nil),
      let file = FileHandle(forWritingAtPath: temporary)
    else {
      throw Failure(path: path, reason: "its folder does not exist or may not be written")
    }
    do {
      for part in parts { try file.write(contentsOf: Data(part)) }
      try file.synchronize()
      try file.close()
      guard rename(temporary, path) == 0 else { throw CocoaError(.fileWriteUnknown) }
    } catch {
      let reason = errno == 0 ? error.localizedDescription : String(cString: strerror(errno))
      try? file.close()
      try? FileManager.default.removeItem(atPath: temporary)
      throw Failure(path: path, reason: reason)
    }
  }

  public struct Failure: Error, Equatable, CustomStringConvertible {
    public let path: String
    public let reason: String
    public init(path: String, reason: String) {
      self.path = path
      self.reason = reason
    }

    public var description: String { "cannot write \(path): \(reason)" }
  }
}
