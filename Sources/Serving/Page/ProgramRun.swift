import Construction
import Foundation
import Looping
import Machine
import TextFiles

/// A SUBLEQ program to run on the network: POST /looped/programs/run.
public struct ProgramRequest: Codable, Sendable {
  /// Assembly, as `SubleqAssembler` reads it.
  public var source: String
  /// What to call it.
  public var name: String?
  /// What it reads, character by character.
  public var input: String?
  /// Memory; as many cells as the program has words if not given.
  public var cells: Int?
  /// Of a word, 4 to 24; 16 if not given.
  public var bits: Int?
  /// At most so many instructions.
  public var steps: Int?

  public init(
    source: String, name: String? = nil, input: String? = nil, cells: Int? = nil, bits: Int? = nil,
    steps: Int? = nil
  ) {
    self.source = source
    self.name = name
    self.input = input
    self.cells = cells
    self.bits = bits
    self.steps = steps
  }
}

/// A run as the page shows it: a trace, and what `looped run --json` says of the same program.
public struct ProgramResponse: Codable, Sendable {
  public var header: TraceHeader
  public var steps: [TraceStep]
  public var end: TraceEnd
  public var instructions: Int
  public var output: String
  /// Every cell after the last loop.
  public var memory: [Int?]
  public var seconds: Double
}

extension ProgramRequest {
  /// Assembles and runs it.
  ///
  /// - Throws: `PageRequestError` for a program that cannot be assembled or leaves its memory, and for sizes beyond
  ///   the limits. A program that does not end is no error: its trace is as long as allowed.
  /// - Complexity: O(instructions · cells), and a dense pass for each of the first 400 instructions in memories of up to
  ///   300 columns, which shows where the network looks.
  public func run(_ limits: PageLimits = PageLimits()) throws -> ProgramResponse {
    guard source.utf8.count <= limits.sourceBytes else {
      throw PageRequestError("the program has more than \(limits.sourceBytes >> 10) KiB", field: "source")
    }
    guard (input?.utf8.count ?? 0) <= limits.inputBytes else {
      throw PageRequestError("the input has more than \(limits.inputBytes >> 10) KiB", field: "input")
    }
    let (bits, steps) = (bits ?? 16, steps ?? limits.steps)
    // In f32 the network is exact up to so many bits.
    let widest = UnifiedSubleqNetwork.largestWordBits(in: Float.self)
    guard (4...widest).contains(bits) else {
      throw PageRequestError("words have 4 to \(widest) bits here, not \(bits)", field: "bits")
    }
    guard (1...limits.steps).contains(steps) else {
      throw PageRequestError("1 to \(limits.steps) instructions are run here, not \(steps)", field: "steps")
    }
    let name = String((name ?? "program").prefix(80))
    do {
      var assembly = SubleqAssembler.Limits()
      assembly.words = limits.cells
      let image = try SubleqAssembler.assemble(source, file: name, limits: assembly)
      let cells = cells ?? max(image.words.count, 3)
      guard cells <= limits.cells else {
        throw PageRequestError(
          "a memory has at most \(limits.cells) cells here, not \(cells)", field: "cells")
      }
      return try run(image, name: name, cells: cells, bits: bits, steps: steps, limits)
    } catch let error as SourceError {
      var refusal = PageRequestError(error.message, hint: error.hint, field: "source")
      (refusal.line, refusal.column) = (error.line, error.column)
      throw refusal
    } catch let fault as MachineFault {
      throw PageRequestError("\(fault)".replacing("--", with: ""), field: "source")
    }
  }

  private struct TimeIsUp: Error {}

  private func run(
    _ image: MemoryImage, name: String, cells: Int, bits: Int, steps limit: Int, _ limits: PageLimits
  ) throws -> ProgramResponse {
    let network = try UnifiedSubleqNetwork(cells: cells, dialect: SubleqDialect(wordBits: bits))
    var machine = try SubleqMachine(network, image: image, body: ExactExecutor<Float>(network.network))
    var steps: [TraceStep] = []
    let tracer = SubleqTracer(
      network: network, image: image, name: name, source: source, recordsAttention: true
    ) { steps.append($0) }
    tracer.begin(machine.state)
    var unread = Array((input ?? "").utf8)[...]
    var output: [UInt8] = []
    let start = ContinuousClock.now
    let deadline = Deadline(seconds: limits.seconds)
    let attentionDeadline = Deadline(seconds: min(limits.attentionSeconds, limits.seconds / 2))
    var halt = "time limit"
    do {
      halt = try machine.run(
        limit: limit, read: { unread.popFirst() }, write: { output.append($0) },
        observe: { machine, step in
          try tracer.record(machine, step)
          if attentionDeadline.isOver { tracer.recordsAttention = false }
          if deadline.isOver { throw TimeIsUp() }
        }
      ).end.description
    } catch is TimeIsUp {}
    return ProgramResponse(
      header: tracer.header, steps: steps, end: TraceEnd(loops: steps.count, halt: halt),
      instructions: steps.count, output: String(decoding: output, as: UTF8.self), memory: machine.memory,
      seconds: (ContinuousClock.now - start) / .seconds(1))
  }
}
