import Foundation

/// Standard output, at once.
enum Output {
  /// - Throws: `CommandError` when nobody reads any more.
  static func write(_ text: String) throws { try write(Array(text.utf8)) }

  /// - Throws: `CommandError` when nobody reads any more.
  static func write(_ bytes: [UInt8]) throws {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Foundation.write(STDOUT_FILENO, $0.baseAddress! + sent, $0.count - sent)
      }
      if count > 0 {
        sent += count
      } else if errno != EINTR {
        throw CommandError("standard output is closed")
      }
    }
  }
}
