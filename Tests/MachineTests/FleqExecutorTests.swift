import Construction
import Looping
import Machine
import Testing

/// The fast executor is the dense one, bit for bit, on a network that computes with softmax.
@Suite struct FleqExecutorTests {
  static func compare<Scalar: BinaryFloatingPoint & Sendable>(
    _ program: FleqProgram, loops: Int, _ scalar: Scalar.Type, scale: Double
  ) throws -> Int {
    let network = try FleqNetwork(for: program, productScale: scale)
    let exact = try FleqMachine(program, network: network, body: ExactExecutor<Scalar>(network.network))
    let dense = try FleqMachine(program, network: network, body: DenseExecutor<Scalar>(network.network))
    var (left, right) = (exact, dense)
    for loop in 0..<loops {
      let changed = (try left.step(), try right.step())
      try #require(left.state == right.state, "loop \(loop)")
      try #require(changed.0 == changed.1)
      if !changed.0 { return loop }
    }
    return loops
  }

  @Test(arguments: [1, 2, 4, 8]) func equalsTheDenseOneOnRandomPrograms(blockSize: Int) throws {
    for seed in 3...4 as ClosedRange<UInt64> {
      let program = FleqNetworkTests.randomProgram(seed: seed, blockSize: blockSize, length: 28)
      #expect(try Self.compare(program, loops: 60, Double.self, scale: FleqProducts.scaleForFloat64) > 10)
      #expect(try Self.compare(program, loops: 60, Float.self, scale: FleqProducts.scaleForFloat32) > 10)
    }
  }

  @Test(arguments: FleqLibrary.all.map(\.name)) func equalsTheDenseOneOnTheLibrary(name: String) throws {
    let program = try #require(FleqLibrary[name]).compile()
    for loops in [
      try Self.compare(program, loops: 50, Double.self, scale: FleqProducts.scaleForFloat64),
      try Self.compare(program, loops: 50, Float.self, scale: FleqProducts.scaleForFloat32),
    ] { #expect(loops >= min(50, program.instructions.count - 1)) }
  }
}
