extension InferenceEngine {
  /// A row that might run.
  struct Candidate {
    var sequence: ActiveSequence
    var node: DraftNode
    /// Drafts between it and what is certain.
    var depth: Int

    /// Whether it runs only if it pays.
    var isOptional: Bool { depth > 0 && sequence.drafts.mode == .adaptive }
  }

  /// The rows of the next pass: of every request the token that is certain, and drafts, the likelier first.
  func chooseRows() -> [Candidate] {
    var candidates: [Candidate] = []
    for sequence in running {
      guard sequence.prompt == nil, let root = sequence.root else { continue }
      root.likelihood = 1
      gather(root, of: sequence, depth: 0, into: &candidates)
    }
    // Parents come before children, which are never likelier. Requests that waited longest come first, among rows that
    // are equally likely to be of use.
    candidates.sort {
      ($1.node.likelihood, $0.depth, $0.sequence.lastPass, $0.sequence.id.number)
        < ($0.node.likelihood, $1.depth, $1.sequence.lastPass, $1.sequence.id.number)
    }
    var (chosen, selected): ([Candidate], Set<ObjectIdentifier>) = ([], [])
    var rowsOf: [ObjectIdentifier: Int] = [:]
    for candidate in candidates where chosen.count < LoopExecutor.decodeRows {
      let (node, sequence) = (candidate.node, candidate.sequence)
      let rows = rowsOf[ObjectIdentifier(sequence), default: 0]
      let most = sequence.drafts.mode == .off ? 1 : sequence.drafts.maximumRows
      guard rows < most, sequence.isReady(node, selected: selected), sequence.takeCell(for: node) != nil
      else {
        continue
      }
      var needed = sequence.owed(before: node).filter { !selected.contains(ObjectIdentifier($0)) } + [node]
      let room = LoopExecutor.decodeRows - chosen.count
      // What is certain gets there in several passes; a draft waits.
      guard needed.count <= room || candidate.depth == 0 else { continue }
      needed.removeLast(max(needed.count - room, 0))
      for row in needed {
        selected.insert(ObjectIdentifier(row))
        chosen.append(Candidate(sequence: sequence, node: row, depth: candidate.depth))
      }
      rowsOf[ObjectIdentifier(sequence)] = rows + 1
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
    let optional = rows.filter(\.isOptional)
    guard !optional.isEmpty else { return rows }
    let must = rows.count - optional.count
    let likelihoods = [Double](repeating: 1, count: must) + optional.map(\.node.likelihood)
    var left = cost.bestCount(likelihoods, least: must) - must
    return rows.filter {
      guard $0.isOptional else { return true }
      left -= 1
      return left >= 0
    }
  }
}

extension ActiveSequence {
  /// Whether all tokens before a node have done the loop it would run, or do it in the pass of the selected ones. Tokens
  /// that have left stand in the way of nobody.
  func isReady(_ node: DraftNode, selected: Set<ObjectIdentifier>) -> Bool {
    var next = node.parent
    while let ancestor = next {
      next = ancestor.parent
      if ancestor.isFinished { continue }
      // Those before it are further on, or finished.
      if ancestor.loops + (selected.contains(ObjectIdentifier(ancestor)) ? 1 : 0) <= node.loops {
        return false
      }
    }
    return true
  }

  /// Tokens before a node that left before the loop it would run, and have to run it now: where skipped loops are
  /// computed when they are needed. First ones first.
  ///
  /// None owes an earlier loop: it ran when the node did.
  func owed(before node: DraftNode) -> [DraftNode] {
    guard computesSkipped else { return [] }
    return (owing + node.path.dropLast().filter(\.isFinished)).filter { $0.loops == node.loops }
  }

  func noteOwedRow(_ node: DraftNode) {
    guard owing.contains(where: { $0 === node }) else { return }
    statistics.usefulRows += 1
    owing.removeAll { $0.loops == cache.loops }
  }
}
