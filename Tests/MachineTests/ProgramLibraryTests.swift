import Construction
import Machine
import Testing

@Suite struct ProgramLibraryTests {
  /// Runs a program on the network and on the interpreter side by side; every state must be equal.
  static func run(_ program: LibraryProgram, input: String? = nil) throws -> String {
    let image = try program.assemble()
    let cells = program.cells ?? image.words.count
    let network = try UnifiedSubleqNetwork(cells: cells)
    var machine = try SubleqMachine(network, image: image, body: ExactExecutor<Float>(network.network))
    var interpreter = try SubleqInterpreter(image, cells: cells, dialect: network.dialect)
    var read = Array((input ?? program.sampleInput).utf8)[...]
    var copy = read
    var output: [UInt8] = []
    let (_, end) = try machine.run(
      limit: 400_000, read: { read.popFirst() }, write: { output.append($0) },
      observe: { machine, step in
        try #require(try interpreter.step(read: { copy.popFirst() }) == step)
        if step.b >= 0 { try #require(machine.word(atCell: step.b) == interpreter.memory[step.b]) }
      })
    #expect(end == .halted)
    #expect(machine.memory == interpreter.memory)
    return String(decoding: output, as: UTF8.self)
  }

  @Test(arguments: ProgramLibrary.all.map(\.name)) func printsWhatItShould(name: String) throws {
    let program = try #require(ProgramLibrary[name])
    #expect(try Self.run(program) == program.expectedOutput)
  }

  @Test(arguments: [
    ("1+2", "3"), ("100 - 1", "99"), ("3-10", "-7"), ("5-5", "0"), ("0*7", "0"), ("250*131", "32750"),
    ("1000/7", "142"), ("6/7", "0"), ("8/0", "?"),
  ]) func calculates(input: String, output: String) throws {
    let line = input.filter { $0 != " " } + "\n"
    #expect(try Self.run(#require(ProgramLibrary["calculator"]), input: line) == output + "\n")
  }
}
