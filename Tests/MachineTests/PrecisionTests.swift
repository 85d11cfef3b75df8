import Construction
import Machine
import Testing

@Suite struct PrecisionTests {
  func measure(
    _ network: SubleqPrecision.Network, _ dataType: DataType, _ temperature: Double?, _ sizes: [Int]
  ) throws -> SubleqPrecision {
    try SubleqPrecision.measure(
      .init(network: network, dataType: dataType, inverseTemperature: temperature, wordSizes: sizes))
  }

  @Test(arguments: [
    (SubleqPrecision.Network.paper, DataType.f32, 22), (.compact, .f32, 21), (.unified, .f32, 19),
    (.paper, .f64, 51), (.compact, .f64, 50),
  ])
  func theSweepFindsTheLastExactWordSize(network: SubleqPrecision.Network, type: DataType, limit: Int) throws
  {
    let result = try measure(network, type, nil, [limit - 1, limit, limit + 1, limit + 2])
    #expect(result.exactWordBits == limit && result.firstFailure?.wordBits == limit + 1)
  }

  /// The authors' figures: λ = 5 is wrong at 8 bits, λ = 10 breaks at wide words; and f32 is exact from λ = 12.
  @Test func theSweepFindsWhereThePapersNetworkNeedsLowerTemperatures() throws {
    let warm = try measure(.paper, .f64, 5, [8])
    #expect(warm.exactWordBits == nil && warm.firstFailure != nil)
    #expect(try measure(.paper, .f64, 10, [24]).exactWordBits == nil)
    #expect(try measure(.paper, .f32, 12, [8, 16, 22]).firstFailure == nil)
    #expect(try measure(.compact, .f64, 5, [8]).firstFailure == nil)
  }

  /// Measured limits may exceed what is proved, and must not fall short of it.
  @Test func measuredLimitsReachTheProvedOnes() throws {
    for line in SubleqPrecision.plan(quick: true) where line.network == .compact && line.dataType != .f16 {
      guard let temperature = line.inverseTemperature else { continue }
      let proved = line.wordSizes.filter {
        CompactSubleqNetwork.sufficientInverseTemperature(
          wordBits: $0, columns: SubleqPrecision.columnCount) <= temperature
          && $0 <= (line.dataType == .f32 ? 21 : 50)
      }
      let result = try SubleqPrecision.measure(line)
      #expect((result.exactWordBits ?? 0) >= (proved.last ?? 0), "\(line)")
      // The widest words of the plan are beyond every data type.
      #expect(result.firstFailure != nil)
    }
  }

  @Test(arguments: FleqFunction.allCases.filter { $0 != .increment })
  func errorsOfFunctionBlocksAreWithinTheirBounds(function: FleqFunction) throws {
    for type in [DataType.f32, .f64] {
      let result = try FleqPrecision.measure(function, type, points: 32)
      #expect(result.isWithinBound, "\(result)")
      switch function {
      case .copy, .transpose, .diagonal, .scalarDiagonal: #expect(result.largestError == 0)
      // A bound that is far too wide would hold for a broken block as well.
      case .add, .subtract, .sigmoid: #expect(result.bound < 1e-6)
      default: #expect(result.largestError > 0 && result.bound < 0.02)
      }
    }
  }

  /// Too large a c and the Taylor remainder counts, too small a c and rounding does.
  @Test func productsAreBestBetweenTheTwoErrors() throws {
    for type in [DataType.f32, .f64] {
      let curve = try FleqPrecision.productCurve(type, quick: true)
      #expect(curve.filter { !$0.isWithinBound }.isEmpty)
      let best = curve.map(\.largestError).min()!
      #expect(curve.first!.largestError > 100 * best && curve.last!.largestError > 100 * best)
    }
  }
}
