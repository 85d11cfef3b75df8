import CKernels

/// How fast this machine reads memory: the ceiling of decoding, which reads all weights for every token.
public final class MemoryRate {
  private let memory: UnsafeMutableBufferPointer<UInt32>
  private var next = 0

  /// - Parameter bytes: more than the caches hold.
  public init(bytes: Int = 512 << 20) {
    memory = .allocate(capacity: max(bytes, 1 << 20) / 4)
    memory.initialize(repeating: 1)
  }

  deinit { memory.deallocate() }

  /// GB/s while all threads read `bytes`, which follow those of the last measurement.
  public func measure(bytes: Int = 64 << 20, pool: WorkerPool = .shared) -> Double {
    let words = min(bytes / 4, memory.count)
    if next + words > memory.count { next = 0 }
    let start = UnsafePointer(memory.baseAddress! + next)
    next += words
    // The sums go somewhere, so that no compiler leaves the reading out.
    let sums = Tensor(zeros: [pool.threads])
    let time = ContinuousClock().measure {
      pool.run(words, grain: 64 << 10) { range, worker in
        sums.pointer[worker] += Float(ck_read_memory(start + range.lowerBound, range.count) & 1)
      }
    }
    return Double(words * 4) / (time / .seconds(1)) / 1e9
  }
}
