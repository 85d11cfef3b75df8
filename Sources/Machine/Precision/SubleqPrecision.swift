import Construction
import Looping

/// Where a SUBLEQ network stays exact: one network, one data type, one temperature, ever wider words until the first
/// state that differs from the interpreter's.
public struct SubleqPrecision: Codable, Equatable, Sendable {
  public enum Network: String, CaseIterable, Codable, Sendable {
    case paper, compact, unified
  }

  /// What is swept: the word sizes of one line of the table.
  public struct Line: Codable, Equatable, Sendable {
    public var network: Network
    public var dataType: DataType
    /// λ; `nil` for hard attention, its limit.
    public var inverseTemperature: Double?
    /// In ascending order.
    public var wordSizes: [Int]

    public init(network: Network, dataType: DataType, inverseTemperature: Double?, wordSizes: [Int]) {
      self.network = network
      self.dataType = dataType
      self.inverseTemperature = inverseTemperature
      self.wordSizes = wordSizes
    }
  }

  /// The first state that differs.
  public struct Failure: Codable, Equatable, Sendable {
    public var wordBits: Int
    /// How many instructions had been executed with equal states.
    public var instruction: Int
    public var what: String
  }

  public var line: Line
  /// The widest words whose every state was exact, all narrower ones included; `nil` if not even the narrowest.
  public var exactWordBits: Int?
  /// `nil` if every word size was exact.
  public var firstFailure: Failure?
  public var instructions: Int

  /// Runs programs in lockstep with the interpreter, in ever wider words, up to the first failure: first one
  /// subtraction for every pair of extreme words, where carries are longest, then random programs.
  ///
  /// Complexity: (word sizes) × (pairs + `programs` × `steps`) dense passes over some twenty columns.
  public static func measure(
    _ line: Line, programs: Int = 1, steps: Int = 60, seed: UInt64 = 1
  ) throws -> SubleqPrecision {
    var result = SubleqPrecision(line: line, instructions: 0)
    guard let scalar = line.dataType.scalar else { return result }
    for bits in line.wordSizes {
      var run = LockstepRun(
        attention: line.inverseTemperature.map(Attention.softmax(inverseTemperature:)) ?? .hard,
        wordBits: bits, programs: programs, steps: steps, random: RandomPrograms(seed: seed))
      let difference: String?
      switch line.network {
      case .paper: difference = try run.separate(PaperSubleqNetwork.self, scalar)
      case .compact: difference = try run.separate(CompactSubleqNetwork.self, scalar)
      case .unified: difference = try run.unified(scalar)
      }
      result.instructions += run.executed
      if let difference {
        result.firstFailure = Failure(wordBits: bits, instruction: run.executed, what: difference)
        break
      }
      result.exactWordBits = bits
    }
    return result
  }

  fileprivate static let size = (cells: 9, instructions: 12)
  /// The columns of the swept networks with separate memories.
  public static let columnCount = 1 + size.cells + size.instructions

  /// All lines of the sweep, in the order of the table.
  ///
  /// - Parameter quick: a few points of each curve instead of the whole, for a look and for tests.
  public static func plan(quick: Bool) -> [Line] {
    var lines: [Line] = []
    for network in Network.allCases {
      for dataType in DataType.allCases where dataType.scalar != nil {
        for temperature in temperatures(dataType, quick: quick).map(Optional.some) + [nil] {
          let sizes = wordSizes(dataType, quick: quick)
          lines.append(
            Line(
              network: network, dataType: dataType, inverseTemperature: temperature,
              // 48 bits are the widest words of the unified network.
              wordSizes: network == .unified ? sizes.filter { (4...48).contains($0) } : sizes))
        }
      }
    }
    return lines
  }

  /// Half-precision arithmetic is emulated on many processors, so its curves have fewer points.
  private static func temperatures(_ dataType: DataType, quick: Bool) -> [Double] {
    switch (dataType, quick) {
    case (.f16, true): []
    case (_, true): [2, 8, 14, 24]
    case (.f16, false): [2, 4, 6, 8, 10]
    case (_, false): [2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 24, 32, 40, 100]
    }
  }

  /// Dense where the data type gives out.
  private static func wordSizes(_ dataType: DataType, quick: Bool) -> [Int] {
    switch (dataType, quick) {
    case (.f16, true): [6, 8, 9, 10]
    case (.f32, true): [8, 19, 20, 21, 22, 23]
    case (.f64, true): [8, 32, 48, 50, 51, 52]
    case (.f16, false): Array(4...11)
    case (.f32, false): [4, 8, 12, 16] + Array(18...24)
    case (.f64, false): Array(stride(from: 4, through: 44, by: 4)) + Array(48...53)
    }
  }
}

/// Random programs on a dense network, every state compared with the interpreter's.
private struct LockstepRun {
  let attention: Attention
  let wordBits: Int
  let programs: Int
  let steps: Int
  var random: RandomPrograms
  /// Instructions after which the states were equal.
  var executed = 0

  init(attention: Attention, wordBits: Int, programs: Int, steps: Int, random: RandomPrograms) {
    self.attention = attention
    self.wordBits = wordBits
    self.programs = programs
    self.steps = steps
    self.random = random
  }

  /// - Returns: how the first differing state differs; `nil` if none does.
  mutating func separate<Network: SeparateSubleqNetwork, Scalar: BinaryFloatingPoint & Sendable>(
    _ type: Network.Type, _ scalar: Scalar.Type
  ) throws -> String? {
    let size = SubleqPrecision.size
    let network = try Network(cells: size.cells, instructions: size.instructions, wordBits: wordBits)
    let body = DenseExecutor<Scalar>(network.network, attention: attention)
    let pairs = RandomPrograms.extremeDifferences(
      cells: size.cells, instructions: size.instructions, wordBits: wordBits)
    let others = (0..<programs).map { _ in
      random.separate(cells: size.cells, instructions: size.instructions, wordBits: wordBits)
    }
    for (number, program) in (pairs + others).enumerated() {
      var machine = try SeparateMachine(network, program: program, body: body)
      var interpreter = try SeparateInterpreter(program, wordBits: wordBits)
      for _ in 0..<(number < pairs.count ? 1 : steps) {
        try interpreter.step()
        do { _ = try machine.step() } catch { return Self.describe(error) }
        if let difference = Self.difference(
          memory: machine.data, interpreter.data, programCounter: machine.programCounter,
          interpreter.programCounter)
        {
          return difference
        }
        executed += 1
      }
    }
    return nil
  }

  mutating func unified<Scalar: BinaryFloatingPoint & Sendable>(_ scalar: Scalar.Type) throws -> String? {
    let dialect = SubleqDialect(wordBits: wordBits)
    let cells = min(21, dialect.largestCellCount)
    let network = try UnifiedSubleqNetwork(cells: cells, dialect: dialect)
    guard wordBits <= UnifiedSubleqNetwork.largestWordBits(in: scalar) else {
      return "the network refuses them"
    }
    let body = DenseExecutor<Scalar>(network.network, attention: attention)
    let pairs = RandomPrograms.extremeDifferences(cells: cells, dialect: dialect)
    let others = (0..<programs).map { _ in random.unified(cells: cells, dialect: dialect) }
    for (number, image) in (pairs + others).enumerated() {
      var machine = try SubleqMachine(network, image: image, body: body)
      var interpreter = try SubleqInterpreter(image, cells: cells, dialect: dialect)
      for _ in 0..<(number < pairs.count ? 1 : steps) {
        // A program that modifies itself may end, or leave its memory: on to the next.
        guard (try? interpreter.step()) != nil else { break }
        do { _ = try machine.step(read: { nil }) } catch { return Self.describe(error) }
        var next: Int?
        if case .cell(let cell)? = machine.programCounter { next = cell }
        if let difference = Self.difference(
          memory: machine.memory, interpreter.memory, programCounter: next, interpreter.programCounter)
        {
          return difference
        }
        executed += 1
      }
    }
    return nil
  }

  private static func difference(
    memory: [Int?], _ expected: [Int], programCounter: Int?, _ expectedCounter: Int?
  ) -> String? {
    for (cell, (word, right)) in zip(memory, expected).enumerated() where word != right {
      return "[\(cell)] is \(word.map(String.init) ?? "not exact"), not \(right)"
    }
    guard programCounter == expectedCounter else {
      func text(_ counter: Int?) -> String { counter.map(String.init) ?? "none" }
      return "the program counter is \(text(programCounter)), not \(text(expectedCounter))"
    }
    return nil
  }

  private static func describe(_ error: any Error) -> String {
    if let loss = error as? PrecisionLoss { return "\(loss.what) is not exact" }
    return "\(error)".prefix { $0 != ";" }.description
  }
}
