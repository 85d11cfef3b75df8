import Foundation

extension AtomicFile {
  /// A file that is written piece by piece beside its place, and moved there when it is complete.
  ///
  /// Whatever happens before `finish()`, what was at the path stays; what was written is removed when the stream goes.
  public final class Stream {
    public let path: String
    /// Bytes written so far.
    public private(set) var count = 0
    private let temporary: String
    private var descriptor: Int32

    /// - Throws: `AtomicFile.Failure`.
    public init(path: String) throws {
      self.path = path
      let name = (path as NSString).lastPathComponent
      temporary = ((path as NSString).deletingLastPathComponent as NSString)
        .appendingPathComponent(".\(name).\(UInt32.random(in: .min ... .max)).partial")
      descriptor = name.isEmpty ? -1 : open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
      guard descriptor >= 0 else {
        throw Failure(path: path, reason: "its folder does not exist or may not be written")
      }
    }

    /// - Throws: `AtomicFile.Failure`, as when the disk is full.
    public func write(_ bytes: UnsafeRawBufferPointer) throws {
      var rest = bytes
      while !rest.isEmpty {
        let written = Foundation.write(descriptor, rest.baseAddress, min(rest.count, 1 << 30))
        if written < 0 && errno == EINTR { continue }
        guard written > 0 else { throw Failure(path: path, reason: String(cString: strerror(errno))) }
        rest = UnsafeRawBufferPointer(rebasing: rest[written...])
      }
      count += bytes.count
    }

    /// - Throws: `AtomicFile.Failure`.
    public func write(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try write($0) } }

    /// Moves the file to its place.
    /// - Throws: `AtomicFile.Failure`; what was at the path is then still there.
    public func finish() throws {
      guard descriptor >= 0, fsync(descriptor) == 0, close(descriptor) == 0 else {
        throw Failure(path: path, reason: String(cString: strerror(errno)))
      }
      descriptor = -1
      guard rename(temporary, path) == 0 else {
        let reason = String(cString: strerror(errno))
        unlink(temporary)
        throw Failure(path: path, reason: reason)
      }
    }

    deinit {
      guard descriptor >= 0 else { return }
      close(descriptor)
      unlink(temporary)
    }
  }
}
