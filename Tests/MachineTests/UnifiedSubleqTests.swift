import Construction
import Looping
import Machine
import Testing

/// Random programs whose every instruction stays inside the memory, so that a run never faults.
struct RandomPrograms {
  var generator: SplitMix64

  /// Two thirds instructions, one third data. Operands are mostly data, now and then code (self-modification) or the
  /// device; jumps go to instructions.
  mutating func image(cells: Int, dialect: SubleqDialect) -> MemoryImage {
    let addressable = min(cells, dialect.largestCellCount)
    let code = addressable * 2 / 9 * 3
    return MemoryImage(
      words: (0..<cells).map { cell in
        if cell >= code {
          return Int.random(
            in: -(1 << (dialect.wordBits - 1))..<(1 << (dialect.wordBits - 1)), using: &generator)
        }
        if cell % 3 == 2 { return 3 * Int.random(in: 0..<(code / 3), using: &generator) }
        switch Int.random(in: 0..<40, using: &generator) {
        case 0: return -1
        case 1: return Int.random(in: 0..<code, using: &generator)
        default: return Int.random(in: code..<addressable, using: &generator)
        }
      })
  }
}

struct SplitMix64: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

@Suite struct UnifiedSubleqTests {
  /// Runs network and interpreter side by side and compares the whole memory after every loop.
  func lockstep<Body: LoopBody, Scalar>(
    _ body: (ConstructedNetwork) -> Body, scalar: Scalar.Type, cells: Int, dialect: SubleqDialect,
    instructions: Int, seed: UInt64
  ) throws where Body.State == ResidualStream<Scalar> {
    let network = try UnifiedSubleqNetwork(cells: cells, dialect: dialect)
    let digest = network.network.digest
    var random = RandomPrograms(generator: SplitMix64(state: seed))
    var executed = 0
    let steps = 1000
    while executed < instructions {
      let image = random.image(cells: cells, dialect: dialect)
      var interpreter = try SubleqInterpreter(image, cells: cells, dialect: dialect)
      var machine = try SubleqMachine(network, image: image, body: body(network.network))
      var input: [UInt8] = (0..<steps).map { _ in UInt8.random(in: 0...255, using: &random.generator) }
      var copy = input
      for _ in 0..<steps {
        var expected: SubleqStep?
        do { expected = try interpreter.step(read: { input.popLast() }) } catch let fault as MachineFault {
          #expect(throws: fault) { try machine.step(read: { copy.popLast() }) }
          break
        }
        let step = try machine.step(read: { copy.popLast() }).step
        #expect(step?.programCounter == expected?.programCounter && step?.output == expected?.output)
        #expect(machine.programCounter == interpreter.programCounter.map { .cell($0) } ?? .halted)
        let memory = machine.memory
        guard memory == interpreter.memory.map(Optional.some) else {
          Issue.record("memory differs after \(String(describing: expected))")
          return
        }
        guard expected != nil else { break }
        executed += 1
      }
    }
    #expect(network.network.digest == digest)
  }

  @Test(arguments: SubleqDialect.Input.allCases, SubleqDialect.Addressing.allCases)
  func denseFloat32EqualsInterpreter(input: SubleqDialect.Input, addressing: SubleqDialect.Addressing) throws
  {
    try lockstep(
      { DenseExecutor<Float>($0) }, scalar: Float.self, cells: 24,
      dialect: SubleqDialect(wordBits: 8, input: input, addressing: addressing), instructions: 2000, seed: 1)
  }

  @Test func denseSoftmaxEqualsInterpreter() throws {
    try lockstep(
      { DenseExecutor<Float>($0, attention: .softmax(inverseTemperature: 30)) }, scalar: Float.self,
      cells: 24,
      dialect: SubleqDialect(wordBits: 12), instructions: 2000, seed: 2)
  }

  @Test(arguments: [(8, 48), (12, 100), (16, 200)])
  func exactFloat32EqualsInterpreter(bits: Int, cells: Int) throws {
    try lockstep(
      { ExactExecutor<Float>($0) }, scalar: Float.self, cells: cells, dialect: SubleqDialect(wordBits: bits),
      instructions: 20_000, seed: UInt64(bits))
  }

  @Test func exactFloat64EqualsInterpreterAt32Bits() throws {
    try lockstep(
      { ExactExecutor<Double>($0) }, scalar: Double.self, cells: 100, dialect: SubleqDialect(wordBits: 32),
      instructions: 20_000, seed: 5)
  }

  /// The exact executor is defined by the dense one: every entry of every column, not only what is decoded.
  @Test func exactStatesEqualDenseStatesBitForBit() throws {
    let network = try UnifiedSubleqNetwork(cells: 40, dialect: SubleqDialect(wordBits: 10))
    var random = RandomPrograms(generator: SplitMix64(state: 9))
    for _ in 0..<20 {
      let image = random.image(cells: 40, dialect: network.dialect)
      var dense = try SubleqMachine(network, image: image, body: DenseExecutor<Float>(network.network))
      var exact = try SubleqMachine(network, image: image, body: ExactExecutor<Float>(network.network))
      for _ in 0..<100 {
        do {
          let changed = try dense.step(read: { 65 }).changed
          #expect(try exact.step(read: { 65 }).changed == changed)
        } catch is MachineFault { break }
        try #require(dense.state == exact.state)
      }
    }
  }
}
