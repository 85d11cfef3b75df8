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

  /// One decoding pass: chooses rows, runs them, reads out those that need it, commits what is certain.
  func decode(_ events: inout [InferenceEvent]) {
    let rows = chooseRows()
    guard !rows.isEmpty else { return }
    readOut(needingReadout(run(rows)))
    // An answer that ends may make passes of its own.
    let pass = statistics.passes
    for sequence in running where sequence.lastPass == pass { commit(sequence, &events) }
  }

  /// One pass.
  /// - Returns: the rows whose tokens have not left before.
  @discardableResult
  func run(_ rows: [Candidate]) -> [Reading] {
    let hidden = executor.model.configuration.hiddenSize
    for (i, row) in rows.enumerated() {
      let state = states.pointer + i * hidden
      if row.node.state.isEmpty {
        executor.embed(CollectionOfOne(row.node.token), into: state)
      } else {
        row.node.state.withUnsafeBufferPointer { state.update(from: $0.baseAddress!, count: hidden) }
      }
    }
    let start = ContinuousClock.now
    executor.run(rows.map { $0.sequence.row($0.node) }, states: states.pointer)
    let seconds = Self.seconds(since: start)
    cost.note(rows: rows.count, seconds: seconds)
    count(rows: rows.count, seconds: seconds)
    var readings: [Reading] = []
    for (i, row) in rows.enumerated() {
      let state = states.pointer + i * hidden
      let (node, sequence) = (row.node, row.sequence)
      sequence.statistics.generation.rows += 1
      if sequence.lastPass != statistics.passes {
        sequence.lastPass = statistics.passes
        sequence.statistics.generation.passes += 1
      }
      if node.isFinished {
        node.payLoop(state, hidden: hidden)
        sequence.noteOwedRow(node)
      } else {
        let leaves = advance(node, of: sequence, state: state)
        readings.append(Reading(sequence: sequence, node: node, leaves: leaves))
      }
    }
    return readings
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
    node.predictions.append(nil)
    if sequence.request.settings.exit.rule == .weighted {
      if node.mixed.isEmpty { node.mixed = [Float](repeating: 0, count: hidden) }
      for i in 0..<hidden { node.mixed[i] += node.tracker.weight * state[i] }
    }
    return leaves
  }

  /// Those whose logits are of use.
  func needingReadout(_ readings: [Reading]) -> [Reading] {
    var isShared = readings.contains(where: \.leaves)
    return readings.filter {
      let needed =
        $0.leaves || $0.sequence.request.predictionsPerLoop != nil || mayDraft($0, isShared: isShared)
      isShared = isShared || needed
      return needed
    }
  }

  /// Whether a token that goes on is read out for drafts.
  /// - Parameter isShared: whether others are read out as well, so that the matrix is read in any case.
  private func mayDraft(_ reading: Reading, isShared: Bool) -> Bool {
    let (node, sequence) = (reading.node, reading.sequence)
    guard sequence.prompt == nil, node.loops >= sequence.drafts.firstLoop else { return false }
    switch sequence.drafts.mode {
    case .off: return false
    case .fixed: return true
    case .adaptive:
      // Now and then all loops are read, or their agreement would not be known.
      if node.position % 16 == 0 { return true }
      let agreement = sequence.agreement
      let known = node.children.map { agreement.likelihood(of: $0.token, after: node) }.max() ?? 0
      let gain = node.likelihood * max(agreement.readout[node.loops - 1][0].value - known, 0.05)
      let price = cost.readoutSeconds * (isShared ? 0.1 : 1) + cost.choiceSeconds
      return gain * cost.passSeconds(rows: 1) > price
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
    let choosing = ContinuousClock.now
    for (i, reading) in readings.enumerated() {
      reading.sequence.statistics.readouts += 1
      interpret(reading, logits.pointer + i * c.vocabularySize)
    }
    cost.noteChoice(seconds: Self.seconds(since: choosing) / Double(readings.count))
  }

  private func interpret(_ reading: Reading, _ logits: UnsafePointer<Float>) {
    let (node, sequence) = (reading.node, reading.sequence)
    let size = executor.model.configuration.vocabularySize
    // A reading before this one in the same pass may have flushed it.
    guard !node.isForgotten else { return }
    if let count = sequence.request.predictionsPerLoop {
      node.reported.append(Sampler.ranked(count, of: logits, count: size))
    }
    let index = sequence.answerIndex(after: node)
    if reading.leaves {
      if sequence.request.keepsLogits {
        node.logits = [Float](UnsafeBufferPointer(start: logits, count: size))
      }
      let choice = sequence.withHistory(of: node) {
        sequence.sampler.choose(logits, index: index, history: $0)
      }
      // Deeper loops of later tokens see the token as it left, or make it run them when they come.
      if let cell = node.cell, !sequence.computesSkipped {
        sequence.cache.copyToDeeperLoops(cell: cell, from: node.loops - 1)
      }
      sequence.settle(node, choice)
    } else if sequence.prompt == nil, sequence.drafts.mode != .off, node.loops >= sequence.drafts.firstLoop {
      var prediction = sequence.withHistory(of: node) {
        sequence.sampler.rank(logits, index: index, history: $0, count: sequence.drafts.branches)
      }
      if let draftOracle {
        prediction.tokens = draftOracle(sequence.id, index, node.loops, prediction.tokens)
      }
      sequence.predict(node, prediction)
    }
  }
}
