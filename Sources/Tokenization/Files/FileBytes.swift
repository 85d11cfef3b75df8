import Foundation

/// Whole files, with a limit.
enum FileBytes {
  /// No tokenizer in use has a file of more than some 40 MB.
  static let largest = 256 << 20

  /// - Throws: `TokenizerError` if the file cannot be read or has more than `largest` bytes.
  static func read(_ path: String, largest: Int = FileBytes.largest) throws -> [UInt8] {
    guard let file = fopen(path, "rb") else {
      throw TokenizerError(file: path, message: "cannot be opened: \(String(cString: strerror(errno)))")
    }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var status = stat()
    if fstat(fileno(file), &status) == 0 {
      guard status.st_mode & S_IFMT != S_IFDIR else {
        throw TokenizerError(file: path, message: "is a folder", hint: "name the file tokenizer.json in it")
      }
      guard Int(status.st_size) <= largest else { throw tooLarge(path, largest) }
      bytes.reserveCapacity(Int(status.st_size) + 1)
    }
    let size = 1 << 20
    while true {
      let part = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
        count = fread(buffer.baseAddress, 1, size, file)
      }
      if part.isEmpty { break }
      bytes.append(contentsOf: part)
      guard bytes.count <= largest else { throw tooLarge(path, largest) }
    }
    guard ferror(file) == 0 else { throw TokenizerError(file: path, message: "cannot be read to its end") }
    return bytes
  }

  private static func tooLarge(_ path: String, _ largest: Int) -> TokenizerError {
    TokenizerError(file: path, message: "has more than \(largest >> 20) MiB")
  }
}
