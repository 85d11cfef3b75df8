import CKernels
import Foundation

/// Threads for loops whose items are independent: kernels over rows, products, heads of attention.
///
/// How many: as many as the machine has processors, or what the environment variable LOOPED_THREADS says.
public final class WorkerPool: @unchecked Sendable {
  public static let shared = WorkerPool(
    threads: ProcessInfo.processInfo.environment["LOOPED_THREADS"].flatMap(Int.init)
      ?? ProcessInfo.processInfo.activeProcessorCount)

  /// The caller's thread is one of them.
  public let threads: Int
  private let pool: OpaquePointer?

  public init(threads: Int) {
    self.threads = min(max(threads, 1), 256)
    pool = ck_pool_create(Int32(self.threads))
  }

  deinit { ck_pool_destroy(pool) }

  /// Whether this thread is inside a body of some pool, so that loops run on it alone.
  public static var isInside: Bool { ck_pool_is_inside() }

  /// Calls `body(item, worker)` once for every item below `count`, on several threads, and returns when all are done.
  ///
  /// What `body` writes for one item, no other may read or write: the compiler cannot check it. `worker` is below
  /// `threads` and belongs to one thread during the call: it chooses scratch memory. Inside a body, and while
  /// another thread uses the pool, the items run on the calling thread. Overhead: a few microseconds.
  public func run(_ count: Int, _ body: (_ item: Int, _ worker: Int) -> Void) {
    withoutActuallyEscaping(body) { body in
      var call = body
      withUnsafeMutablePointer(to: &call) { context in
        ck_pool_run(
          pool, Int32(count),
          { context, item, worker in
            context!.assumingMemoryBound(to: ((Int, Int) -> Void).self).pointee(Int(item), Int(worker))
          }, context)
      }
    }
  }

  /// Calls `body` with ranges that together are `0..<count`, of `grain` items each but the last.
  ///
  /// The ranges depend on `count` and `grain` alone, so that sums made per range are the same on any machine.
  public func run(_ count: Int, grain: Int, _ body: (_ range: Range<Int>, _ worker: Int) -> Void) {
    run((count + grain - 1) / grain) { item, worker in
      body(item * grain..<min((item + 1) * grain, count), worker)
    }
  }
}

/// The instruction set of the kernels.
public enum KernelLevel: UInt32, CaseIterable, Sendable, CustomStringConvertible {
  case scalar = 0
  case avx2 = 1
  case avx512 = 2
  case neon = 3

  /// What the kernels use now: the best of this processor, or what LOOPED_KERNELS names.
  public static var current: KernelLevel { KernelLevel(rawValue: ck_current_level().rawValue) ?? .scalar }

  public var isAvailable: Bool { ck_has_level(ck_level(rawValue: rawValue)) }

  /// Makes every kernel use this level from now on, in the whole process.
  /// - Returns: whether the processor can.
  public func use() -> Bool { ck_set_level(ck_level(rawValue: rawValue)) }

  public var description: String { String(cString: ck_level_name(ck_level(rawValue: rawValue))) }
}
