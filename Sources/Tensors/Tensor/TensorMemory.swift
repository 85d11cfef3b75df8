import Foundation

/// Where the memory of tensors comes from: blocks that were given back are handed out again before new ones are
/// asked of the system.
///
/// A block has one of eight sizes per power of two, so that at most an eighth is wasted and curricula that lengthen
/// the sequences still find blocks. When a new block is needed and more is cached than used, the cache is emptied.
public final class TensorMemory: @unchecked Sendable {
  public static let shared = TensorMemory()

  public struct Use: Equatable, Sendable {
    /// Bytes of the tensors that are alive.
    public var liveBytes = 0
    /// The most there ever was at once, since the start or `resetPeak`.
    public var peakBytes = 0
    /// Bytes kept to be used again.
    public var cachedBytes = 0
    /// Blocks asked of the system so far: stands still in the steady state of training.
    public var systemAllocations = 0
  }

  private let lock = NSLock()
  private var cached: [Int: [UnsafeMutablePointer<Float>]] = [:]
  private var current = Use()

  public var use: Use { lock.withLock { current } }

  public func resetPeak() { lock.withLock { current.peakBytes = current.liveBytes } }

  /// Gives what is cached back to the system.
  public func trim() { lock.withLock { dropCache() } }

  /// The block size for a request: the next multiple of an eighth of the power of two below it, at least 64.
  package static func blockSize(_ bytes: Int) -> Int {
    let bytes = max(bytes, 64)
    let step = max(64, (1 << (Int.bitWidth - 1 - bytes.leadingZeroBitCount)) >> 3)
    return (bytes + step - 1) / step * step
  }

  func take(bytes wanted: Int) -> (UnsafeMutablePointer<Float>, Int) {
    let bytes = Self.blockSize(wanted)
    lock.lock()
    defer { lock.unlock() }
    current.liveBytes += bytes
    current.peakBytes = max(current.peakBytes, current.liveBytes)
    if let block = cached[bytes]?.popLast() {
      current.cachedBytes -= bytes
      return (block, bytes)
    }
    if current.cachedBytes > current.liveBytes { dropCache() }
    current.systemAllocations += 1
    // 64: a cache line, and the widest vector.
    let block = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
    return (block.bindMemory(to: Float.self, capacity: bytes / MemoryLayout<Float>.stride), bytes)
  }

  func give(back block: UnsafeMutablePointer<Float>, bytes: Int) {
    lock.withLock {
      current.liveBytes -= bytes
      current.cachedBytes += bytes
      cached[bytes, default: []].append(block)
    }
  }

  private func dropCache() {
    for block in cached.values.joined() { UnsafeMutableRawPointer(block).deallocate() }
    cached = [:]
    current.cachedBytes = 0
  }
}
