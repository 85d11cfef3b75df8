/// The keys and values of one sequence, one slot for every loop and layer: a token at loop t attends to what the
/// tokens before it left at loop t in the same layer, never across loops. `KVSharing` says when loops share slots.
///
/// A *cell* holds the keys and values of one token. The first `count` cells are committed: they are the sequence so
/// far, in order. Cells behind them may be written by rows that are in flight (drafts, branches); `adopt` makes some
/// of them part of the sequence. Keys are kept after their rotation, so that a cell may move without being computed
/// again.
///
/// With sharing, cells below `settledCount` have one slot for each layer, and those behind it one for every loop too:
/// they are the chunk of a prompt, or the token, that is being computed. `settle` moves the border.
///
/// Memory: blocks of `KVLayout.cellsPerBlock` cells, taken when a loop first writes them; a loop that never runs takes
/// none. Not thread-safe: one thread owns a cache.
public final class KVCache {
  public let layout: KVLayout
  public let sharing: KVSharing
  /// The most loops that can be run over this cache.
  public let loops: Int
  public let layers: Int
  /// The most cells there may be.
  public let contextLimit: Int
  /// Committed cells: the length of the sequence.
  public internal(set) var count = 0
  /// Cells whose loops share a slot; 0 without sharing.
  public internal(set) var settledCount = 0
  /// Loops whose keys and values of the unsettled cells were folded into the shared slots already.
  var foldedLoops = 0
  /// [loop][layer], of the cells behind the settled ones; one loop in `overwrite`.
  var slots: [KVSlot]
  /// [layer], of the settled cells; empty without sharing.
  var shared: [KVSlot]
  /// [layer], sums over loops of the unsettled cells, in f32; in `averaged` alone.
  var sums: [KVSlot]

  /// - Parameters:
  ///   - loops: the most loops that will run, `nil` for the configuration's.
  ///   - contextLimit: the longest sequence in tokens, `nil` for the configuration's.
  public init(
    _ configuration: ModelConfiguration, loops: Int? = nil, format: KVLayout.Format = .float16,
    sharing: KVSharing = .full, contextLimit: Int? = nil
  ) {
    let layout = KVLayout(
      heads: configuration.keyValueHeads, headSize: configuration.headSize, format: format)
    let sumLayout = KVLayout(heads: layout.heads, headSize: layout.headSize, format: .float32)
    let (loops, layers) = (loops ?? configuration.loops, configuration.layers)
    func slots(_ count: Int, _ layout: KVLayout) -> [KVSlot] { (0..<count).map { _ in KVSlot(layout) } }
    self.layout = layout
    self.sharing = sharing
    self.loops = loops
    self.layers = layers
    self.contextLimit = contextLimit ?? configuration.contextLength
    self.slots = slots((sharing == .overwrite ? 1 : loops) * layers, layout)
    shared = slots(sharing == .full || sharing == .overwrite ? 0 : layers, layout)
    sums = slots(sharing == .averaged ? layers : 0, sumLayout)
  }

  /// Bytes of the blocks that are taken now.
  public var byteCount: Int { (slots + shared + sums).reduce(0) { $0 + $1.byteCount } }

  /// Bytes that a token takes once it is settled: what a longer sequence costs.
  public var bytesPerToken: Int {
    layout.bytesPerCell * layers * (sharing == .full ? loops : 1)
  }

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
      for slot in slots where slot.capacity > cell - settledCount {
        slot.copy(cell: count + offset - settledCount, from: slot, cell: cell - settledCount)
      }
    }
    count += cells.count
  }

  /// Forgets the cells from `count` on, and gives back the blocks that held nothing else.
  public func truncate(to count: Int) {
    precondition(count >= 0 && count <= self.count, "truncate to \(count) of \(self.count) cells")
    self.count = count
    foldedLoops = 0
    if count < settledCount {
      settledCount = count
      for slot in shared { slot.release(from: count) }
    }
    for slot in slots + sums { slot.release(from: count - settledCount) }
  }

  /// Where the keys and values are that loops have of their own: cell c lies at c - `settledCount`.
  func slot(loop: Int, layer: Int) -> KVSlot { slots[(sharing == .overwrite ? 0 : loop) * layers + layer] }

  /// Writes the keys and values, [keyValueHeads · headSize] each, of one row.
  func store(loop: Int, layer: Int, cell: Int, keys: UnsafePointer<Float>, values: UnsafePointer<Float>) {
    slot(loop: loop, layer: layer).store(cell: cell - settledCount, keys: keys, values: values)
  }
}

/// A sequence that became longer than its cache allows.
public struct ContextLimitError: Error, Equatable, CustomStringConvertible {
  public let limit: Int
  public let needed: Int

  public init(limit: Int, needed: Int) {
    self.limit = limit
    self.needed = needed
  }

  public var description: String {
    "\(needed) tokens are needed and the context holds \(limit): shorten the prompt, generate fewer tokens, or "
      + "raise the context length if the model was trained for it"
  }
}
