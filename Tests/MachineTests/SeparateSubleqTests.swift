import Construction
import Foundation
import Looping
import Machine
import Testing

@Suite struct SeparateSubleqTests {
  /// Runs network and interpreter side by side; compares data and program counter after every loop, and checks now and
  /// then that buffers are empty and the weights what they were.
  /// - Returns: the number of the first instruction after which they differ; `nil` if they never do.
  static func firstDifference<Network: SeparateSubleqNetwork, Body: LoopBody, Scalar>(
    _ network: Network, _ body: (ConstructedNetwork) -> Body, programs: [SeparateProgram], steps: Int
  ) throws -> Int? where Body.State == ResidualStream<Scalar> {
    let digest = network.network.digest
    var executed = 0
    for program in programs {
      var machine = try SeparateMachine(network, program: program, body: body(network.network))
      var interpreter = try SeparateInterpreter(program, wordBits: network.card.wordBits)
      for _ in 0..<steps {
        let expected = try interpreter.step()
        guard let actual = try? machine.step().step, actual == expected,
          machine.programCounter == interpreter.programCounter, machine.data == interpreter.data
        else { return executed }
        executed += 1
        if executed % 5 != 0 { continue }
        let isEmpty = network.buffers.flatMap(\.rows).allSatisfy { row in
          (0..<network.columnCount).allSatisfy { machine.state[row, $0] == 0 }
        }
        if !isEmpty { return executed - 1 }
      }
    }
    #expect(network.network.digest == digest)
    return nil
  }

  static func firstDifference<Scalar: BinaryFloatingPoint & Sendable>(
    _ kind: any SeparateSubleqNetwork.Type, _ scalar: Scalar.Type, _ attention: Attention = .hard,
    wordBits: Int, programs: [SeparateProgram]? = nil, steps: Int = 60
  ) throws -> Int? {
    var random = Machine.RandomPrograms(seed: UInt64(wordBits))
    let programs =
      programs ?? (0..<5).map { _ in random.separate(cells: 9, instructions: 12, wordBits: wordBits) }
    return try firstDifference(
      kind.init(for: programs[0], wordBits: wordBits), { DenseExecutor<Scalar>($0, attention: attention) },
      programs: programs, steps: steps)
  }

  /// `y − x` for every pair: one instruction, then the end.
  static func differences(of values: [Int]) -> [SeparateProgram] {
    values.flatMap { x in
      values.map { y in
        SeparateProgram(
          instructions: [.init(a: 2, b: 3, c: 2), .init(a: 0, b: 1, c: 1), .init(a: 0, b: 1, c: 2)],
          data: [0, -1, x, y])
      }
    }
  }

  static let kinds: [any SeparateSubleqNetwork.Type] = [PaperSubleqNetwork.self, CompactSubleqNetwork.self]

  // MARK: Size

  @Test(arguments: [(10, 14, 8), (60, 67, 16), (3, 2, 21)])
  func sizesAreThePapers(cells: Int, instructions: Int, bits: Int) throws {
    let pointerBits = Int(log2(Double(cells + instructions)).rounded(.down)) + 1
    let buffer = max(3 * pointerBits, 2 * bits)
    let paper = try PaperSubleqNetwork(cells: cells, instructions: instructions, wordBits: bits)
    #expect(paper.network.layers.count == 10 && paper.network.headCount == 2)
    #expect(paper.network.width == 8 * pointerBits + 3 * bits + buffer + 1)
    let nine = try PaperSubleqNetwork(
      cells: cells, instructions: instructions, wordBits: bits, correctsErrors: false)
    #expect(nine.network.layers.count == 9)
    let compact = try CompactSubleqNetwork(cells: cells, instructions: instructions, wordBits: bits)
    #expect(compact.network.layers.count == 4 && compact.network.headCount == 2)
    #expect(compact.network.width == 9 * pointerBits + 2 * bits + buffer + 2)
  }

  // MARK: Exactness

  @Test(arguments: [0, 1]) func allOperandPairsOfFourBits(kind: Int) throws {
    let programs = Self.differences(of: Array(-8..<8))
    let kind = Self.kinds[kind]
    #expect(try Self.firstDifference(kind, Float16.self, wordBits: 4, programs: programs, steps: 2) == nil)
    #expect(
      try Self.firstDifference(
        kind, Float.self, .softmax(inverseTemperature: 12), wordBits: 4, programs: programs, steps: 2) == nil)
  }

  /// With hard attention the data type's significant bits alone decide, and exactly where the adders' proofs say.
  @Test(arguments: [0, 1]) func wordSizesAreExactUpToTheLimitAndNotBeyond(kind: Int) throws {
    let kind = Self.kinds[kind]
    func check<Scalar: BinaryFloatingPoint & Sendable>(_ scalar: Scalar.Type, limit: Int) throws {
      #expect(kind.largestWordBits(in: scalar) == limit)
      for bits in [limit - 1, limit, limit + 1] {
        let half = 1 << (bits - 1)
        let programs = Self.differences(of: [-half, 1 - half, -2, -1, 0, 1, 2, half / 2, half - 1])
        let pairs = try Self.firstDifference(kind, scalar, wordBits: bits, programs: programs, steps: 2)
        #expect((pairs == nil) == (bits <= limit), "\(kind) \(scalar), \(bits) bits: \(pairs ?? -1)")
        if bits <= limit { #expect(try Self.firstDifference(kind, scalar, wordBits: bits) == nil) }
      }
    }
    let slack = kind == PaperSubleqNetwork.self ? 2 : 3
    try check(Float16.self, limit: 11 - slack)
    try check(Float.self, limit: 24 - slack)
    try check(Double.self, limit: 53 - slack)
  }

  /// λ = ½(N ln 2 + ln 6n) keeps the leak of attention below what the steps tolerate (Documentation/SeparateSubleq.md).
  @Test(arguments: [4, 8, 16, 20]) func softmaxIsExactAboveTheBound(bits: Int) throws {
    let bound = CompactSubleqNetwork.sufficientInverseTemperature(wordBits: bits, columns: 22)
    for excess in [0, 1, 10, 100.0] {
      let attention = Attention.softmax(inverseTemperature: bound + excess)
      #expect(
        try Self.firstDifference(
          CompactSubleqNetwork.self, Double.self, attention, wordBits: bits) == nil)
    }
    #expect(
      try Self.firstDifference(
        CompactSubleqNetwork.self, Double.self, .softmax(inverseTemperature: 2), wordBits: bits) != nil)
  }

  @Test(arguments: [0, 1]) func softmaxIsHardAttentionOnceLeaksRoundAway(kind: Int) throws {
    let kind = Self.kinds[kind]
    #expect(
      try Self.firstDifference(kind, Float16.self, .softmax(inverseTemperature: 8), wordBits: 8) == nil)
    #expect(
      try Self.firstDifference(kind, Float.self, .softmax(inverseTemperature: 14), wordBits: 21) == nil)
    #expect(
      try Self.firstDifference(kind, Double.self, .softmax(inverseTemperature: 24), wordBits: 50) == nil)
    // The authors' code overflows here: e^(100 L).
    #expect(
      try Self.firstDifference(kind, Double.self, .softmax(inverseTemperature: 100), wordBits: 16) == nil)
  }

  /// Every entry of every column, not only what is decoded.
  @Test(arguments: [0, 1]) func exactStatesEqualDenseStatesBitForBit(kind: Int) throws {
    try compareExecutors(Self.kinds[kind])
  }

  private func compareExecutors<Network: SeparateSubleqNetwork>(_ kind: Network.Type) throws {
    var random = Machine.RandomPrograms(seed: 7)
    for _ in 0..<5 {
      let program = random.separate(cells: 20, instructions: 30, wordBits: 12)
      let network = try Network(for: program, wordBits: 12)
      var dense = try SeparateMachine(network, program: program, body: DenseExecutor<Float>(network.network))
      var exact = try SeparateMachine(network, program: program, body: ExactExecutor<Float>(network.network))
      for _ in 0..<100 {
        #expect(try dense.step() == exact.step())
        try #require(dense.state == exact.state)
      }
    }
  }

  @Test(arguments: [0, 1]) func longRunsStayExact(kind: Int) throws {
    var random = Machine.RandomPrograms(seed: 11)
    let programs = (0..<4).map { _ in random.separate(cells: 40, instructions: 60, wordBits: 16) }
    let network = try Self.kinds[kind].init(for: programs[0], wordBits: 16)
    func run<Network: SeparateSubleqNetwork>(_ network: Network) throws -> Int? {
      try Self.firstDifference(
        network, { ExactExecutor<Float>($0) }, programs: programs, steps: 1000)
    }
    #expect(try run(network) == nil)
  }

  // MARK: Ends

  @Test(arguments: [0, 1]) func multiplicationEndsInAFixedPoint(kind: Int) throws {
    let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appending(path: "../../Examples/multiply.csv")
    let program = try SeparateProgramFile.read([UInt8](Data(contentsOf: path)), file: "multiply.csv")
    try multiply(program, Self.kinds[kind])
  }

  private func multiply<Network: SeparateSubleqNetwork>(
    _ program: SeparateProgram, _ kind: Network.Type
  ) throws {
    let network = try Network(for: program, wordBits: 8)
    var machine = try SeparateMachine(
      network, program: program, body: DenseExecutor<Float>(network.network))
    var interpreter = try SeparateInterpreter(program, wordBits: 8)
    while !interpreter.hasHalted { try interpreter.step() }
    let (loops, end) = try machine.run(limit: 1000)
    #expect(end == .fixedPoint && machine.data == interpreter.data.map(Optional.some))
    #expect(machine.word(inCell: 2) == 63 && loops < 40)
    let before = machine.state
    #expect(try machine.step().changed == false)
    #expect(machine.state == before)
  }

  @Test(arguments: [0, 1]) func tracesReplayToTheFinalDataAndShowTheTie(kind: Int) throws {
    func trace<Network: SeparateSubleqNetwork>(_ kind: Network.Type) throws {
      var random = Machine.RandomPrograms(seed: 3)
      let program = random.separate(cells: 9, instructions: 12, wordBits: 8)
      let network = try Network(for: program, wordBits: 8)
      var machine = try SeparateMachine(
        network, program: program, body: ExactExecutor<Float>(network.network))
      var steps: [TraceStep] = []
      let tracer = SeparateTracer(
        network: network, program: program, name: "random", state: machine.state, attention: .hard,
        sink: { steps.append($0) })
      let (loops, _) = try machine.run(limit: 50) { try tracer.record($0, $1) }
      var data = tracer.header.values
      for change in steps.flatMap(\.changes) {
        #expect(data[change.column] == change.before)
        data[change.column] = change.after
      }
      #expect(steps.count == loops && data.map { Int($0) } == machine.data)
      for (step, instruction) in steps.map({ ($0, program.instructions[$0.position!]) }) {
        let attention = try #require(step.attention)
        #expect(attention.count == 4 && attention.allSatisfy { $0.weights == [0.5, 0.5] })
        #expect(attention[0].columns == ["scratchpad", "instruction \(step.position!)"])
        #expect(attention[1].columns == ["scratchpad", "data \(instruction.a)"])
        #expect(attention[3].query == "data \(instruction.b)")
      }
    }
    try trace(Self.kinds[kind])
  }

  @Test(arguments: [0, 1]) func runningPastTheEndIsAnError(kind: Int) throws {
    func run<Network: SeparateSubleqNetwork>(_ kind: Network.Type) throws {
      // Three columns need two address bits, so the incremented program counter even names a column that is not there.
      let program = SeparateProgram(instructions: [.init(a: 0, b: 0, c: 0)], data: [5])
      let endless = try Network(for: program, wordBits: 8)
      var looping = try SeparateMachine(
        endless, program: program, body: DenseExecutor<Float>(endless.network))
      #expect(try looping.run(limit: 10).end == .fixedPoint)
      let falling = SeparateProgram(instructions: [.init(a: 0, b: 1, c: 0)], data: [-5, 5])
      let network = try Network(for: falling, wordBits: 8)
      var machine = try SeparateMachine(
        network, program: falling, body: DenseExecutor<Float>(network.network))
      var interpreter = try SeparateInterpreter(falling, wordBits: 8)
      #expect(throws: MachineFault.ranPastTheEnd(programCounter: 0)) { try machine.step() }
      #expect(throws: MachineFault.ranPastTheEnd(programCounter: 0)) { try interpreter.step() }
      #expect(machine.data == interpreter.data.map(Optional.some))
    }
    try run(Self.kinds[kind])
  }

  @Test(arguments: [0, 1]) func badProgramsAreRefused(kind: Int) throws {
    let network = try Self.kinds[kind].init(cells: 2, instructions: 1, wordBits: 4)
    let halt = SeparateProgram.Instruction(a: 0, b: 1, c: 0)
    func prelude(_ instructions: [SeparateProgram.Instruction], _ data: [Int]) throws {
      let program = SeparateProgram(instructions: instructions, data: data)
      let _: ResidualStream<Float> = try network.card.prelude(program, width: network.network.width)
    }
    try prelude([halt], [7, -8])
    for (instructions, data) in [
      ([], [0, 0]), ([halt], []), ([halt, halt], [0, 0]), ([halt], [0, 0, 0]), ([halt], [8, 0]),
      ([halt], [0, -9]), ([.init(a: -1, b: 0, c: 0)], [0, 0]), ([.init(a: 0, b: 2, c: 0)], [0, 0]),
      ([.init(a: 0, b: 0, c: 1)], [0, 0]), ([.init(a: 0, b: 0, c: -1)], [0, 0]),
    ] as [([SeparateProgram.Instruction], [Int])] {
      #expect(throws: MachineFault.self) { try prelude(instructions, data) }
    }
    for (cells, bits) in [(0, 8), (2, 1), (2, 55), (1 << 21, 8)] {
      #expect(throws: MachineFault.self) {
        try Self.kinds[kind].init(cells: cells, instructions: 1, wordBits: bits)
      }
    }
  }
}
