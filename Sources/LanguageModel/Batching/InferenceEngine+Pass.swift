import Tensors
import Tokenization

extension InferenceEngine {
  /// A token that has just done a loop.
  struct Reading {
    var sequence: ActiveSequence
    var node: DraftNode
    /// Whether it leaves after this loop.
    var leaves: Bool
  }

  /// A row that might run.
  private struct Candidate {
    var sequence: ActiveSequence
    var node: DraftNode
    var depth: Int
  }

  /// One decoding pass: chooses rows, runs them, reads out those that need it, commits what is certain.
  func decode(_ events: inout [InferenceEvent]) {
    let chosen = chooseRows()
    guard !chosen.isEmpty else { return }
    let hidden = executor.model.configuration.hiddenSize
    for (i, row) in chosen.enumerated() {
      let state = states.pointer + i * hidden
      if row.node.state.isEmpty {
        executor.embed(CollectionOfOne(row.node.token), into: state)
      } else {
        row.node.state.withUnsafeBufferPointer { state.update(from: $0.baseAddress!, count: hidden) }
      }
    }
    let start = ContinuousClock.now
    executor.run(chosen.map { $0.sequence.row($0.node) }, states: states.pointer)
    let seconds = Self.seconds(since: start)
    cost.note(rows: chosen.count, seconds: seconds)
    count(rows: chosen.count, seconds: seconds)
    var readings: [Reading] = []
    for (i, row) in chosen.enumerated() {
      let leaves = advance(row.node, of: row.sequence, state: states.pointer + i * hidden)
      readings.append(Reading(sequence: row.sequence, node: row.node, leaves: leaves))
      row.sequence.statistics.generation.rows += 1
      if row.sequence.lastPass != statistics.passes {
        row.sequence.lastPass = statistics.passes
        row.sequence.statistics.generation.passes += 1
      }
    }
    readOut(readings.filter { needsReadout($0) })
    for sequence in running where sequence.lastPass == statistics.passes { commit(sequence, &events) }
  }

  // MARK: Rows

  /// The rows of the next pass, parents before children.
  private func chooseRows() -> [Candidate] {
    var candidates: [Candidate] = []
    for sequence in running {
      guard sequence.prompt == nil, let root = sequence.root else { continue }
      root.likelihood = 1
      gather(root, of: sequence, depth: 0, into: &candidates)
    }
    // Requests that waited longest come first, among rows that are equally likely to be of use.
    candidates.sort {
      ($1.node.likelihood, $0.depth, $0.sequence.lastPass, $0.sequence.id.number)
        < ($0.node.likelihood, $1.depth, $1.sequence.lastPass, $1.sequence.id.number)
    }
    var (chosen, selected): ([Candidate], Set<ObjectIdentifier>) = ([], [])
    var rowsOf: [ObjectIdentifier: Int] = [:]
    for candidate in candidates where chosen.count < LoopExecutor.decodeRows {
      let (node, sequence) = (candidate.node, candidate.sequence)
      if let parent = node.parent, !parent.isFinished,
        parent.loops + (selected.contains(ObjectIdentifier(parent)) ? 1 : 0) <= node.loops
      {
        continue
      }
      let rows = rowsOf[ObjectIdentifier(sequence), default: 0]
      let most = sequence.drafts.mode == .off ? 1 : sequence.drafts.maximumRows
      guard rows < most, sequence.takeCell(for: node) != nil else { continue }
      rowsOf[ObjectIdentifier(sequence)] = rows + 1
      selected.insert(ObjectIdentifier(node))
      chosen.append(candidate)
    }
    return paying(chosen)
  }

  private func gather(
    _ node: DraftNode, of sequence: ActiveSequence, depth: Int, into candidates: inout [Candidate]
  ) {
    if !node.isFinished { candidates.append(Candidate(sequence: sequence, node: node, depth: depth)) }
    for child in node.children {
      child.likelihood = node.likelihood * sequence.agreement.likelihood(of: child.token, after: node)
      gather(child, of: sequence, depth: depth + 1, into: &candidates)
    }
  }

  /// Leaves out the rows of adaptive requests that cost more than they are worth: those that lower the number of useful
  /// rows per second.
  private func paying(_ rows: [Candidate]) -> [Candidate] {
    let must = rows.filter { $0.depth == 0 || $0.sequence.drafts.mode == .fixed }.count
    let optional = rows.filter { $0.depth > 0 && $0.sequence.drafts.mode == .adaptive }
    guard !optional.isEmpty else { return rows }
    let likelihoods = [Double](repeating: 1, count: must) + optional.map(\.node.likelihood)
    var left = cost.bestCount(likelihoods, least: must) - must
    return rows.filter {
      guard $0.depth > 0 && $0.sequence.drafts.mode == .adaptive else { return true }
      left -= 1
      return left >= 0
    }
  }

  // MARK: Behind a loop

  /// Notes that a token has done a loop.
  /// - Returns: whether it leaves.
  func advance(_ node: DraftNode, of sequence: ActiveSequence, state: UnsafePointer<Float>) -> Bool {
    let hidden = executor.model.configuration.hiddenSize
    let gate = executor.model.gate.map { _ in executor.exitLogit(state) }
    let before = node.state
    let leaves = node.tracker.finishLoop(gate: gate) {
      before.withUnsafeBufferPointer { distance(state, $0.baseAddress!, count: hidden) }
    }
    node.state = [Float](UnsafeBufferPointer(start: state, count: hidden))
    node.predictions.append([])
    if sequence.request.settings.exit.rule == .weighted {
      if node.mixed.isEmpty { node.mixed = [Float](repeating: 0, count: hidden) }
      for i in 0..<hidden { node.mixed[i] += node.tracker.weight * state[i] }
    }
    return leaves
  }

  /// Whether the logits behind this loop are of use.
  func needsReadout(_ reading: Reading) -> Bool {
    let (node, sequence) = (reading.node, reading.sequence)
    if reading.leaves { return true }
    guard sequence.prompt == nil, node.loops >= sequence.drafts.firstLoop else { return false }
    switch sequence.drafts.mode {
    case .off: return false
    case .fixed: return true
    case .adaptive:
      // Now and then all loops are read, or their agreement would not be known.
      if node.position % 16 == 0 { return true }
      let readouts = sequence.agreement.readout
      let known = node.children.map { sequence.agreement.likelihood(of: $0.token, after: node) }.max() ?? 0
      let gain = max(readouts[node.loops - 1][0].value - known, 0.05)
      return node.likelihood * gain * cost.passSeconds(rows: 1) > cost.readoutSeconds
    }
  }

  /// Reads out tokens, parents before children: drafts for those that go on, choices of those that leave.
  func readOut(_ readings: [Reading]) {
    guard !readings.isEmpty else { return }
    let c = executor.model.configuration
    for (i, reading) in readings.enumerated() {
      reading.node.readoutState(leaves: reading.leaves).withUnsafeBufferPointer {
        (readStates.pointer + i * c.hiddenSize).update(from: $0.baseAddress!, count: c.hiddenSize)
      }
    }
    let start = ContinuousClock.now
    executor.logits(readStates.pointer, rows: readings.count, into: logits.pointer)
    cost.noteReadout(seconds: Self.seconds(since: start))
    for (i, reading) in readings.enumerated() {
      reading.sequence.statistics.readouts += 1
      interpret(reading, logits.pointer + i * c.vocabularySize)
    }
  }

  private func interpret(_ reading: Reading, _ logits: UnsafePointer<Float>) {
    let (node, sequence) = (reading.node, reading.sequence)
    let size = executor.model.configuration.vocabularySize
    // A reading before this one in the same pass may have flushed it.
    guard !node.isForgotten else { return }
    let index = sequence.answerIndex(after: node)
    if reading.leaves {
      if sequence.request.keepsLogits {
        node.logits = [Float](UnsafeBufferPointer(start: logits, count: size))
      }
      let choice = sequence.withHistory(of: node) {
        sequence.sampler.choose(logits, index: index, history: $0)
      }
      // Deeper loops of later tokens see the token as it left.
      if let cell = node.cell { sequence.cache.copyToDeeperLoops(cell: cell, from: node.loops - 1) }
      sequence.settle(node, choice)
    } else if sequence.prompt == nil, sequence.drafts.mode != .off, node.loops >= sequence.drafts.firstLoop {
      var ranked = sequence.withHistory(of: node) {
        sequence.sampler.rank(logits, index: index, history: $0, count: sequence.drafts.branches)
      }
      if let draftOracle { ranked = draftOracle(sequence.id, index, node.loops, ranked) }
      node.predictions[node.loops - 1] = ranked
      sequence.predict(node, ranked)
    }
  }

  // MARK: Commit

  /// Makes the root's choice part of the answer, if there is one, and its child the root; and on, while that is done too.
  func commit(_ sequence: ActiveSequence, _ events: inout [InferenceEvent]) {
    while let root = sequence.root, let choice = root.choice {
      if let cell = root.cell {
        sequence.cache.adopt([cell])
        sequence.cache.settle(loops: root.loops)
        sequence.statistics.usefulRows += root.loops
      }
      learn(sequence, root, choice.token)
      sequence.root = nil
      let (token, end) = emit(sequence, root, choice)
      events.append(.token(sequence.id, token, logits: root.logits))
      if let end {
        // The root's rows are counted; what is behind it was for nothing.
        root.children.first.map {
          $0.parent = nil
          sequence.root = $0
        }
        events.append(finish(sequence, end))
        return
      }
      let next =
        root.child(choice.token) ?? sequence.makeNode(choice.token, parent: nil, position: root.position + 1)
      next.parent = nil
      sequence.root = next
    }
    sequence.lookUp()
  }

  private func learn(_ sequence: ActiveSequence, _ node: DraftNode, _ choice: TokenID) {
    for (loop, ranked) in node.predictions.enumerated() {
      guard let first = ranked.first else { continue }
      sequence.statistics.predicted[loop] += 1
      if first == choice { sequence.statistics.agreed[loop] += 1 }
    }
    let early = node.predictions.dropLast()
    if !early.isEmpty, early.allSatisfy({ !$0.isEmpty }) {
      let settledAfter = early.lastIndex { $0[0] != choice }.map { $0 + 1 } ?? 0
      sequence.statistics.settled[settledAfter] += 1
    }
    if let token = node.lookup {
      sequence.statistics.lookedUp += 1
      if token == choice { sequence.statistics.lookupsAgreed += 1 }
    }
    sequence.agreement.learn(node, choice: choice)
  }

  private func emit(
    _ sequence: ActiveSequence, _ node: DraftNode, _ choice: Sampler.Choice
  ) -> (GeneratedToken, FinishReason?) {
    let settings = sequence.request.settings
    sequence.tokens.append(choice.token)
    countToken()
    sequence.statistics.generation.generatedTokens += 1
    sequence.statistics.generation.loops += node.loops
    if sequence.firstToken == nil {
      sequence.firstToken = .now
      sequence.statistics.generation.promptSeconds = sequence.promptStart.map(Self.seconds(since:)) ?? 0
    }
    var token = GeneratedToken(
      id: choice.token, text: "", logProbability: choice.logProbability, alternatives: choice.alternatives,
      loops: node.loops, exitProbabilities: node.tracker.exitProbabilities)
    if settings.endTokens.contains(choice.token) { return (token, .endToken(choice.token)) }
    if let tokenBytes { token.text = sequence.text.add(tokenBytes(choice.token)) }
    if let stop = sequence.text.stop { return (token, .stopString(stop)) }
    if sequence.answerIndex(after: node) + 1 >= settings.maximumTokens { return (token, .maximumTokens) }
    if node.position + 1 >= executor.model.configuration.contextLength { return (token, .contextLimit) }
    return (token, nil)
  }
}
