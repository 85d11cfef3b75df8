import Tensors

/// Classification of rows of tables in context: x₁ label₁ … xₙ labelₙ, rows of one table per prompt.
///
/// One table is left out: training sees rows of the others alone, and of those not a twentieth, which is kept for
/// measuring. Features are standardised by the rows of training, and padded by zeros on the left up to the largest table's
/// number. The prediction is two logits at every x. Source: Yang et al., arXiv 2311.12424, appendix on OpenML, and their
/// code.
public struct TabularTask: PromptTask {
  /// A table as prompts use it.
  public struct Source: Sendable {
    public var name: String
    /// [row][dimension], standardised and padded.
    let x: [Float]
    let labels: [UInt8]
    /// Rows for training, and rows for measuring.
    public var training: [Int]
    public var testing: [Int]
  }

  public let dimension: Int
  public let sources: [Source]
  /// The table that is left out of training.
  public let heldOut: Int
  static let testShare = 0.05

  /// What is wrong with tables for prompts of `points` rows, if anything.
  public static func problem(with tables: [NumericTable], dimension: Int, points: Int, heldOut: Int)
    -> String?
  {
    if tables.count < 2 { return "leaving one table out takes at least two tables" }
    if heldOut >= tables.count { return "table \(heldOut) is left out of \(tables.count), counted from 0" }
    if tables.reduce(0, { $0 + $1.rows }) > (1 << 28) / dimension {
      return "the tables' rows, padded to task.dimension, take more than a GiB"
    }
    for table in tables {
      if table.features.count > dimension {
        return "\(table.name) has \(table.features.count) features, and task.dimension is \(dimension)"
      }
      let training = table.rows - Int(testShare * Double(table.rows))
      if training < points {
        return "\(table.name) has \(training) rows for training, and a prompt takes \(points)"
      }
    }
    return nil
  }

  /// - Parameter random: splits the rows.
  /// - Precondition: `problem` finds none.
  public init(_ tables: [NumericTable], dimension: Int, heldOut: Int, random: inout RandomStream) {
    self.dimension = dimension
    self.heldOut = heldOut
    var sources: [Source] = []
    for table in tables {
      let order = Array(0..<table.rows).shuffled(using: &random)
      let split = Int(Self.testShare * Double(table.rows))
      let (testing, training) = (Array(order[..<split]), Array(order[split...]))
      sources.append(
        Source(
          name: table.name, x: Self.standardised(table, training, dimension), labels: table.labels,
          training: training,
          testing: testing))
    }
    self.sources = sources
  }

  /// Mean 0 and deviation 1 over the rows of training; a constant feature becomes 0.
  private static func standardised(_ table: NumericTable, _ rows: [Int], _ dimension: Int) -> [Float] {
    let f = table.features.count
    var result = [Float](repeating: 0, count: table.rows * dimension)
    for feature in 0..<f {
      let values = rows.map { Double(table.values[$0 * f + feature]) }
      let mean = values.reduce(0, +) / Double(values.count)
      let deviation = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count))
        .squareRoot()
      guard deviation > 1e-12 * max(1, abs(mean)) else { continue }
      for row in 0..<table.rows {
        result[row * dimension + dimension - f + feature] = Float(
          (Double(table.values[row * f + feature]) - mean) / deviation)
      }
    }
    return result
  }

  public var inputs: Int { dimension }
  public var outputs: [Int] { [2] }
  /// Errors are shares of wrong answers.
  public var normaliser: Double { 1 }
  public func tokens(points: Int) -> Int { 2 * points }

  public func batch(size: Int, points: Int, active: Int?, random: inout RandomStream) -> PromptBatch {
    var prompts: [RegressionPrompt] = []
    for _ in 0..<size {
      var number = Int(random.next() % UInt64(sources.count - 1))
      if number >= heldOut { number += 1 }
      let source = sources[number]
      prompts.append(Self.prompt(source, Self.draw(points, of: source.training, random: &random), dimension))
    }
    return Self.batch(prompts[...])
  }

  /// Held-out rows: a row of the table that was left out as the last question, and others of that table before it.
  public func heldOutBatch(size: Int, points: Int, random: inout RandomStream) -> PromptBatch {
    Self.batch(testPrompts(heldOut, count: size, points: points, random: &random)[...])
  }

  /// Prompts of rows that no training has seen, every row being the last question in turn; of a table left out, all
  /// rows serve where its twentieth is too short for a prompt. Empty where that is so of any other.
  package func testPrompts(
    _ number: Int, count: Int, points: Int, random: inout RandomStream
  ) -> [RegressionPrompt] {
    let source = sources[number]
    let rows =
      source.testing.count >= points
      ? source.testing : number == heldOut ? source.testing + source.training : []
    guard rows.count >= points else { return [] }
    return (0..<count).map { i in
      let query = i % rows.count
      let others = Self.draw(points - 1, of: Array(rows[..<query] + rows[(query + 1)...]), random: &random)
      return Self.prompt(source, others + [rows[query]], dimension)
    }
  }

  /// Distinct elements in random order.
  private static func draw(_ count: Int, of rows: [Int], random: inout RandomStream) -> [Int] {
    var (chosen, places) = ([Int](), [Int: Int]())
    // Fisher and Yates, of whose permutation only the places touched are kept.
    for i in 0..<count {
      let j = i + Int(random.next() % UInt64(rows.count - i))
      chosen.append(rows[places[j] ?? j])
      places[j] = places[i] ?? i
    }
    return chosen
  }

  private static func prompt(_ source: Source, _ rows: [Int], _ dimension: Int) -> RegressionPrompt {
    RegressionPrompt(
      dimension: dimension, x: rows.flatMap { source.x[$0 * dimension..<($0 + 1) * dimension] },
      y: rows.map { Float(source.labels[$0]) })
  }

  /// As of numbers, but the answers are classes.
  package static func batch(_ prompts: ArraySlice<RegressionPrompt>) -> PromptBatch {
    var batch = RegressionPrompt.batch(prompts)
    batch.readings[0].classes = batch.readings[0].targets.values.map { Int32($0) }
    return batch
  }
}
