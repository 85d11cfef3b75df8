import Tensors

/// The keys and values of one sequence, one slot for every loop and layer: a token at loop t attends to what the
/// tokens before it left at loop t in the same layer, never across loops.
///
/// A *cell* holds the keys and values of one token. The first `count` cells are committed: they are the sequence so
/// far, in order. Cells behind them may be written by rows that are in flight (drafts, branches); `adopt` makes some
/// of them part of the sequence. Keys are kept after their rotation, so that a cell may move without being computed
/// again.
///
/// Memory: blocks of `KVLayout.cellsPerBlock` cells, taken when a loop first writes them and never moved; a loop that
/// never runs takes none. Not thread-safe: one thread owns a cache.
public final class KVCache {
  public let layout: KVLayout
  /// The most loops that can be run over this cache.
  public let loops: Int
  public let layers: Int
  /// The most cells there may be.
  public let contextLimit: Int
  /// Committed cells: the length of the sequence.
  public private(set) var count = 0
  private var slots: [KVSlot]

  /// - Parameters:
  ///   - loops: the most loops that will run, `nil` for the configuration's.
  ///   - contextLimit: the longest sequence in tokens, `nil` for the configuration's.
  public init(_ configuration: ModelConfiguration, loops: Int? = nil, contextLimit: Int? = nil) {
    layout = KVLayout(heads: configuration.keyValueHeads, headSize: configuration.headSize)
    self.loops = loops ?? configuration.loops
    layers = configuration.layers
    self.contextLimit = contextLimit ?? configuration.contextLength
    slots = (0..<self.loops * layers).map { [layout] _ in KVSlot(layout) }
  }

  /// Bytes of the blocks that are taken now.
  public var byteCount: Int { slots.reduce(0) { $0 + $1.byteCount } }

  /// Checks that cells below `cells` may be used.
  /// - Throws: `ContextLimitError`.
  public func reserve(_ cells: Int) throws {
    guard cells <= contextLimit else { throw ContextLimitError(limit: contextLimit, needed: cells) }
  }

  /// Makes the cells below `count` the sequence.
  /// - Precondition: rows of every loop that later tokens will run have written them.
  public func commit(_ count: Int) {
    precondition(count >= self.count && count <= contextLimit, "commit to \(count) cells")
    self.count = count
  }

  /// Makes the cells named, which lie behind the sequence, its next cells, in this order; all others behind the
  /// sequence are forgotten.
  ///
  /// Complexity: O(1) for cells that are already in place, else a copy per slot and cell that moves.
  /// - Precondition: ascending.
  public func adopt(_ cells: [Int]) {
    for (offset, cell) in cells.enumerated() where cell != count + offset {
      precondition(cell > count + offset, "adopted cells are ascending and lie behind the sequence")
      for slot in slots { slot.copyCell(cell, to: count + offset) }
    }
    count += cells.count
  }

  /// Forgets the cells from `count` on, and gives back the blocks that held nothing else.
  public func truncate(to count: Int) {
    precondition(count >= 0 && count <= self.count, "truncate to \(count) of \(self.count) cells")
    self.count = count
    for slot in slots { slot.release(from: count) }
  }

  /// Where a loop's keys and values of a layer are.
  func slot(loop: Int, layer: Int) -> KVSlot { slots[loop * layers + layer] }

  /// Writes the keys and values, [keyValueHeads · headSize] each, of one row.
  func store(loop: Int, layer: Int, cell: Int, keys: UnsafePointer<Float>, values: UnsafePointer<Float>) {
    slot(loop: loop, layer: layer).store(cell: cell, keys: keys, values: values)
  }
}

/// A sequence that became longer than its cache allows.
public struct ContextLimitError: Error, Equatable, CustomStringConvertible {
  public let limit: Int
  public let needed: Int

  public var description: String {
    "\(needed) tokens are needed and the context holds \(limit): shorten the prompt, generate fewer tokens, or "
      + "raise the context length if the model was trained for it"
  }
}
