import Construction
import Foundation
import Looping
import Machine

/// One run of a SUBLEQ program: its streams, how far it came, and why it ended.
struct MachineRun {
  let name: String
  let image: MemoryImage
  let cells: Int
  let dialect: SubleqDialect
  /// 0 for none.
  let limit: Int
  /// The assembly, for traces.
  var source: String?
  var streams = StandardStreams(isQuiet: false)
  var instructions = 0
  /// `nil` if it was interrupted.
  private(set) var end: SubleqEnd?
  private(set) var seconds = 0.0
  private(set) var memory: [Int?] = []
  private var network: ConstructedNetwork?

  init(name: String, image: MemoryImage, cells: Int, dialect: SubleqDialect, limit: Int) {
    self.name = name
    self.image = image
    self.cells = cells
    self.dialect = dialect
    self.limit = limit
  }

  private struct Interrupted: Error {}

  mutating func interpret() throws {
    var interpreter = try SubleqInterpreter(image, cells: cells, dialect: dialect)
    let start = ContinuousClock.now
    while limit == 0 || instructions < limit {
      if instructions & 1023 == 0 && Interrupt.isRequested { break }
      guard let step = try interpreter.step(read: { try streams.read() }) else {
        end = .halted
        break
      }
      instructions += 1
      if let character = step.output { try streams.write(character) }
    }
    if end == nil && !Interrupt.isRequested { end = .limit }
    seconds = (ContinuousClock.now - start) / .seconds(1)
    memory = interpreter.memory
  }

  mutating func execute<Body: LoopBody, Scalar>(
    _ network: UnifiedSubleqNetwork, _ body: Body, _ output: TraceOutput?
  ) throws where Body.State == ResidualStream<Scalar> {
    self.network = network.network
    var machine = try SubleqMachine(network, image: image, body: body)
    var tracer: SubleqTracer?
    if let output {
      let new = SubleqTracer(
        network: network, image: image, name: name, source: source,
        recordsAttention: output.needsAttention
      ) {
        [unowned output] in try output.record($0)
      }
      try output.begin(new.header)
      new.begin(machine.state)
      tracer = new
    }
    let start = ContinuousClock.now
    var streams = self.streams
    var count = 0
    defer {
      self.streams = streams
      instructions = count
      seconds = (ContinuousClock.now - start) / .seconds(1)
      memory = machine.memory
    }
    do {
      end = try machine.run(
        limit: limit == 0 ? .max : limit, read: { try streams.read() }, write: { try streams.write($0) },
        observe: { machine, step in
          count += 1
          try tracer?.record(machine, step)
          if count & 255 == 0 && Interrupt.isRequested { throw Interrupted() }
        }
      ).end
    } catch is Interrupted {}
    try output?.end(loops: count, halt: end?.description ?? "interrupted")
  }

  /// Runs `work` on a network, and notes how it ended, how long it took, and what is in memory then.
  mutating func measure(
    _ network: ConstructedNetwork, _ work: (inout MachineRun) throws -> SubleqEnd?, memory words: () -> [Int?]
  ) throws {
    self.network = network
    let start = ContinuousClock.now
    defer {
      seconds = (ContinuousClock.now - start) / .seconds(1)
      memory = words()
    }
    end = try work(&self)
  }

  private var reason: String { end?.description ?? "interrupted" }

  var summary: String {
    let rate = Int(Double(instructions) / max(seconds, 1e-9))
    let loops =
      network.map {
        " = loops of \($0.layers.count) layers, width \($0.width), \($0.parameterCount) weights (digest "
          + "\(String($0.digest, radix: 16)))"
      } ?? ""
    return "\(name): \(reason) after \(instructions) instructions\(loops); \(rate) per second"
  }

  func json(executor: String) throws -> String {
    struct Report: Encodable {
      var program: String
      var executor: String
      var end: String
      var instructions: Int
      var seconds: Double
      var output: String
      var wordBits: Int
      var memory: [Int?]
      var network: NetworkFacts?
    }
    let report = Report(
      program: name, executor: executor, end: reason, instructions: instructions, seconds: seconds,
      output: String(decoding: streams.transcript, as: UTF8.self), wordBits: dialect.wordBits, memory: memory,
      network: network.map(NetworkFacts.init))
    return try jsonText(report)
  }
}

/// What a reader wants to know of a constructed network.
struct NetworkFacts: Encodable {
  var name: String
  var layers: Int
  var heads: Int
  var width: Int
  var parameters: Int
  var digest: String

  init(_ network: ConstructedNetwork) {
    name = network.name
    layers = network.layers.count
    heads = network.headCount
    width = network.width
    parameters = network.parameterCount
    digest = String(network.digest, radix: 16)
  }
}
