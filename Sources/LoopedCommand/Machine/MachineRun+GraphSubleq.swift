import ArgumentParser
import Construction
import Foundation
import GraphAlgorithms
import Machine

extension RunCommand {
  /// Which network runs a SUBLEQ program.
  enum Network: String, CaseIterable, ExpressibleByArgument {
    /// Programs in one memory, in three layers.
    case unified
    /// Programs in one memory, by the graph networks' means: addresses on a circle, width independent of the memory.
    case graph
    /// Programs for separate memories (.csv), as the paper has it.
    case paper
    /// The same in four layers.
    case compact
  }
}

extension MachineRun {
  /// Runs the program on Graph-SUBLEQ, every column attending to every column.
  mutating func executeOnGraphNetwork(_ command: RunCommand) throws {
    guard !command.trace && command.traceTo == nil else {
      throw CommandError("--network graph has no traces", hint: "leave it out: the unified network has")
    }
    guard dialect.addressing == .signed && dialect.input == .store else {
      throw CommandError("--network graph knows signed addresses and stored input only")
    }
    let attention = command.inverseTemperature.map(Attention.softmax(inverseTemperature:)) ?? .hard
    switch command.dataType
      ?? (dialect.wordBits <= GraphSubleqNetwork.largestWordBits(.float32) ? .f32 : .f64)
    {
    case .f16: throw CommandError("--network graph runs in f32 and f64")
    case .f32:
      try execute(GraphSubleqNetwork(wordBits: dialect.wordBits, range: .float32), attention, Float.self)
    case .f64:
      try execute(GraphSubleqNetwork(wordBits: dialect.wordBits, range: .float64), attention, Double.self)
    }
  }

  private mutating func execute<Scalar: BinaryFloatingPoint & Sendable>(
    _ network: GraphSubleqNetwork, _ attention: Attention, _ scalar: Scalar.Type
  ) throws {
    var machine = try GraphSubleqMachine(
      network, words: image.words.map(dialect.wrap), cells: cells, attention: attention, as: scalar)
    try measure(network.network) { run in
      while run.limit == 0 || run.instructions < run.limit {
        if Interrupt.isRequested { return nil }
        guard let step = try machine.step(read: { try run.streams.read() }).step else { return .halted }
        run.instructions += 1
        if let character = step.output { try run.streams.write(character) }
      }
      return .limit
    } memory: {
      (try? machine.memory.map(Optional.some)) ?? []
    }
  }
}
