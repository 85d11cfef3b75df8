/// How to read the state of a constructed network, and how to talk to it while it runs: what an export has to say
/// besides the weights, so that nobody needs our code to use it.
public struct StateDecoding: Codable, Equatable, Sendable {
  /// Consecutive rows or columns.
  public struct Span: Codable, Equatable, Sendable {
    public var start: Int
    public var count: Int

    public init(_ start: Int, _ count: Int) {
      self.start = start
      self.count = count
    }

    public init(_ range: Range<Int>) { self.init(range.lowerBound, range.count) }

    public var range: Range<Int> { start..<(start + count) }
  }

  /// What a group of columns is for.
  public struct Role: Codable, Equatable, Sendable {
    public var name: String
    public var columns: Span
    /// What each of them is called, if they have names.
    public var names: [String]?

    public init(_ name: String, _ columns: Span, names: [String]? = nil) {
      self.name = name
      self.columns = columns
      self.names = names
    }
  }

  /// Numbers in the state: in each of `columns`, bit i (least significant first) is 1 where row i of `rows` is
  /// positive, 0 where it is negative.
  public struct Code: Codable, Equatable, Sendable {
    public var name: String
    public var columns: Span
    public var rows: Span
    /// Two's complement: the last bit has negative weight.
    public var isSigned: Bool

    public init(_ name: String, columns: Span, rows: Span, isSigned: Bool) {
      self.name = name
      self.columns = columns
      self.rows = rows
      self.isSigned = isSigned
    }
  }

  /// Numbers that stand in the state as they are: `rows` of each of `columns`.
  public struct Values: Codable, Equatable, Sendable {
    public var name: String
    public var columns: Span
    public var rows: Span
    /// What the numbers mean, if the name does not say it.
    public var note: String?
    /// What the numbers are multiples of; 1 if not given.
    public var unit: Double?

    public init(_ name: String, columns: Span, rows: Span, note: String? = nil, unit: Double? = nil) {
      self.name = name
      self.columns = columns
      self.rows = rows
      self.note = note
      self.unit = unit
    }
  }

  /// Real numbers that approach their limit: a pass ends the loop if it has changed `row` of `columns` by less than
  /// `change`, all magnitudes added up.
  public struct Settling: Codable, Equatable, Sendable {
    public var columns: Span
    public var row: Int
    public var change: Double

    public init(columns: Span, row: Int, change: Double) {
      self.columns = columns
      self.row = row
      self.change = change
    }
  }

  /// A condition: the entry at (row, column) is positive.
  public struct Flag: Codable, Equatable, Sendable {
    public var row: Int
    public var column: Int

    public init(row: Int, column: Int) {
      self.row = row
      self.column = column
    }
  }

  /// A column through which characters come and go.
  ///
  /// After `layer` the flags are looked at. Where `reads` is up, the next character of the input (or `endOfInput`)
  /// is put into `rows` of `column` as a code, negated if `negatesInput` and `writes` is not up. Where `writes` was
  /// up, the low eight bits of the code that is there after the last layer are the next character of the output.
  /// No earlier layer may depend on those rows.
  public struct Device: Codable, Equatable, Sendable {
    public var column: Int
    public var rows: Span
    public var layer: Int
    public var reads: Flag
    public var writes: Flag
    public var endOfInput: Int
    public var negatesInput: Bool

    public init(
      column: Int, rows: Span, layer: Int, reads: Flag, writes: Flag, endOfInput: Int, negatesInput: Bool
    ) {
      self.column = column
      self.rows = rows
      self.layer = layer
      self.reads = reads
      self.writes = writes
      self.endOfInput = endOfInput
      self.negatesInput = negatesInput
    }
  }

  public var roles: [Role]
  public var codes: [Code]
  public var values: [Values]
  /// Ends the loop before a pass where it is up. Without one, and besides it, a loop ends at a fixed point: after a
  /// pass that changed nothing and moved no character.
  public var halting: Flag?
  public var device: Device?
  public var settling: Settling?
  /// The most passes a run needs; no limit if not given.
  public var loopLimit: Int?

  public init(
    roles: [Role], codes: [Code] = [], values: [Values] = [], halting: Flag? = nil, device: Device? = nil,
    settling: Settling? = nil, loopLimit: Int? = nil
  ) {
    self.roles = roles
    self.codes = codes
    self.values = values
    self.halting = halting
    self.device = device
    self.settling = settling
    self.loopLimit = loopLimit
  }
}
