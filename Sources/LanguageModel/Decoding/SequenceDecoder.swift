import Tensors
import Tokenization

/// What becomes of the loops that a token did not run because it left early, when a later token goes deeper and wants to
/// see its keys and values there. Matters where every loop has slots of its own; where loops share slots, nothing is
/// missing, and `KVSharing.overwrite` is the third way.
public enum SkippedLoops: String, Sendable, CaseIterable {
  /// The deeper loops get a copy of what the last loop run left. Saves all the passes; later tokens see an approximation.
  case copy
  /// The loops are run when a later token first needs them, in the pass of that token, as rows beside it. Exact: later
  /// tokens compute what they would if nobody had left early. Saves the passes, as the weights are read once for all
  /// rows; the arithmetic is saved only as long as no later token goes deep.
  case compute
}

/// Runs one sequence token by token, each through as many loops as its exit policy wants.
///
/// Memory: besides the cache a few states, and one for every token that owes loops. Not thread-safe.
public final class SequenceDecoder {
  public let executor: LoopExecutor
  public let cache: KVCache
  public let skippedLoops: SkippedLoops
  /// Passes that early exits have saved so far: the most loops of each token's policy less the loops it ran.
  public private(set) var passesSaved = 0
  /// Loops that all appended tokens ran before they were read out, without prompts.
  public private(set) var loopsRun = 0
  /// The state to read out, [hidden], of the last token.
  private let output: Tensor
  private let state: Tensor
  private let previous: Tensor
  private let batch: Tensor
  private var debts: [Debt] = []

  /// A token that left early: which loops it still has to run.
  private struct Debt {
    var cell: Int
    var loopsDone: Int
    var state: Tensor
  }

  public init(_ executor: LoopExecutor, cache: KVCache, skippedLoops: SkippedLoops = .copy) {
    self.executor = executor
    self.cache = cache
    self.skippedLoops = skippedLoops
    let hidden = executor.model.configuration.hiddenSize
    output = Tensor(uninitialized: [hidden])
    state = Tensor(uninitialized: [hidden])
    previous = Tensor(uninitialized: [hidden])
    batch = Tensor(uninitialized: [LoopExecutor.decodeRows, hidden])
  }

  /// Tokens that still owe loops.
  public var debtCount: Int { debts.count }

  /// Reads a prompt: all its tokens run all loops of the policy, and the last one's exit is decided.
  /// - Parameter isCancelled: asked between passes.
  /// - Throws: `ContextLimitError`, and `CancellationError` if `isCancelled`.
  /// - Precondition: at least one token.
  @discardableResult
  public func read(
    _ prompt: some RandomAccessCollection<TokenID>, policy: ExitPolicy = .fixed(), chunk: Int = 512,
    isCancelled: () -> Bool = { false }
  ) throws -> ExitTracker {
    precondition(!prompt.isEmpty, "a prompt has at least one token")
    let configuration = executor.model.configuration
    let hidden = configuration.hiddenSize
    var tracker = ExitTracker(policy, configuration: configuration)
    let limit = tracker.limit
    for loop in 0..<limit { pay(loop: loop, leaving: 0) }
    dropPaid()
    let owes = skippedLoops == .compute && cache.sharing == .full && limit < cache.loops
    let last = cache.count + prompt.count - 1
    var left = false
    try executor.prefill(prompt, into: cache, loops: limit, chunk: chunk) { loop, positions, states in
      if isCancelled() { throw CancellationError() }
      if owes && loop == limit - 1 {
        for (row, cell) in positions.enumerated() {
          let state = Tensor(uninitialized: [hidden])
          state.pointer.update(from: states + row * hidden, count: hidden)
          debts.append(Debt(cell: cell, loopsDone: limit, state: state))
        }
      }
      guard positions.contains(last), !left else { return }
      state.pointer.update(from: states + (last - positions.lowerBound) * hidden, count: hidden)
      left = finishLoop(&tracker)
    }
    return tracker
  }

  /// Runs a token of the answer through its loops.
  /// - Returns: how it left.
  /// - Throws: `ContextLimitError`.
  @discardableResult
  public func append(_ token: TokenID, policy: ExitPolicy = .fixed()) throws -> ExitTracker {
    let cell = cache.count
    try cache.reserve(cell + 1)
    var tracker = ExitTracker(policy, configuration: executor.model.configuration)
    executor.embed(CollectionOfOne(token), into: state.pointer)
    var left = false
    while !left {
      runLoop(tracker.loops, cell: cell)
      left = finishLoop(&tracker)
    }
    cache.commit(cell + 1)
    loopsRun += tracker.loops
    passesSaved += tracker.limit - tracker.loops
    if cache.sharing == .full, tracker.loops < cache.loops {
      switch skippedLoops {
      case .copy: cache.copyToDeeperLoops(cell: cell, from: tracker.loops - 1)
      case .compute: debts.append(Debt(cell: cell, loopsDone: tracker.loops, state: state.copy()))
      }
    }
    dropPaid()
    cache.settle(loops: tracker.loops)
    return tracker
  }

  /// The logits of the last token, [vocabulary].
  public func readOut(into logits: UnsafeMutablePointer<Float>) {
    executor.logits(output.pointer, rows: 1, into: logits)
  }

  /// Forgets the tokens from `count` on.
  public func truncate(to count: Int) {
    cache.truncate(to: count)
    debts.removeAll { $0.cell >= count }
  }

  /// After a loop, with the token's state in `state`: asks whether it leaves, and keeps what will be read out.
  private func finishLoop(_ tracker: inout ExitTracker) -> Bool {
    let hidden = state.count
    let gate = executor.model.gate.map { _ in executor.exitLogit(state.pointer) }
    let leaves = tracker.finishLoop(gate: gate) {
      distance(state.pointer, previous.pointer, count: hidden)
    }
    switch tracker.policy.rule {
    case .weighted:
      // The readout is linear: the readout of the mixed states is the mixture of the readouts.
      if tracker.loops == 1 { output.fill(0) }
      for i in 0..<hidden { output.pointer[i] += tracker.weight * state.pointer[i] }
    case .stateChange: if !leaves { previous.assign(from: state) }
    default: break
    }
    if leaves, tracker.policy.rule != .weighted { output.assign(from: state) }
    return leaves
  }

  /// One loop of the token in `state`, and before or beside it of all tokens that owe this loop.
  private func runLoop(_ loop: Int, cell: Int) {
    let own = LoopRow(cache: cache, cell: cell, position: cell, loop: loop)
    guard debts.contains(where: { $0.loopsDone == loop }) else {
      return executor.run([own], states: state.pointer)
    }
    let (rest, hidden) = (pay(loop: loop, leaving: LoopExecutor.decodeRows - 1), state.count)
    for (row, index) in rest.enumerated() {
      (batch.pointer + row * hidden).update(from: debts[index].state.pointer, count: hidden)
    }
    (batch.pointer + rest.count * hidden).update(from: state.pointer, count: hidden)
    executor.run(rest.map { row(debts[$0], loop: loop) } + [own], states: batch.pointer)
    keep(rest, loop: loop)
    state.pointer.update(from: batch.pointer + rest.count * hidden, count: hidden)
  }

  /// Runs a loop for the tokens that owe it, the first ones first, so that each sees what it should.
  /// - Returns: at most `count` of them, the last ones, that were not run.
  @discardableResult
  private func pay(loop: Int, leaving count: Int) -> ArraySlice<Int> {
    let hidden = state.count
    var owing = debts.indices.filter { debts[$0].loopsDone == loop }[...]
    while owing.count > count {
      let group = owing.prefix(LoopExecutor.decodeRows)
      owing = owing.dropFirst(group.count)
      for (row, index) in group.enumerated() {
        (batch.pointer + row * hidden).update(from: debts[index].state.pointer, count: hidden)
      }
      executor.run(group.map { row(debts[$0], loop: loop) }, states: batch.pointer)
      keep(group, loop: loop)
    }
    return owing
  }

  private func row(_ debt: Debt, loop: Int) -> LoopRow {
    LoopRow(cache: cache, cell: debt.cell, position: debt.cell, loop: loop)
  }

  /// Takes the states of a group from the batch.
  private func keep(_ group: ArraySlice<Int>, loop: Int) {
    let hidden = state.count
    for (row, index) in group.enumerated() {
      debts[index].state.pointer.update(from: batch.pointer + row * hidden, count: hidden)
      debts[index].loopsDone = loop + 1
    }
  }

  /// Who has made all loops of the cache owes nothing more.
  private func dropPaid() { debts.removeAll { $0.loopsDone >= cache.loops } }
}
