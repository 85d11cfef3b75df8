/// What a viewer needs beside the numbers of a trace: the program's text, the graph, the points to be fitted, or
/// the text to be gone on with.
///
/// Everything here is optional; a trace without it is shown as columns over loops.
public enum TraceScene {
  /// The program that a machine runs, as a person wrote it.
  public struct Listing: Codable, Equatable, Sendable {
    public var text: String
    /// For each of the trace's columns the line of the text it comes from, counted from 1; 0 for none.
    public var lines: [Int]

    public init(text: String, lines: [Int]) {
      self.text = text
      self.lines = lines
    }
  }

  /// The graph whose nodes are the trace's columns.
  public struct Network: Codable, Equatable, Sendable {
    public struct Edge: Codable, Equatable, Sendable {
      /// Columns of the trace.
      public var source: Int
      public var target: Int
      public var weight: Double

      public init(source: Int, target: Int, weight: Double) {
        self.source = source
        self.target = target
        self.weight = weight
      }
    }

    /// What a node's value is.
    public enum Value: String, Codable, Sendable {
      case distance
      /// Its place in an order, counted from 0.
      case order
      /// The node that stands for its component.
      case component
      case rank
    }

    public var isDirected: Bool
    public var edges: [Edge]
    public var value: Value
    /// Where the algorithm starts.
    public var source: Int?
    /// Places of the nodes in the unit square, x and y in turn; a viewer finds its own if there are none.
    public var places: [Double]?

    public init(isDirected: Bool, edges: [Edge], value: Value, source: Int?, places: [Double]? = nil) {
      self.isDirected = isDirected
      self.edges = edges
      self.value = value
      self.source = source
      self.places = places
    }

    /// Whether every edge and the source are among so many columns, and every node has a place or none has.
    func fits(columns: Int) -> Bool {
      edges.allSatisfy { (0..<columns).contains($0.source) && (0..<columns).contains($0.target) }
        && source.map { (0..<columns).contains($0) } ?? true
        && places.map { $0.count == 2 * columns } ?? true
    }
  }

  /// Points of a function y = w · x that varies in its first feature alone; the trace's columns are predictions along it.
  public struct Regression: Codable, Equatable, Sendable {
    /// The context: x and y in turn.
    public var points: [Double]
    /// Where the learner is asked, one place for each of the trace's columns.
    public var queries: [Double]
    /// What least squares says there.
    public var leastSquares: [Double]
    /// Features of the learner's inputs; all but the first are 0.
    public var dimension: Int
    /// Loops the learner was trained with; later ones are extrapolation.
    public var trainedLoops: Int

    public init(
      points: [Double], queries: [Double], leastSquares: [Double], dimension: Int, trainedLoops: Int
    ) {
      self.points = points
      self.queries = queries
      self.leastSquares = leastSquares
      self.dimension = dimension
      self.trainedLoops = trainedLoops
    }

    func fits(columns: Int) -> Bool {
      points.count % 2 == 0 && queries.count == columns && leastSquares.count == columns
    }
  }

  /// The text a language model reads, token by token. The trace's columns are the positions, their values the entropy of
  /// what the model would go on with there, in bits; before the first loop that of knowing nothing.
  public struct Text: Codable, Equatable, Sendable {
    /// What each token says, one for each of the trace's columns; bytes that are no text alone as `\xE2`.
    public var tokens: [String]
    /// Loops the model was trained with; later ones are extrapolation.
    public var trainedLoops: Int

    public init(tokens: [String], trainedLoops: Int) {
      self.tokens = tokens
      self.trainedLoops = trainedLoops
    }

    func fits(columns: Int) -> Bool { tokens.count == columns }
  }
}
