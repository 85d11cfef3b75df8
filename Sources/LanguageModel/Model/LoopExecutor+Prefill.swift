import Looping
import Tensors
import Tokenization

/// The block as the body of a loop: positions of sequences, all at the same loop.
///
/// Prompts, evaluation and inspection go through `Loop` and its observers with it. Decoding does not: there one pass
/// holds rows that are at different loops, which a loop over one state cannot express.
public struct LoopBlock: LoopBody {
  /// Rows and their states.
  public struct State {
    /// Their `loop` is set by the body.
    public var rows: [LoopRow]
    /// [rows, hidden]: the embedding before the first loop, normed states after.
    public var values: Tensor

    public init(rows: [LoopRow], values: Tensor) {
      self.rows = rows
      self.values = values
    }
  }

  public let executor: LoopExecutor

  public init(_ executor: LoopExecutor) { self.executor = executor }

  public mutating func apply(to state: inout State, loop: Int) -> Bool {
    for i in state.rows.indices { state.rows[i].loop = loop }
    executor.run(state.rows, states: state.values.pointer)
    return true
  }
}

extension LoopExecutor {
  /// Appends tokens to the sequence: chunk by chunk, and each chunk through all loops. Then settles the cache.
  ///
  /// The results are those of decoding token by token, within rounding. Where loops share slots and the tokens are one
  /// chunk, each loop's keys and values are folded into the shared ones as soon as the loop ended, so that one loop's
  /// memory suffices; otherwise all loops keep theirs until the last chunk is read.
  /// Memory: a chunk's activations.
  /// - Parameters:
  ///   - loops: how often the block is applied; at most the cache's loops. Deeper loops of the cache get copies.
  ///   - observe: called after every loop of every chunk with the loop, from 0, the chunk's positions in the sequence
  ///     and its normed states, [positions, hidden]. What it throws ends the reading; the chunk is forgotten then.
  /// - Throws: `ContextLimitError` before anything is computed, and what `observe` throws.
  public func prefill(
    _ tokens: some RandomAccessCollection<TokenID>, into cache: KVCache, loops: Int, chunk: Int = 512,
    observe: (_ loop: Int, _ positions: Range<Int>, _ states: UnsafeMutablePointer<Float>) throws -> Void = {
      _, _, _ in
    }
  ) throws {
    try cache.reserve(cache.count + tokens.count)
    let foldsEarly = tokens.count <= chunk && cache.settledCount == cache.count
    var rest = tokens[...]
    while !rest.isEmpty {
      let part = rest.prefix(chunk)
      rest = rest.dropFirst(chunk)
      let positions = cache.count..<cache.count + part.count
      var state = LoopBlock.State(
        rows: positions.map { LoopRow(cache: cache, cell: $0, position: $0, loop: 0) },
        values: Tensor(uninitialized: [part.count, model.configuration.hiddenSize]))
      embed(part, into: state.values.pointer)
      var loop = Loop(body: LoopBlock(self), limit: loops, stopsAtFixedPoint: false)
      do {
        _ = try loop.run(&state) { state, loopsDone in
          if foldsEarly { cache.fold(loop: loopsDone - 1, of: loops, end: positions.upperBound) }
          try observe(loopsDone - 1, positions, state.values.pointer)
        }
      } catch {
        cache.truncate(to: cache.count)
        throw error
      }
      cache.commit(positions.upperBound)
      for cell in positions { cache.copyToDeeperLoops(cell: cell, from: loops - 1) }
    }
    cache.settle(loops: loops)
  }
}
