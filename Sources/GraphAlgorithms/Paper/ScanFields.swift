import Construction

/// Registers and layers that find the node with the smallest key by looking at one candidate per loop, as the paper does:
/// n loops for one minimum, strict comparison, so the lowest node wins ties.
///
/// Column 0 ("global") holds the registers, column i + 1 the node i.
struct ScanFields: Sendable {
  let range: ExactRange
  let roles: Roles
  /// Code of the next node, of the first one in the last node.
  let successor: Field
  /// 1 … n, in nodes.
  let index: Field

  // In nodes.
  /// What is minimised; Ω where nothing is known.
  let key: Field
  /// 1 for nodes that are no longer candidates.
  let visited: Field
  /// 1 for nodes looked at in this sweep.
  let scanned: Field

  // In column 0.
  /// Code of the candidate.
  let current: Field
  let bestKey: Field
  let bestCode: Field
  /// Counts sweeps, from 1.
  let time: Field
  /// 1 − TERM. Kept beside TERM, because a code can be gated by either without a constant.
  let running: Field
  let terminated: Field

  // Scratch: zero between loops.
  let candidateKey: Field
  let candidateCode: Field
  let candidateSuccessor: Field
  let isLess: Field
  let isNotLess: Field
  let unscanned: Field
  let heldCode: Field
  let isSweepDone: Field

  /// A number of the candidate that column 0 carries along with the smallest key.
  struct Carried: Sendable {
    let source: Field
    let candidate: Field
    let best: Field

    init(_ source: Field, in layout: inout ResidualLayout) {
      self.source = source
      candidate = layout.add("candidate \(source.name)", rows: 1, bound: source.bound)
      best = layout.add("best \(source.name)", rows: 1, bound: source.bound)
    }
  }

  init(_ range: ExactRange, in layout: inout ResidualLayout) {
    self.range = range
    let omega = range.infinity
    roles = Roles(
      global: layout.add("global", rows: 1), local: layout.add("local", rows: 1),
      code: layout.add("position", rows: 2))
    successor = layout.add("next position", rows: 2)
    index = layout.add("index", rows: 1, bound: omega)
    key = layout.add("key", rows: 1, bound: omega)
    visited = layout.add("visited", rows: 1)
    scanned = layout.add("scanned", rows: 1)
    current = layout.add("current position", rows: 2)
    bestKey = layout.add("best key", rows: 1, bound: 4 * omega)
    bestCode = layout.add("best position", rows: 2)
    time = layout.add("time", rows: 1, bound: omega)
    running = layout.add("running", rows: 1)
    terminated = layout.add("terminated", rows: 1)
    candidateKey = layout.add("candidate key", rows: 1, bound: 3 * omega)
    candidateCode = layout.add("candidate position", rows: 2)
    candidateSuccessor = layout.add("candidate next position", rows: 2)
    isLess = layout.add("is less", rows: 1)
    isNotLess = layout.add("is not less", rows: 1)
    unscanned = layout.add("share not scanned", rows: 1)
    heldCode = layout.add("held position", rows: 2)
    isSweepDone = layout.add("sweep done", rows: 1)
  }

  /// Layer 1: column 0 reads the candidate, and compares.
  ///
  /// The candidate's key is key + 2Ω·visited: a visited node (2Ω and more) never beats another (Ω at most), and every
  /// candidate beats the initial 4Ω. bestKey ← min(bestKey, candidate) = bestKey − ReLU(bestKey − candidate).
  /// After TERM, −4Ω closes the comparison. Nodes hold bestKey = 0 ≤ candidate: nothing happens there.
  func readCandidate(_ layer: inout LayerBuilder, carried: [Carried]) {
    let omega = range.infinity
    layer.readNode(
      "read candidate", at: current, code: roles.code,
      outputs: [(.row(key[0]) + 2 * omega * .row(visited[0]), candidateKey[0])]
        + carried.map { (.row($0.source[0]), $0.candidate[0]) }
        + (0..<2).flatMap {
          [
            (.row(roles.code[$0]), candidateCode[$0]),
            (.row(successor[$0]), candidateSuccessor[$0]),
          ]
        })
    layer.sendToNode(
      "mark scanned", at: [current], roles: roles, values: [(.row(running[0]), scanned[0])])
    let gain = LinearForm.row(bestKey[0]) - .row(candidateKey[0]) - 4 * omega * .row(terminated[0])
    layer.relu(gain, to: bestKey[0], times: -1)
    layer.isPositive(gain, to: isLess[0])
    layer.relu(.row(roles.global[0]) + .row(roles.local[0]), to: isNotLess[0])
    layer.isPositive(gain, to: isNotLess[0], times: -1)
    layer.clear(current)
  }

  /// Layer 2: column 0 keeps the better of two, moves on, and – once every node was scanned – points at the winner.
  ///
  /// - Parameter pointers: zero before; receive the winner's code where `closed` is 0, if the sweep is done.
  func keepBetter(
    _ layer: inout LayerBuilder, carried: [Carried], pointers: [(field: Field, closed: LinearForm)]
  ) {
    let notDone = -range.gain * .row(unscanned[0]) + .row(terminated[0])
    layer.averageOverNodes(
      "all scanned?", of: .row(scanned[0]) - .row(roles.local[0]), roles: roles, to: unscanned[0])
    for carried in carried {
      layer.replace(
        carried.best, by: .row(carried.candidate[0]), gate: -range.infinity * .row(isNotLess[0]))
      layer.clear(carried.candidate)
    }
    for (source, loses) in [(candidateCode, isNotLess), (bestCode, isLess)] {
      layer.copyCode(source, to: heldCode, closed: .row(loses[0]))
      for (pointer, closed) in pointers {
        layer.copyCode(source, to: pointer, closed: .row(loses[0]) + notDone + closed)
      }
    }
    layer.copyCode(
      candidateSuccessor, to: current, closed: .row(terminated[0]) + .row(roles.local[0]))
    layer.copyCode(candidateCode, to: current, closed: .row(running[0]) + .row(roles.local[0]))
    layer.relu(.row(running[0]) + range.gain * .row(unscanned[0]), to: isSweepDone[0])
    layer.relu(.row(scanned[0]) + range.gain * .row(unscanned[0]), to: scanned[0], times: -1)
    layer.clear(
      candidateKey, candidateCode, candidateSuccessor, isLess, isNotLess, unscanned, bestCode)
  }

  /// Feed-forward part of layer 3: the registers of the next sweep.
  ///
  /// bestKey ← 4Ω if the sweep is done: + ReLU(4Ω·done − bestKey), as bestKey ≥ 0.
  func startNextSweep(_ layer: inout LayerBuilder, pointers: [Field]) {
    layer.relu(.row(isSweepDone[0]), to: time[0])
    layer.relu(4 * range.infinity * .row(isSweepDone[0]) - .row(bestKey[0]), to: bestKey[0])
    layer.copyCode(heldCode, to: bestCode, closed: LinearForm())
    layer.clear(heldCode, isSweepDone)
    for pointer in pointers { layer.clear(pointer) }
  }
}
