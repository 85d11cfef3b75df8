import Foundation

/// Bytes that several owners read: a part of a mapped file, or memory of our own. They never move and never change
/// once shared, and live as long as somebody holds them.
public final class SharedBytes: @unchecked Sendable {
  public let buffer: UnsafeRawBufferPointer
  private let release: @Sendable () -> Void

  /// - Parameter release: called once, when the last reference is gone.
  public init(_ buffer: UnsafeRawBufferPointer, release: @escaping @Sendable () -> Void) {
    self.buffer = buffer
    self.release = release
  }

  deinit { release() }

  public var count: Int { buffer.count }

  /// A part of these bytes, which keeps the whole alive. Complexity: O(1).
  /// - Precondition: `range` lies within the bytes.
  public subscript(range: Range<Int>) -> SharedBytes {
    SharedBytes(UnsafeRawBufferPointer(rebasing: buffer[range])) { [self] in _ = self }
  }

  /// New memory, aligned to a cache line, that `fill` writes once.
  public static func allocate(
    _ count: Int, fill: (UnsafeMutableRawBufferPointer) throws -> Void
  ) rethrows -> SharedBytes {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(count, 1), alignment: 64)
    do { try fill(UnsafeMutableRawBufferPointer(rebasing: memory[..<count])) } catch {
      memory.deallocate()
      throw error
    }
    let address = UInt(bitPattern: memory.baseAddress!)
    return SharedBytes(UnsafeRawBufferPointer(rebasing: memory[..<count])) {
      UnsafeMutableRawPointer(bitPattern: address)!.deallocate()
    }
  }

  /// A copy of `bytes`.
  public static func copy(_ bytes: [UInt8]) -> SharedBytes {
    allocate(bytes.count) { $0.copyBytes(from: bytes) }
  }

  /// A whole file, mapped read-only: pages are read when they are touched, and given back under pressure.
  ///
  /// Memory: none of its own. A file that is made shorter by somebody else while it is mapped ends the process with
  /// SIGBUS, as in every program that maps files; replace model files by renaming.
  /// - Throws: `MappingError`.
  public static func map(_ path: String) throws -> SharedBytes {
    let descriptor = open(path, O_RDONLY)
    guard descriptor >= 0 else { throw MappingError(file: path, reason: String(cString: strerror(errno))) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw MappingError(file: path, reason: "is no regular file")
    }
    let count = Int(status.st_size)
    guard count > 0 else { return SharedBytes(UnsafeRawBufferPointer(start: nil, count: 0)) {} }
    guard let start = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED else {
      throw MappingError(file: path, reason: String(cString: strerror(errno)))
    }
    let address = UInt(bitPattern: start)
    return SharedBytes(UnsafeRawBufferPointer(start: start, count: count)) {
      munmap(UnsafeMutableRawPointer(bitPattern: address), count)
    }
  }
}

/// A file that cannot be mapped.
public struct MappingError: Error, Equatable, CustomStringConvertible {
  public let file: String
  public let reason: String
  public var description: String { "\(file): error: cannot be opened: \(reason)" }
}
