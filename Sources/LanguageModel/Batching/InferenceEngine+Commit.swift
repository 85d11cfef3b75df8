import Tokenization

extension InferenceEngine {
  /// Makes the root's choice part of the answer, if there is one, and its child the root; and on, while that is done too.
  func commit(_ sequence: ActiveSequence, _ events: inout [InferenceEvent]) {
    while let root = sequence.root, let choice = root.choice {
      if let cell = root.cell {
        sequence.cache.adopt([cell])
        root.cell = sequence.cache.count - 1
        sequence.cache.settle(loops: root.loops)
        sequence.statistics.usefulRows += root.loops
        if sequence.computesSkipped, root.loops < sequence.cache.loops { sequence.owing.append(root) }
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
      root.children = []
      sequence.root = next
    }
    sequence.lookUp()
  }

  private func learn(_ sequence: ActiveSequence, _ node: DraftNode, _ choice: TokenID) {
    let named = node.predictions.map { $0?.tokens.first }
    for (loop, token) in named.enumerated() where token != nil {
      sequence.statistics.predicted[loop] += 1
      if token == choice { sequence.statistics.agreed[loop] += 1 }
    }
    let early = named.dropLast()
    if !early.isEmpty, early.allSatisfy({ $0 != nil }) {
      let settledAfter = early.lastIndex { $0 != choice }.map { $0 + 1 } ?? 0
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
    sequence.statistics.generation.loops += node.tracker.loops
    if sequence.firstToken == nil {
      sequence.firstToken = .now
      sequence.statistics.generation.promptSeconds = sequence.promptStart.map(Self.seconds(since:)) ?? 0
    }
    var token = GeneratedToken(
      id: choice.token, text: "", logProbability: choice.logProbability, alternatives: choice.alternatives,
      loops: node.tracker.loops, exitProbabilities: node.tracker.exitProbabilities)
    token.predictions = node.reported
    if settings.endTokens.contains(choice.token) { return (token, .endToken(choice.token)) }
    if let tokenBytes { token.text = sequence.text.add(tokenBytes(choice.token)) }
    if let stop = sequence.text.stop { return (token, .stopString(stop)) }
    if sequence.answerIndex(after: node) + 1 >= settings.maximumTokens { return (token, .maximumTokens) }
    if node.position + 1 >= sequence.contextLimit { return (token, .contextLimit) }
    return (token, nil)
  }
}
