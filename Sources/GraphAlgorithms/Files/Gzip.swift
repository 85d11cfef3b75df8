import CZlib

/// Compressed files.
public enum Gzip {
  /// Of zlib, which unpacks.
  public static var libraryVersion: String { zlibVersion().map { String(cString: $0) } ?? "unknown" }

  /// Unpacks a gzip file, of several members too.
  ///
  /// - Parameter largest: the most bytes it may have unpacked; a small file can hold a thousand times its size.
  /// - Throws: `GzipError`.
  /// - Complexity: O(unpacked bytes), which are held once.
  public static func unpack(_ packed: [UInt8], largest: Int) throws -> [UInt8] {
    var output: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 1 << 18)
    var consumed = 0
    while consumed < packed.count {
      var stream = z_stream()
      guard looped_inflate_begin(&stream) == Z_OK else { throw GzipError(message: "zlib did not start") }
      defer { inflateEnd(&stream) }
      var status = Z_OK
      while status != Z_STREAM_END {
        let (read, written) = packed.withUnsafeBufferPointer { source in
          part.withUnsafeMutableBufferPointer { target in
            // zlib never writes to its input; the parameter is not const for old compilers' sake.
            stream.next_in = UnsafeMutablePointer(mutating: source.baseAddress! + consumed)
            stream.avail_in = UInt32(min(source.count - consumed, Int(Int32.max)))
            stream.next_out = target.baseAddress
            stream.avail_out = UInt32(target.count)
            let available = Int(stream.avail_in)
            status = inflate(&stream, Z_NO_FLUSH)
            return (available - Int(stream.avail_in), target.count - Int(stream.avail_out))
          }
        }
        consumed += read
        output.append(contentsOf: part[..<written])
        guard output.count <= largest else {
          throw GzipError(
            message: "unpacked it has more than \(largest >> 20) MiB",
            hint: "unpack it first, if it really is a graph")
        }
        if status == Z_BUF_ERROR || (status == Z_OK && read == 0 && written == 0) {
          throw GzipError(message: "the compressed data ends in the middle", hint: "was the file cut off?")
        }
        guard status == Z_OK || status == Z_STREAM_END else {
          throw GzipError(message: "the compressed data is damaged at byte \(consumed)")
        }
      }
      // Zeros may pad the end; anything else must be a further member.
      if packed[consumed...].allSatisfy({ $0 == 0 }) { break }
    }
    return output
  }
}

public struct GzipError: Error, Equatable, CustomStringConvertible {
  public var message: String
  public var hint: String?

  public var description: String {
    "the gzip file cannot be read: \(message)" + (hint.map { "\nhint: \($0)" } ?? "")
  }
}
