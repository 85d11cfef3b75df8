import Construction
import Looping

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// The error of one function block of the FLEQ network against its bound, measured by running the network on
/// one-instruction programs.
public struct FleqPrecision: Codable, Equatable, Sendable {
  public var function: FleqFunction
  public var dataType: DataType
  /// max |network − true function| over the grid.
  public var largestError: Double
  /// The grid point of the largest error: an argument, or the largest entry of the operands.
  public var at: Double
  /// What theory allows: see `bound(_:_:range:)`.
  public var bound: Double
  /// c of the linearised softmax; for products only.
  public var productScale: Double?

  /// Rows and columns of the blocks.
  public static let blockSize = 4

  /// Runs `function` on `points` values over its domain – or as many random blocks with entries in −1…1 – and compares
  /// with the interpreter.
  ///
  /// - Parameter productScale: c of the linearised softmax; what suits the data type if not given.
  /// - Throws: what the machine throws.
  public static func measure(
    _ function: FleqFunction, _ dataType: DataType, points: Int = 64, productScale: Double? = nil
  ) throws -> FleqPrecision {
    let scale =
      productScale
      ?? (dataType == .f64 ? FleqProducts.scaleForFloat64 : FleqProducts.scaleForFloat32)
    var result = FleqPrecision(
      function: function, dataType: dataType, largestError: 0, at: 0, bound: 0,
      productScale: function == .multiply ? scale : nil)
    let range = function.domain ?? (function == .sigmoid ? -8...8 : -1...1)
    let network = FleqNetwork(
      blockSize: blockSize, cells: 4 + 3 * blockSize, instructions: 2, productScale: scale)
    result.bound = bound(function, dataType, range: range, network: network, scale: scale)
    func run<Scalar: BinaryFloatingPoint & Sendable>(_ scalar: Scalar.Type) throws {
      let body = DenseExecutor<Scalar>(network.network)
      for program in programs(function, range: range, points: points, as: scalar) {
        var machine = try FleqMachine(program, network: network, body: body)
        var interpreter = try FleqInterpreter(program)
        try interpreter.step()
        try machine.step()
        for (column, (block, right)) in zip(machine.memory, interpreter.memory).enumerated() {
          for (entry, expected) in zip(block, right) {
            let error = abs(entry - expected)
            guard error > result.largestError || error.isNaN else { continue }
            result.largestError = error.isNaN ? .infinity : error
            let source = column - 2 * blockSize
            result.at =
              function.isElementwise && source >= 4
              ? program.memory[source][0] : program.memory.joined().map(abs).max() ?? 0
          }
        }
      }
    }
    guard let scalar = dataType.scalar else { return result }
    try run(scalar)
    return result
  }

  /// Every function in every data type that FLEQ is made for.
  public static func plan() -> [(function: FleqFunction, dataType: DataType)] {
    FleqFunction.allCases.filter { $0 != .increment }.flatMap { function in
      [DataType.f32, .f64].map { (function, $0) }
    }
  }

  public var isWithinBound: Bool { largestError <= bound }

  /// The error of products against c: the Taylor remainder grows with c², rounding with 1/c.
  public static func productCurve(_ dataType: DataType, quick: Bool) throws -> [FleqPrecision] {
    let smallest = dataType == .f64 ? -36 : -20
    return try stride(from: -2, through: smallest, by: quick ? -6 : -2).map { exponent in
      try measure(
        .multiply, dataType, points: 32,
        productScale: Double(sign: .plus, exponent: exponent, significand: 1))
    }
  }

  // MARK: Bounds

  /// What theory allows, with u the unit roundoff and operands within `range`: nothing for what only moves numbers, one
  /// rounding for sums, the fit's error and roundings for sums of sigmoids, O(c² S³) + O(u/c) for products.
  /// Derivation: Documentation/Precision.md.
  private static func bound(
    _ function: FleqFunction, _ dataType: DataType, range: ClosedRange<Double>, network: FleqNetwork,
    scale: Double
  ) -> Double {
    let u = Double(sign: .plus, exponent: -dataType.significantBits, significand: 1)
    let largest = max(abs(range.lowerBound), abs(range.upperBound))
    let d = Double(blockSize)
    switch function {
    case .copy, .transpose, .diagonal, .scalarDiagonal, .increment: return 0
    case .add, .subtract: return 2 * largest * u
    case .sigmoid: return 4 * u
    case .multiply:
      let score = d * largest * largest
      let remainder = 8 / 3 * scale * scale * score * score * score * exp(2 * scale * score)
      return (1 + d) * (remainder + (2 * d + 8) * u / scale)
    default:
      guard let fit = network.approximations[function] else { return 0 }
      let size = fit.terms.reduce(abs(fit.constant)) { $0 + abs($1.coefficient) }
      let scores = fit.terms.reduce(0) {
        $0 + abs($1.coefficient) * (abs($1.slope) * largest + abs($1.offset))
      }
      return fit.largestError + u * (Double(fit.terms.count + 4) * size + scores / 4)
    }
  }

  // MARK: Programs

  /// One instruction on the blocks at 4, 4 + d and 4 + 2d, then the end. Element-wise functions take d points of an even
  /// grid at a time, other functions random blocks. All numbers are rounded to `Scalar` first: rounding inputs is not
  /// the network's error.
  private static func programs<Scalar: BinaryFloatingPoint>(
    _ function: FleqFunction, range: ClosedRange<Double>, points: Int, as scalar: Scalar.Type
  ) -> [FleqProgram] {
    let d = blockSize
    let length = range.upperBound - range.lowerBound
    var random = RandomNumbers(seed: 5)
    return stride(from: 0, to: points, by: d).map { first in
      var memory = [[Double]](repeating: Array(repeating: 0, count: d), count: 4 + 3 * d)
      memory[FleqProgram.oneCell][0] = 1
      for cell in 4..<(4 + 2 * d) {
        for row in 0..<d {
          let x: Double
          if function.isElementwise {
            let point = min(first + cell - 4, points - 1)
            x = row > 0 || cell >= 4 + d ? 0 : range.lowerBound + length * Double(point) / Double(points - 1)
          } else {
            x = range.lowerBound + length * random.next()
          }
          memory[cell][row] = Double(Scalar(min(x, range.upperBound)))
        }
      }
      let columns = function == .diagonal || function == .scalarDiagonal ? 1 : d
      return FleqProgram(
        blockSize: d, memory: memory,
        instructions: [
          FleqInstruction(
            function, a: FleqOperand(cell: 4, columns: columns), b: FleqOperand(cell: 4 + d, columns: d),
            c: FleqOperand(cell: 4 + 2 * d, columns: d), flag: FleqProgram.oneCell, target: 0),
          FleqInstruction(
            .copy, a: FleqOperand(cell: FleqProgram.zeroCell), b: FleqOperand(cell: FleqProgram.zeroCell),
            c: FleqOperand(cell: FleqProgram.discardCell), flag: FleqProgram.zeroCell, target: 1),
        ])
    }
  }
}
