import Construction
import Looping
import Machine
import Testing

@Suite struct FleqNetworkTests {
  /// Every function once, on blocks of several widths, directly and through pointers, with jumps taken and not.
  static func randomProgram(seed: UInt64, blockSize d: Int, length: Int) -> FleqProgram {
    var random = SplitMix64(state: seed)
    let cells = 4 + 8 * d
    var memory = (0..<cells).map { _ in (0..<d).map { _ in Double.random(in: 0.5...1, using: &random) } }
    memory[FleqProgram.zeroCell] = Array(repeating: 0, count: d)
    memory[FleqProgram.oneCell] = [1] + Array(repeating: 0, count: d - 1)
    // Blocks 0…3 are read, 4…5 written, 6…7 hold pointers to the first cells of blocks 0…5.
    func block(_ number: Int) -> Int { 4 + number * d }
    var pointers: [Int: Int] = [:]
    for cell in block(6)..<cells { pointers[cell] = block(Int.random(in: 0..<4, using: &random)) }
    var instructions: [FleqInstruction] = []
    for index in 0..<length {
      let function = FleqFunction.allCases[index % FleqFunction.allCases.count]
      let columns = Int.random(in: 1...d, using: &random)
      func operand() -> FleqOperand {
        Bool.random(using: &random)
          ? FleqOperand(cell: block(Int.random(in: 0..<4, using: &random)), columns: columns)
          : FleqOperand(
            cell: Int.random(in: block(6)..<cells, using: &random), columns: columns, isIndirect: true)
      }
      let jumps = Int.random(in: 0..<3, using: &random) == 0
      let cell = Int.random(in: block(6)..<cells, using: &random)
      let isIncrement = function == .increment
      instructions.append(
        FleqInstruction(
          function, a: isIncrement ? FleqOperand(cell: cell) : operand(), b: operand(),
          c: isIncrement
            ? FleqOperand(cell: cell)
            : FleqOperand(cell: block(Int.random(in: 4..<6, using: &random)), columns: columns),
          flag: jumps ? FleqProgram.zeroCell : FleqProgram.oneCell, target: min(index + 2, length)))
    }
    instructions.append(
      FleqInstruction(
        .copy, a: FleqOperand(cell: FleqProgram.zeroCell), b: FleqOperand(cell: FleqProgram.zeroCell),
        c: FleqOperand(cell: FleqProgram.discardCell), flag: FleqProgram.zeroCell, target: length))
    return FleqProgram(blockSize: d, memory: memory, pointers: pointers, instructions: instructions)
  }

  @Test(arguments: [1, 2, 4, 8, 16]) func everyStateEqualsTheInterpreters(blockSize: Int) throws {
    for seed in 1...2 as ClosedRange<UInt64> {
      let program = Self.randomProgram(seed: seed, blockSize: blockSize, length: 28)
      let network = try FleqNetwork(for: program)
      #expect(network.network.layers.count <= 13)
      var machine = try FleqMachine(
        program, network: network, body: DenseExecutor<Double>(network.network))
      var interpreter = try FleqInterpreter(program)
      while !interpreter.hasHalted {
        let instruction = program.instructions[interpreter.programCounter]
        try interpreter.step()
        try machine.step()
        try #require(machine.programCounter == interpreter.programCounter)
        for cell in interpreter.memory.indices {
          try #require(try machine.address(inCell: cell) == interpreter.pointers[cell])
        }
        let worst = zip(machine.memory.joined(), interpreter.memory.joined())
          .map { abs($0 - $1) }.max()!
        try #require(worst < 2e-5, "\(instruction)")
      }
      try machine.step()  // Clears the cell that nobody reads.
      let before = machine.state
      let changed = try machine.step()
      #expect(!changed && machine.state == before)
    }
  }

  /// In both data types a jump is taken iff the flag is at most the tolerance.
  @Test(arguments: [
    (0.0, true), (-1, true), (-0x1p26, true), (0x1p-25, true), (0x1p-23, false), (0.5, false), (1, false),
    (3, false), (12_345.678, false), (0x1p26, false),
  ]) func flagsAreTestedAlike(value: Double, jumps: Bool) throws {
    func operand(_ cell: Int) -> FleqOperand { FleqOperand(cell: cell) }
    let program = FleqProgram(
      blockSize: 1, memory: [[0], [1], [0], [0], [value]],
      instructions: [
        FleqInstruction(.copy, a: operand(0), b: operand(0), c: operand(2), flag: 4, target: 2),
        FleqInstruction(.copy, a: operand(1), b: operand(0), c: operand(2), flag: 1, target: 2),
        FleqInstruction(.copy, a: operand(0), b: operand(0), c: operand(2), flag: 0, target: 2),
      ])
    func check<Scalar: BinaryFloatingPoint & Sendable>(_ scalar: Scalar.Type) throws {
      let network = try FleqNetwork(for: program)
      var machine = try FleqMachine(program, network: network, body: DenseExecutor<Scalar>(network.network))
      try machine.step()
      #expect(try machine.programCounter == (jumps ? 2 : 1))
    }
    try check(Double.self)
    try check(Float.self)
    var interpreter = try FleqInterpreter(program)
    try interpreter.step()
    #expect(interpreter.programCounter == (jumps ? 2 : 1))
  }

  @Test func valuesThatOpenGatesAreRefused() throws {
    func operand(_ cell: Int) -> FleqOperand { FleqOperand(cell: cell) }
    let program = FleqProgram(
      blockSize: 1, memory: [[0], [1], [0], [0], [0x1p25 + 1]],
      instructions: [
        FleqInstruction(.add, a: operand(4), b: operand(4), c: operand(4), flag: 0, target: 1),
        FleqInstruction(.copy, a: operand(0), b: operand(0), c: operand(2), flag: 0, target: 1),
      ])
    let network = try FleqNetwork(for: program)
    var machine = try FleqMachine(program, network: network, body: ExactExecutor<Double>(network.network))
    #expect(throws: FleqFault.valueTooLarge(instruction: 0, cell: 4)) { try machine.step() }
    var interpreter = try FleqInterpreter(program)
    #expect(throws: FleqFault.valueTooLarge(instruction: 0, cell: 4)) { try interpreter.step() }
  }

  @Test func headsLookWhereTheInstructionSays() throws {
    let program = try FleqCompiler.compile("data xs = 2, 3\nlet y = 4\nfor x in xs { x = x * y }", file: "t")
    let network = try FleqNetwork(for: program)
    let dense = DenseExecutor<Double>(network.network)
    var machine = try FleqMachine(program, network: network, body: ExactExecutor<Double>(network.network))
    while program.instructions[try machine.programCounter].function != .multiply { try machine.step() }
    let number = try machine.programCounter
    let looks = network.attention(before: machine.state, by: dense, instruction: number, of: program)
    func look(_ head: String) -> [String] { looks.first { $0.head == head }?.columns ?? [] }
    #expect(look("fetch / fetch") == ["instruction \(number)"])
    #expect(look("address / address in a") == ["cell \(program.instructions[number].a.cell) t0"])
    #expect(look("read / read a") == ["cell 4 xs[0]"] && look("read / read b") == ["cell 7 y"])
    #expect(look("write / write") == ["scratchpad 0"])
    #expect(looks.first { $0.head == "write / write" }?.query == "cell 4 xs[0]")
  }

  /// Documentation/Fleq.md: (cs)²/6 · (1 − 6d/(d+1)²) is the relative error of a product s alone in its column.
  @Test(arguments: [1, 2, 4, 8, 16]) func productsErrAsDerived(d: Int) throws {
    let zeros = Array(repeating: ", 0", count: d - 1).joined()
    let program = try FleqCompiler.compile("let a = [250\(zeros)]\nlet b = a' * a", file: "t")
    let network = try FleqNetwork(for: program)
    #expect(network.blockSize == d)
    var machine = try FleqMachine(program, network: network, body: ExactExecutor<Double>(network.network))
    try machine.step()
    let b = try #require(program.variables.first { $0.name == "b" })
    let measured = machine.memory[b.cell][0] / 62500 - 1
    let x = 62500 * FleqProducts.scaleForFloat64
    let derived = x * x / 6 * (1 - 6 * Double(d) / Double((d + 1) * (d + 1)))
    print("product, d = \(d): relative error \(measured), derived \(derived)")
    #expect(abs(measured - derived) < 2e-7)
  }

  @Test func saturatedProductsAreRefused() throws {
    for (text, isRefused) in [("1000", false), ("3000", true), ("8000000", true)] {
      let program = try FleqCompiler.compile("let a = \(text)\nlet b = a * a", file: "t")
      let network = try FleqNetwork(for: program)
      var machine = try FleqMachine(program, network: network, body: ExactExecutor<Double>(network.network))
      if isRefused {
        #expect(throws: FleqFault.productTooLarge(instruction: 0, limit: 0x1p20)) { try machine.step() }
      } else {
        try machine.step()
      }
    }
  }
}
