/// One position of one sequence at one loop: what a pass over the block computes.
public struct LoopRow {
  /// The sequence.
  public var cache: KVCache
  /// Where the row's keys and values go.
  public var cell: Int
  /// What turns its queries and keys; the same at every loop.
  public var position: Int
  /// Counted from 0.
  public var loop: Int
  /// The cells behind the committed ones that the row sees besides its own, in the order of their positions; `nil` if
  /// it sees every cell before its own.
  public var path: [Int]?

  public init(cache: KVCache, cell: Int, position: Int, loop: Int, path: [Int]? = nil) {
    self.cache = cache
    self.cell = cell
    self.position = position
    self.loop = loop
    self.path = path
  }
}
