/// The syntax tree of the FLEQ language, as the parser makes it: nothing is known of shapes yet.
enum FleqSyntax {
  struct Expression: Sendable {
    indirect enum Kind: Sendable {
      case number(Double)
      case matrix(FleqMatrix)
      case name(String)
      case call(String, [Expression])
      case negation(Expression)
      case not(Expression)
      /// `A'`
      case transpose(Expression)
      /// `15%`
      case percent(Expression)
      case binary(String, Expression, Expression)
    }

    var kind: Kind
    /// The byte errors point at: the operator of a binary expression, else the first.
    var offset: Int
    /// Levels of nesting, kept so that nobody recurses too deeply.
    var depth: Int
  }

  struct Statement: Sendable {
    indirect enum Kind: Sendable {
      case declaration(name: String, isMutable: Bool, Expression)
      case data(name: String, [FleqMatrix])
      case assignment(name: String, Expression)
      case branch(Expression, then: [Statement], otherwise: [Statement])
      case loop(while: Expression, [Statement])
      case repetition(Expression, [Statement])
      case each([(variable: String, list: String, offset: Int)], [Statement])
      case function(Function)
    }

    var kind: Kind
    var offset: Int
  }

  struct Function: Sendable {
    var name: String
    var parameters: [(name: String, mustBeScalar: Bool)]
    var body: [Statement]
    var result: Expression
    /// Where the text is: the standard functions are another source than the program.
    var source: FleqSource
    var isStandard: Bool { source.isStandard }
  }
}

/// A matrix of numbers, column by column, as memory cells hold it.
public struct FleqMatrix: Hashable, Sendable {
  public struct Shape: Hashable, Sendable, CustomStringConvertible {
    public var rows: Int
    public var columns: Int
    public static let scalar = Shape(rows: 1, columns: 1)
    public var transposed: Shape { Shape(rows: columns, columns: rows) }
    public var description: String { self == .scalar ? "a number" : "\(rows) × \(columns)" }
  }

  /// `columns[j][i]` is row i of column j. Not empty, and no column is.
  public var columns: [[Double]]

  public init(columns: [[Double]]) { self.columns = columns }

  /// - Parameter rows: all of one length.
  init(rows: [[Double]]) { columns = rows[0].indices.map { j in rows.map { $0[j] } } }
  init(_ scalar: Double) { columns = [[scalar]] }

  public var shape: Shape { Shape(rows: columns[0].count, columns: columns.count) }
  public var rows: [[Double]] { columns[0].indices.map { i in columns.map { $0[i] } } }
  var transposed: FleqMatrix { FleqMatrix(columns: rows) }
}
