import Foundation

/// Bytes that several owners read: a part of a mapped file, or memory of our own. They never move and never change
/// once shared, and live as long as somebody holds them.
public final class SharedBytes: @unchecked Sendable {
  public let buffer: UnsafeRawBufferPointer
  /// Whether the bytes are a file's, that is, whether the system can read them again.
  public let isMapped: Bool
  private let release: @Sendable () -> Void

  /// - Parameters:
  ///   - isMapped: whether the bytes are a read-only mapping of a file.
  ///   - release: called once, when the last reference is gone.
  public init(
    _ buffer: UnsafeRawBufferPointer, isMapped: Bool = false, release: @escaping @Sendable () -> Void
  ) {
    self.buffer = buffer
    self.isMapped = isMapped
    self.release = release
  }

  deinit { release() }

  public var count: Int { buffer.count }

  /// A part of these bytes, which keeps the whole alive. Complexity: O(1).
  /// - Precondition: `range` lies within the bytes.
  public subscript(range: Range<Int>) -> SharedBytes {
    SharedBytes(UnsafeRawBufferPointer(rebasing: buffer[range]), isMapped: isMapped) { [self] in _ = self }
  }

  /// These bytes where elements of `alignment` bytes may be read: themselves, or a copy if they begin elsewhere.
  public func aligned(to alignment: Int) -> SharedBytes {
    guard let start = buffer.baseAddress, UInt(bitPattern: start) % UInt(alignment) != 0 else { return self }
    return .allocate(count) { $0.copyMemory(from: buffer) }
  }

  /// Gives the memory of these bytes back, if a file holds them too: they are read again when they are touched again.
  ///
  /// Whoever goes once through a file that is larger than memory calls this behind himself.
  public func releasePages() {
    guard isMapped, let start = buffer.baseAddress else { return }
    // Whole pages only: their neighbours may be in use.
    let page = UInt(sysconf(Int32(_SC_PAGESIZE)))
    let first = (UInt(bitPattern: start) + page - 1) / page * page
    let end = (UInt(bitPattern: start) + UInt(count)) / page * page
    guard first < end, let address = UnsafeMutableRawPointer(bitPattern: first) else { return }
    _ = madvise(address, Int(end - first), MADV_DONTNEED)
  }

  /// New memory, aligned to a cache line, that `fill` writes once.
  ///
  /// - Parameter prefersLargePages: asks the system (Linux) for pages of 2 MB, aligned to them, where as many bytes are
  ///   wanted: the processor then fetches ahead across 4 kB, and memory is read up to a fifth faster. No more memory is
  ///   used, because what does not fill a large page stays in small ones.
  public static func allocate(
    _ count: Int, prefersLargePages: Bool = false, fill: (UnsafeMutableRawBufferPointer) throws -> Void
  ) rethrows -> SharedBytes {
    let isLarge = prefersLargePages && count >= largePage
    let memory = UnsafeMutableRawBufferPointer.allocate(
      byteCount: max(count, 1), alignment: isLarge ? largePage : 64)
    #if os(Linux)
      // It is advice: where the system has no such pages nothing changes.
      if isLarge { _ = madvise(memory.baseAddress!, count / largePage * largePage, MADV_HUGEPAGE) }
    #endif
    do { try fill(UnsafeMutableRawBufferPointer(rebasing: memory[..<count])) } catch {
      memory.deallocate()
      throw error
    }
    let address = UInt(bitPattern: memory.baseAddress!)
    return SharedBytes(UnsafeRawBufferPointer(rebasing: memory[..<count])) {
      UnsafeMutableRawPointer(bitPattern: address)!.deallocate()
    }
  }

  private static let largePage = 2 << 20

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
    return SharedBytes(UnsafeRawBufferPointer(start: start, count: count), isMapped: true) {
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
