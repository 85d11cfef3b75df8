import Foundation
import Looping
import Machine
import Testing

@testable import Serving

/// Programs as the page runs them.
@Suite struct PageProgramTests {
  /// Without optimisation a run takes longer than anybody would wait, and its attention much longer.
  private static var limits: PageLimits {
    var limits = PageLimits()
    (limits.seconds, limits.attentionSeconds) = (120, 0.1)
    return limits
  }

  @Test(arguments: ["multiply", "hello", "echo", "list-reversal", "gcd", "calculator"])
  func runsAsTheInterpreterDoes(name: String) throws {
    let program = try #require(ProgramLibrary[name])
    let source = String(decoding: program.source, as: UTF8.self)
    let answer = try ProgramRequest(source: source, name: name, input: program.sampleInput).run(Self.limits)
    #expect(answer.output == program.expectedOutput && answer.end.halt == "halted")

    let image = try program.assemble()
    var reference = try SubleqInterpreter(
      image, cells: answer.memory.count, dialect: SubleqDialect(wordBits: 16))
    var input = Array(program.sampleInput.utf8)[...]
    var count = 0
    while try reference.step(read: { input.popFirst() }) != nil { count += 1 }
    #expect(answer.memory.map { $0 ?? .min } == reference.memory && answer.instructions == count)

    // The trace leads to the same memory, and says which line is at work.
    var memory = answer.header.values
    for step in answer.steps { for change in step.changes { memory[change.column] = change.after } }
    #expect(memory.map { Int($0) } == reference.memory)
    let listing = try #require(answer.header.listing)
    let lineCount = source.split(separator: "\n", omittingEmptySubsequences: false).count
    #expect(listing.text == source && listing.lines.count == answer.memory.count)
    #expect(answer.steps.allSatisfy { step in (1...lineCount).contains(listing.lines[step.position ?? 0]) })
    // The first head of the first loop reads the first word; large memories are not looked at.
    if answer.memory.count < 290 {
      #expect(answer.steps[0].attention?.first?.columns.first?.hasPrefix("cell 0") == true)
    } else {
      #expect(answer.steps[0].attention == nil)
    }
  }

  @Test func isATraceLikeTheCommandLines() throws {
    let source = "a a (-1)\n. a: 7"
    let answer = try ProgramRequest(source: source).run()
    nonisolated(unsafe) var data = Data()
    let writer = TraceWriter { data += $0 }
    try writer.record(answer.header)
    for step in answer.steps { try writer.record(step) }
    try writer.record(answer.end)
    let trace = try Trace(jsonLines: data)
    #expect(trace.header == answer.header && trace.steps == answer.steps && trace.end == answer.end)
  }

  @Test func saysWhereAProgramIsWrong() throws {
    let error = try #require(throws: PageRequestError.self) {
      try ProgramRequest(source: "one one\none totl 0\n. one: 1").run()
    }
    #expect(error.line == 2 && error.column == 5 && error.message.contains("totl") && error.field == "source")
  }

  @Test(arguments: [
    (ProgramRequest(source: "0 0 0", steps: 0), "steps"),
    (ProgramRequest(source: "0 0 0", steps: .max), "steps"),
    (ProgramRequest(source: "0 0 0", steps: -1), "steps"),
    (ProgramRequest(source: "0 0 0", cells: .max), "cells"),
    (ProgramRequest(source: "0 0 0", cells: -5), "source"),
    (ProgramRequest(source: "0 0 0", bits: 64), "bits"),
    (ProgramRequest(source: "0 0 0", bits: 0), "bits"),
    (ProgramRequest(source: String(repeating: "#", count: 65 << 10)), "source"),
    (ProgramRequest(source: "0 0 0", input: String(repeating: "x", count: 5 << 10)), "input"),
    (ProgramRequest(source: ". x: [1000000000]"), "source"), (ProgramRequest(source: "5000 0 0"), "source"),
    (ProgramRequest(source: "\u{0}\u{1}))(("), "source"), (ProgramRequest(source: "0 0 9999"), "source"),
  ])
  func refusesWhatIsTooMuch(request: ProgramRequest, field: String) throws {
    let error = try #require(throws: PageRequestError.self) { try request.run() }
    #expect(error.field == field && !error.message.isEmpty && !error.description.contains("--"))
  }

  @Test func endlessProgramsEnd() throws {
    // Counts down for ever: every step changes memory.
    let endless = ProgramRequest(source: "one count 0\nZ Z 0\n. Z: 0 one: 1 count: 0", steps: 700)
    let answer = try endless.run(Self.limits)
    #expect(answer.end.halt == "limit" && answer.steps.count == 700)
    var limits = PageLimits()
    limits.seconds = 0
    let cut = try endless.run(limits)
    #expect(cut.end.halt == "time limit" && cut.steps.count == 1)
    #expect(try ProgramRequest(source: "0 0 0").run().end.halt == "fixed point")
  }
}
