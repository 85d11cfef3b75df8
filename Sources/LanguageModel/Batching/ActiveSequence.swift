import Tensors
import Tokenization

/// A request that is running: its tokens, its cache and its tree of drafts.
final class ActiveSequence {
  let id: RequestID
  let request: InferenceRequest
  let cache: KVCache
  /// The most loops of its tokens.
  let limit: Int
  let drafts: DraftSettings
  private let configuration: ModelConfiguration
  /// Prompt and answer; the last one is the root's while the answer goes on.
  var tokens: [TokenID]
  var sampler: Sampler
  var text: TextAssembler
  /// The part of the prompt that is being read; `nil` behind it.
  var prompt: PromptReading?
  /// The token that is computed next; `nil` before the prompt is read.
  var root: DraftNode?
  /// Tokens of the sequence that left early and still have to run the loops that later tokens want to see.
  var owing: [DraftNode] = []
  let computesSkipped: Bool
  /// The longest sequence, in tokens.
  let contextLimit: Int
  /// Cells there may be, with those of drafts.
  private let cellLimit: Int
  var agreement: AgreementTable
  private var lookups = PromptLookup()
  var statistics = InferenceStatistics()
  /// Bytes that were set aside for its cache.
  let reservedBytes: Int
  /// The engine's pass in which it last had a row.
  var lastPass = 0
  let arrival = ContinuousClock.now
  var promptStart: ContinuousClock.Instant?
  var firstToken: ContinuousClock.Instant?

  /// A chunk on its way through the loops.
  struct PromptReading {
    /// The chunk's positions.
    var positions: Range<Int>
    /// Loops done.
    var loop = 0
    /// [positions, hidden].
    var states: Tensor
    /// Whether loops fold their keys and values into shared slots as they end, because this chunk is all there is.
    var foldsEarly: Bool
  }

  init(
    id: RequestID, request: InferenceRequest, cache: KVCache, configuration: ModelConfiguration,
    agreement: AgreementTable, contextLimit: Int, cellLimit: Int, reservedBytes: Int
  ) {
    self.id = id
    self.request = request
    self.cache = cache
    self.configuration = configuration
    self.agreement = agreement
    self.contextLimit = contextLimit
    self.cellLimit = cellLimit
    self.reservedBytes = reservedBytes
    computesSkipped = request.settings.skippedLoops == .compute && cache.sharing == .full
    limit = request.settings.exit.limit(configuration)
    // Shared keys and values leave nothing to draft with; `adaptive` then means plain decoding.
    drafts = cache.sharing == .full ? request.drafts : .off
    tokens = request.prompt
    sampler = Sampler(request.settings.sampling, vocabularySize: configuration.vocabularySize)
    text = TextAssembler(stops: request.settings.stopStrings)
    statistics.generation.promptTokens = tokens.count
    statistics.generation.cachedTokens = cache.count
    statistics.predicted = [Int](repeating: 0, count: limit)
    (statistics.agreed, statistics.settled) = (statistics.predicted, statistics.predicted)
  }

  func makeNode(_ token: TokenID, parent: DraftNode?, position: Int) -> DraftNode {
    DraftNode(
      token: token, position: position, parent: parent,
      tracker: ExitTracker(request.settings.exit, configuration: configuration))
  }

  /// The number in the answer of the token that a node chooses.
  func answerIndex(after node: DraftNode) -> Int { node.position + 1 - request.prompt.count }

  /// Calls `body` with prompt and answer up to and including the node.
  func withHistory<Result>(of node: DraftNode, _ body: ([TokenID]) -> Result) -> Result {
    let drafted = node.path.dropFirst()
    for draft in drafted { tokens.append(draft.token) }
    defer { tokens.removeLast(drafted.count) }
    return body(tokens)
  }

  // MARK: Tree

  /// Notes what a node is thought to choose, and opens drafts for it.
  func predict(_ node: DraftNode, _ prediction: Sampler.Ranking) {
    node.predictions[node.loops - 1] = prediction
    for token in prediction.tokens where node.child(token) == nil { open(token, behind: node) }
    drop(node) { self.agreement.likelihood(of: $0.token, after: node) < Self.hopeless }
  }

  /// Drafts less likely than this are forgotten.
  private static let hopeless = 0.02

  /// Notes what a node has chosen: every other draft behind it is flushed, and one for the choice is opened.
  func settle(_ node: DraftNode, _ choice: Sampler.Choice) {
    node.choice = choice
    drop(node) { $0.token != choice.token }
    if drafts.mode != .off, node.children.isEmpty { open(choice.token, behind: node) }
  }

  /// Drafts what followed where the last tokens stood before.
  func lookUp() {
    guard drafts.mode != .off, drafts.lookup > 0, var node = root else { return }
    while let child = node.children.max(by: {
      agreement.likelihood(of: $0.token, after: node) < agreement.likelihood(of: $1.token, after: node)
    }) {
      node = child
    }
    guard node.loops == 0, node.lookup == nil else { return }
    let path = node.path.dropFirst().map(\.token)
    for token in lookups.continuation(of: tokens, path: path, count: drafts.lookup) {
      node.lookup = token
      guard let next = open(token, behind: node) else { return }
      node = next
    }
  }

  /// - Returns: the new node, or `nil` if nothing can follow this token.
  @discardableResult
  private func open(_ token: TokenID, behind node: DraftNode) -> DraftNode? {
    let position = node.position + 1
    // A token that nothing follows need not be computed.
    guard position < contextLimit, answerIndex(after: node) < request.settings.maximumTokens - 1,
      !request.settings.endTokens.contains(token)
    else { return nil }
    let child = makeNode(token, parent: node, position: position)
    node.children.append(child)
    return child
  }

  private func drop(_ node: DraftNode, where condition: (DraftNode) -> Bool) {
    node.children.removeAll { child in
      guard condition(child) else { return false }
      child.visit(forget)
      return true
    }
  }

  private func forget(_ node: DraftNode) {
    node.isForgotten = true
    guard node.loops > 0 else { return }
    statistics.flushes += 1
    statistics.flushedRows += node.loops
  }

  /// Counts what is left of the tree when the answer ends.
  func forgetTree() {
    root?.visit(forget)
    root = nil
  }

  /// The lowest free cell behind the node's parent.
  ///
  /// Cells grow along every path, so that a node may move to the place where its parent's siblings were.
  /// - Returns: `nil` if the context has none left.
  func takeCell(for node: DraftNode) -> Int? {
    if let cell = node.cell { return cell }
    var taken: Set<Int> = []
    root?.visit { if let cell = $0.cell { taken.insert(cell) } }
    var cell = (node.parent?.cell).map { $0 + 1 } ?? cache.count
    while taken.contains(cell) { cell += 1 }
    guard cell < cellLimit else { return nil }
    node.cell = cell
    return cell
  }

  /// The row that brings a node through its next loop.
  /// - Precondition: it has a cell.
  func row(_ node: DraftNode) -> LoopRow {
    guard let cell = node.cell else { preconditionFailure("a row without a cell") }
    return LoopRow(
      cache: cache, cell: cell, position: node.position, loop: node.loops,
      // A token of the sequence sees all cells before its own.
      path: cell < cache.count ? nil : node.path.dropLast().compactMap(\.cell))
  }
}
