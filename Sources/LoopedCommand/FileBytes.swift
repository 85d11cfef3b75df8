import Foundation

/// The bytes of a file or, for `-`, of standard input.
/// - Parameter hint: what may be wrong with a file that is too large.
/// - Throws: `CommandError` if it cannot be read or has more than `limit` bytes, of which no more are then read.
func readBytes(_ path: String, limit: Int, tooLarge hint: String? = nil) throws -> [UInt8] {
  let file: FileHandle
  if path == "-" {
    file = .standardInput
  } else {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw CommandError("no file \(path)")
    }
    guard !isFolder.boolValue, let handle = FileHandle(forReadingAtPath: path) else {
      throw CommandError("cannot read \(path)")
    }
    file = handle
  }
  var bytes: [UInt8] = []
  while let part = try file.read(upToCount: 1 << 20), !part.isEmpty {
    bytes.append(contentsOf: part)
    guard bytes.count <= limit else {
      throw CommandError("\(path) has more than \(limit >> 20) MiB", hint: hint)
    }
  }
  return bytes
}
