import Construction
import Looping
import Machine
import Testing

/// A million instructions of random programs, across word sizes and memory sizes, without one difference from the
/// interpreter. (The best public constructed network passes 77.5 % of random programs of 200 steps.)
@Suite struct MillionInstructionsTests {
  @Test(arguments: [
    (8, 64, 200_000), (8, 128, 100_000), (10, 300, 100_000), (12, 1000, 100_000), (16, 96, 200_000),
    (16, 4096, 100_000), (16, 32_768, 50_000), (19, 700, 50_000),
  ]) func float32(bits: Int, cells: Int, instructions: Int) throws {
    try check(Float.self, bits: bits, cells: cells, instructions: instructions)
  }

  @Test(arguments: [(24, 200, 50_000), (32, 100, 50_000)])
  func float64(bits: Int, cells: Int, instructions: Int) throws {
    try check(Double.self, bits: bits, cells: cells, instructions: instructions)
  }

  @Test func wordsTooWideForTheDataTypeAreRefused() throws {
    let image = MemoryImage(words: [0, 0, -1])
    func prelude<Scalar: BinaryFloatingPoint & Sendable>(_ bits: Int, _ scalar: Scalar.Type) throws {
      let network = try UnifiedSubleqNetwork(cells: 3, dialect: SubleqDialect(wordBits: bits))
      _ = try network.prelude(image, as: scalar)
    }
    try prelude(19, Float.self)
    try prelude(48, Double.self)
    #expect(throws: MachineFault.self) { try prelude(20, Float.self) }
  }

  /// Every state is compared: the columns that changed in the loop one by one – a column that did not change is still
  /// what it was when it was compared last – and now and then the whole memory, which shows that the executor's list
  /// of changed columns does not lie.
  func check<Scalar: BinaryFloatingPoint & Sendable>(
    _ scalar: Scalar.Type, bits: Int, cells: Int, instructions: Int
  ) throws {
    let dialect = SubleqDialect(wordBits: bits)
    let network = try UnifiedSubleqNetwork(cells: cells, dialect: dialect)
    let digest = network.network.digest
    var random = RandomPrograms(generator: SplitMix64(state: UInt64(bits * cells)))
    var executed = 0
    var programs = 0
    while executed < instructions {
      let image = random.image(cells: cells, dialect: dialect)
      var interpreter = try SubleqInterpreter(image, cells: cells, dialect: dialect)
      var machine = try SubleqMachine(network, image: image, body: ExactExecutor<Scalar>(network.network))
      programs += 1
      var input = SplitMix64(state: UInt64(programs))
      var copy = input
      let length = min(max(2000, cells), instructions - executed)
      for count in 1...length {
        let expected: SubleqStep?
        do { expected = try interpreter.step(read: { UInt8(truncatingIfNeeded: input.next()) }) } catch let
          fault
          as MachineFault
        {
          #expect(throws: fault) { try machine.step(read: { UInt8(truncatingIfNeeded: copy.next()) }) }
          break
        }
        let step = try machine.step(read: { UInt8(truncatingIfNeeded: copy.next()) }).step
        try #require(step == expected)
        try #require(machine.programCounter == interpreter.programCounter.map { .cell($0) } ?? .halted)
        guard expected != nil else { break }
        for column in machine.body.changedColumns where (1...cells).contains(column) {
          try #require(machine.word(atCell: column - 1) == interpreter.memory[column - 1])
        }
        if count.isMultiple(of: 500) || count == length {
          try #require(machine.memory == interpreter.memory.map(Optional.some))
        }
        executed += 1
      }
    }
    #expect(executed == instructions && network.network.digest == digest)
  }
}
