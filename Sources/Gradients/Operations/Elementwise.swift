import CKernels
import Tensors

/// The elementwise kernels spread over threads, and how work is cut: shared by the operations.
enum Elementwise {
  /// Elements that are worth a thread's attention.
  static let grain = 16_384

  /// Rows per range for work whose ranges are independent.
  static func rowGrain(columns: Int) -> Int { max(1, grain / max(columns, 1)) }

  /// Rows per range for sums over rows: at most 32 partial sums, whatever the number of threads.
  /// All of them where one thread has the work to itself.
  static func sumGrain(rows: Int, columns: Int) -> Int {
    WorkerPool.isInside ? max(rows, 1) : max((rows + 31) / 32, rowGrain(columns: columns))
  }

  static func add(_ a: Tensor, _ b: Tensor, into y: Tensor) {
    let (a, b, y, count) = (a.pointer, b.pointer, y.pointer, y.count)
    WorkerPool.shared.run(count, grain: grain) { range, _ in
      ck_add(a + range.lowerBound, b + range.lowerBound, y + range.lowerBound, range.count)
    }
  }

  static func multiply(_ a: Tensor, _ b: Tensor, into y: Tensor) {
    let (a, b, y, count) = (a.pointer, b.pointer, y.pointer, y.count)
    WorkerPool.shared.run(count, grain: grain) { range, _ in
      ck_multiply(a + range.lowerBound, b + range.lowerBound, y + range.lowerBound, range.count)
    }
  }

  static func scale(_ factor: Float, _ x: Tensor, into y: Tensor) {
    let (x, y, count) = (x.pointer, y.pointer, y.count)
    WorkerPool.shared.run(count, grain: grain) { range, _ in
      ck_scale(factor, x + range.lowerBound, y + range.lowerBound, range.count)
    }
  }

  /// Runs `work` on ranges of rows, each with its own zeroed sums of `width` numbers, and adds those sums, in the
  /// order of the ranges, to the slots' gradients: the first `sizes[0]` numbers to the first slot, and so on.
  static func sumRows(
    rows: Int, columns: Int, into slots: [(slot: GradientSlot?, size: Int)],
    _ work: (_ range: Range<Int>, _ sums: UnsafeMutablePointer<Float>) -> Void
  ) {
    let width = slots.reduce(0) { $0 + $1.size }
    let grain = sumGrain(rows: rows, columns: columns)
    let ranges = (rows + grain - 1) / grain
    let partial = Tensor(zeros: [max(ranges, 1), width])
    let sums = partial.pointer
    WorkerPool.shared.run(rows, grain: grain) { range, _ in
      work(range, sums + range.lowerBound / grain * width)
    }
    for range in 1..<max(ranges, 1) { ck_add(sums, sums + range * width, sums, width) }
    var start = 0
    for (slot, size) in slots {
      slot?.accumulate(shape: [size]) { sum, adds in
        if adds {
          ck_add(sum.pointer, sums + start, sum.pointer, size)
        } else {
          sum.pointer.update(from: sums + start, count: size)
        }
      }
      start += size
    }
  }
}

/// a + b, of equal shapes.
public func + (a: Variable, b: Variable) -> Variable {
  precondition(a.shape == b.shape, "\(a.shape) + \(b.shape)")
  let y = Tensor(uninitialized: a.shape)
  Elementwise.add(a.value, b.value, into: y)
  let (first, second) = (a.slot, b.slot)
  return Tape.result(y, of: [a, b]) { gradient in
    first?.accumulate(gradient)
    second?.accumulate(gradient)
  }
}

/// a · b elementwise, of equal shapes: multiplicative injection.
public func * (a: Variable, b: Variable) -> Variable {
  precondition(a.shape == b.shape, "\(a.shape) · \(b.shape)")
  let y = Tensor(uninitialized: a.shape)
  let (first, second) = (a.value, b.value)
  Elementwise.multiply(first, second, into: y)
  let (firstSlot, secondSlot) = (a.slot, b.slot)
  return Tape.result(y, of: [a, b]) { gradient in
    for (slot, other) in [(firstSlot, second), (secondSlot, first)] {
      guard let slot else { continue }
      let part = Tensor(uninitialized: gradient.shape)
      Elementwise.multiply(gradient, other, into: part)
      slot.accumulate(part)
    }
  }
}

/// factor · x.
public func * (factor: Float, x: Variable) -> Variable {
  let y = Tensor(uninitialized: x.shape)
  Elementwise.scale(factor, x.value, into: y)
  let slot = x.slot
  return Tape.result(y, of: [x]) { gradient in
    let part = Tensor(uninitialized: gradient.shape)
    Elementwise.scale(factor, gradient, into: part)
    slot?.accumulate(part)
  }
}

/// x times a learned number: scaled injection. - Precondition: `factor` has one element.
public func scaled(_ x: Variable, by factor: Variable) -> Variable {
  let number = factor.value.scalar
  let y = Tensor(uninitialized: x.shape)
  Elementwise.scale(number, x.value, into: y)
  let (slot, factorSlot, value, shape) = (x.slot, factor.slot, x.value, factor.shape)
  return Tape.result(y, of: [x, factor]) { gradient in
    factorSlot?.accumulate(
      Tensor([Float(ck_dot(gradient.pointer, value.pointer, value.count))], shape: shape))
    guard let slot else { return }
    let part = Tensor(uninitialized: gradient.shape)
    Elementwise.scale(number, gradient, into: part)
    slot.accumulate(part)
  }
}
