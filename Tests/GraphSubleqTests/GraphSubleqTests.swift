import Construction
import GraphAlgorithms
import Machine
import Testing

/// Graph-SUBLEQ beside the machine family's interpreter, its programs and its dialect (signed addresses, stored input).
@Suite struct GraphSubleqTests {
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

  /// Two thirds instructions, one third data: mostly proper operands, now and then code, the device, a halt, or anything.
  func words(cells: Int, wordBits: Int, _ random: inout SplitMix64) -> [Int] {
    let code = cells * 2 / 9 * 3
    let any = -(1 << (wordBits - 1))..<(1 << (wordBits - 1))
    return (0..<cells).map { cell in
      if cell >= code { return Int.random(in: any, using: &random) }
      switch Int.random(in: 0..<60, using: &random) {
      case 0: return -1
      case 1: return Int.random(in: any, using: &random)
      case 2: return Int.random(in: 0..<code, using: &random)
      default:
        return cell % 3 == 2
          ? 3 * Int.random(in: 0..<(code / 3), using: &random) : Int.random(in: code..<cells, using: &random)
      }
    }
  }

  func lockstep<Scalar: BinaryFloatingPoint & Sendable>(
    _ range: ExactRange, as scalar: Scalar.Type, _ attention: Attention, wordBits: Int, cells: Int,
    seed: UInt64
  ) throws {
    let network = try GraphSubleqNetwork(wordBits: wordBits, range: range)
    let digest = network.network.digest
    var random = SplitMix64(state: seed)
    var executed = 0
    while executed < 1500 {
      let words = words(cells: cells, wordBits: wordBits, &random)
      var machine = try GraphSubleqMachine<Scalar>(network, words: words, attention: attention)
      var interpreter = try SubleqInterpreter(
        MemoryImage(words: words), cells: cells, dialect: SubleqDialect(wordBits: wordBits))
      for _ in 0..<200 {
        let character = UInt8.random(in: 0...255, using: &random)
        let expected: SubleqStep?
        do { expected = try interpreter.step(read: { character }) } catch is MachineFault {
          #expect(throws: GraphSubleqError.self) { try machine.step(read: { character }) }
          break
        }
        let step = try machine.step(read: { character }).step
        try #require(step?.programCounter == expected?.programCounter && step?.output == expected?.output)
        try #require(try machine.memory == interpreter.memory, "after \(String(describing: expected))")
        try #require(try machine.programCounter == interpreter.programCounter)
        guard expected != nil else {
          // Halted: nothing changes any more, whatever the memory holds.
          #expect(try !machine.step().changed)
          break
        }
        executed += 1
      }
    }
    #expect(network.network.digest == digest)
  }

  @Test func float32EqualsInterpreter() throws {
    try lockstep(.float32, as: Float.self, .hard, wordBits: 8, cells: 27, seed: 1)
    try lockstep(.float32, as: Float.self, .hard, wordBits: 22, cells: 36, seed: 2)
  }

  @Test func float32SoftmaxEqualsInterpreter() throws {
    // 104 / (1 − cos(2π/30)) = 4,759.
    try lockstep(
      .float32, as: Float.self, .softmax(inverseTemperature: 5000), wordBits: 12, cells: 27, seed: 3)
  }

  @Test func float64EqualsInterpreter() throws {
    try lockstep(.float64, as: Double.self, .hard, wordBits: 51, cells: 27, seed: 4)
    try lockstep(
      .float64, as: Double.self, .softmax(inverseTemperature: 35_000), wordBits: 16, cells: 27, seed: 5)
  }

  @Test(arguments: ["hello", "echo", "multiply", "factorial", "gcd", "linear-search"])
  func runsLibraryPrograms(name: String) throws {
    let program = try #require(ProgramLibrary[name])
    let image = try program.assemble()
    var machine = try GraphSubleqMachine<Float>(
      GraphSubleqNetwork(), words: image.words, cells: program.cells)
    var input = Array(program.sampleInput.utf8)[...]
    var output: [UInt8] = []
    let (_, halted) = try machine.run(
      limit: 20_000, read: { input.popFirst() }, write: { output.append($0) })
    #expect(halted)
    #expect(String(decoding: output, as: UTF8.self) == program.expectedOutput)
  }

  @Test func weightsAndWidthDoNotDependOnMemory() throws {
    let network = try GraphSubleqNetwork()
    #expect(network.network.layers.count == 4 && network.network.headCount == 3)
    #expect(network.network.layers.count <= network.theorem.layers)
    #expect(!network.network.needsGraph)
    for cells in [3, 30, 300] {
      let (state, _) = try network.prelude([], cells: cells, attention: .hard, as: Float.self)
      #expect(state.width == network.network.width && state.columnCount == cells + 3)
    }
  }

  /// The first cells that are too many, the first word that is too wide: refused; one less: right.
  @Test func limits() throws {
    for range in [ExactRange.float32, .float64] {
      let bits = GraphSubleqNetwork.largestWordBits(range)
      #expect(throws: GraphSubleqError.self) { try GraphSubleqNetwork(wordBits: bits + 1, range: range) }
    }
    let network = try GraphSubleqNetwork(wordBits: 16)
    let most = GraphSubleqNetwork.largestCellCount(.float32)
    #expect(throws: GraphSubleqError.self) {
      try GraphSubleqMachine<Float>(network, words: [], cells: most + 1)
    }
    #expect(throws: GraphSubleqError.self) { try GraphSubleqMachine<Float>(network, words: [1 << 16]) }
    #expect(throws: PaperGraphError.self) {
      try GraphSubleqMachine<Float>(
        network, words: [], cells: 27, attention: .softmax(inverseTemperature: 4000))
    }
    #expect(throws: PaperGraphError.self) {
      try GraphSubleqMachine<Float>(GraphSubleqNetwork(range: .float64), words: [0, 0, 0])
    }
    // mem[last] ← mem[last] − mem[last − 1] at the far end of the largest memory.
    var machine = try GraphSubleqMachine<Float>(
      network, words: [most - 2, most - 1, -1] + Array(repeating: 0, count: most - 5) + [7, 5], cells: most)
    _ = try machine.step()
    #expect(try machine.word(atCell: most - 1) == -2)
    #expect(try machine.programCounter == nil)
  }
}
