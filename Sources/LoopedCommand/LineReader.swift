import Foundation

/// Lines of a file as they come, so that a pipe is answered line by line.
///
/// Memory: the longest line, up to `largest` bytes.
struct LineReader {
  static let largest = 64 << 20

  private let handle: FileHandle
  private let name: String
  private var buffer: [UInt8] = []
  /// Where the next line begins in `buffer`.
  private var start = 0
  private var isAtEnd = false
  /// Of the line read last, counted from 1.
  private(set) var number = 0

  /// - Parameter path: a file, or - for standard input.
  /// - Throws: `CommandError` if there is no such file.
  init(path: String) throws {
    name = path == "-" ? "standard input" : path
    guard path != "-" else {
      handle = .standardInput
      return
    }
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw CommandError("no file \(path)")
    }
    guard !isFolder.boolValue, let handle = FileHandle(forReadingAtPath: path) else {
      throw CommandError("cannot read \(path)")
    }
    self.handle = handle
  }

  /// Whether the next line has been read already, so that asking for it does not wait.
  var hasLine: Bool { buffer[start...].contains(10) }

  /// The next line without its newline; `nil` at the end, or when interrupted.
  /// - Throws: `CommandError` for a line that is too long.
  mutating func next() throws -> [UInt8]? {
    var searched = start
    while true {
      if let end = buffer[searched...].firstIndex(of: 10) {
        defer { start = end + 1 }
        number += 1
        return Array(buffer[start..<end])
      }
      searched = buffer.count
      if isAtEnd {
        guard start < buffer.count else { return nil }
        defer { start = buffer.count }
        number += 1
        return Array(buffer[start...])
      }
      guard buffer.count - start <= Self.largest else {
        throw CommandError("\(name):\(number + 1): the line has more than \(Self.largest >> 20) MiB")
      }
      if start > 0 {
        buffer.removeFirst(start)
        searched -= start
        start = 0
      }
      guard try fill() else { return nil }
    }
  }

  /// `read(2)`, which returns what there is: Foundation's waits until its buffer is full.
  /// - Returns: false when interrupted.
  private mutating func fill() throws -> Bool {
    var part = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = Foundation.read(handle.fileDescriptor, &part, part.count)
      if count < 0 && errno == EINTR {
        if Interrupt.isRequested { return false }
        continue
      }
      guard count >= 0 else { throw CommandError("cannot read \(name)") }
      buffer.append(contentsOf: part[..<count])
      isAtEnd = count == 0
      return true
    }
  }
}
