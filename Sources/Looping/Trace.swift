import Foundation

/// The trace format of every loop: JSON Lines, one header, one record per loop, one end.
///
/// A machine reads it with any JSON parser; `--trace-to x.html` of `looped run`, `graph`, `icl evaluate` and `inspect` shows
/// it.
public struct TraceHeader: Codable, Equatable, Sendable {
  /// `looped-trace`, and the version of the format.
  public var format = "looped-trace"
  public var version = 1
  public var family: String
  public var program: String
  public var network: String
  public var layers: Int
  public var width: Int
  public var parameters: Int
  public var digest: String
  /// The columns that hold data, in order, and their contents before the first loop.
  public var columns: [String]
  public var values: [Double]
  /// What the columns belong to, for viewers.
  public var listing: TraceScene.Listing?
  public var graph: TraceScene.Network?
  public var regression: TraceScene.Regression?
  public var text: TraceScene.Text?

  public init(
    family: String, program: String, network: String, layers: Int, width: Int, parameters: Int,
    digest: String,
    columns: [String], values: [Double]
  ) {
    self.family = family
    self.program = program
    self.network = network
    self.layers = layers
    self.width = width
    self.parameters = parameters
    self.digest = digest
    self.columns = columns
    self.values = values
  }
}

/// What one loop did.
public struct TraceStep: Codable, Equatable, Sendable {
  public struct Change: Codable, Equatable, Sendable {
    /// Index into the header's columns.
    public var column: Int
    public var before: Double
    public var after: Double
    /// Graphs: the column of the node before this one on its path.
    public var predecessor: Int?

    public init(column: Int, before: Double, after: Double, predecessor: Int? = nil) {
      self.column = column
      self.before = before
      self.after = after
      self.predecessor = predecessor
    }
  }

  /// Where one column looked: attended columns and weights, largest first.
  public struct Attention: Codable, Equatable, Sendable {
    public var head: String
    public var query: String
    public var columns: [String]
    public var weights: [Double]
    public init(head: String, query: String, columns: [String], weights: [Double]) {
      self.head = head
      self.query = query
      self.columns = columns
      self.weights = weights
    }
  }

  /// What a language model would go on with at one column.
  public struct Prediction: Codable, Equatable, Sendable {
    /// The most probable next tokens, largest first: as texts, and with their probabilities.
    public var tokens: [String]
    public var probabilities: [Double]
    /// The probability of leaving after this loop; `nil` without a gate.
    public var exit: Double?

    public init(tokens: [String], probabilities: [Double], exit: Double?) {
      self.tokens = tokens
      self.probabilities = probabilities
      self.exit = exit
    }

    /// Whether every token has a probability, and every probability is one.
    var isSound: Bool {
      !tokens.isEmpty && tokens.count == probabilities.count
        && (probabilities + (exit.map { [$0] } ?? [])).allSatisfy { (0...1).contains($0) }
    }
  }

  /// Counted from 1.
  public var loop: Int
  /// Program counter before the loop, for machines.
  public var position: Int?
  /// What happened, in words.
  public var summary: String
  /// Whether the flag was set, so that the program jumped.
  public var jumped: Bool
  public var changes: [Change]
  public var output: String?
  public var attention: [Attention]?
  /// Graphs: columns whose nodes are done with this loop.
  public var visited: [Int]?
  /// Language models: what each column says, in the columns' order.
  public var predictions: [Prediction]?

  public init(
    loop: Int, position: Int?, summary: String, jumped: Bool, changes: [Change], output: String?,
    attention: [Attention]?, visited: [Int]? = nil, predictions: [Prediction]? = nil
  ) {
    self.loop = loop
    self.position = position
    self.summary = summary
    self.jumped = jumped
    self.changes = changes
    self.output = output
    self.attention = attention
    self.visited = visited
    self.predictions = predictions
  }

  /// Whether everything it names is among so many columns, and every one of them has a prediction or none has.
  func fits(columns: Int) -> Bool {
    changes.allSatisfy { change in
      (0..<columns).contains(change.column) && change.predecessor.map { (0..<columns).contains($0) } ?? true
    } && visited?.allSatisfy { (0..<columns).contains($0) } ?? true
      && predictions.map { $0.count == columns && $0.allSatisfy(\.isSound) } ?? true
  }
}

public struct TraceEnd: Codable, Equatable, Sendable {
  public var loops: Int
  public var halt: String
  public init(loops: Int, halt: String) {
    self.loops = loops
    self.halt = halt
  }
}

/// Writes a trace line by line; holds nothing.
public struct TraceWriter {
  private let encoder: JSONEncoder
  private let write: (Data) throws -> Void

  public init(write: @escaping (Data) throws -> Void) {
    encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    self.write = write
  }

  public func record(_ line: some Encodable) throws {
    try write(encoder.encode(line) + Data([10]))
  }
}

/// A trace read back.
public struct Trace: Equatable, Sendable {
  public var header: TraceHeader
  public var steps: [TraceStep]
  /// `nil` if the run was cut off.
  public var end: TraceEnd?

  public init(header: TraceHeader, steps: [TraceStep] = [], end: TraceEnd? = nil) {
    self.header = header
    self.steps = steps
    self.end = end
  }

  /// - Throws: `TraceError` with the line number.
  public init(jsonLines data: Data) throws {
    let decoder = JSONDecoder()
    var header: TraceHeader?
    var steps: [TraceStep] = []
    var end: TraceEnd?
    for (index, line) in data.split(separator: 10).enumerated() {
      func fail(_ message: String) -> TraceError { TraceError(line: index + 1, message: message) }
      if header == nil {
        guard let first = try? decoder.decode(TraceHeader.self, from: line), first.format == "looped-trace"
        else {
          throw fail("not the header of a looped-trace")
        }
        guard first.version == 1 else {
          throw fail("trace version \(first.version); this looped reads version 1")
        }
        guard first.columns.count == first.values.count else {
          throw fail("as many values as columns are needed")
        }
        let columns = first.columns.count
        guard
          first.listing.map({ $0.lines.count == columns }) ?? true,
          first.graph?.fits(columns: columns) ?? true, first.regression?.fits(columns: columns) ?? true,
          first.text?.fits(columns: columns) ?? true
        else { throw fail("the header's program, graph, points or text do not fit its columns") }
        header = first
      } else if end != nil {
        throw fail("text behind the end record")
      } else if let step = try? decoder.decode(TraceStep.self, from: line) {
        guard step.fits(columns: header!.columns.count) else {
          throw fail("a step does not fit the header's columns")
        }
        steps.append(step)
      } else if let last = try? decoder.decode(TraceEnd.self, from: line) {
        end = last
      } else {
        throw fail("neither a step nor an end record; was the file cut off?")
      }
    }
    guard let header else { throw TraceError(line: 1, message: "the trace is empty") }
    self.header = header
    self.steps = steps
    self.end = end
  }
}

public struct TraceError: Error, Equatable, CustomStringConvertible {
  public var line: Int
  public var message: String
  public init(line: Int, message: String) {
    self.line = line
    self.message = message
  }
  public var description: String { "line \(line): \(message)" }
}
