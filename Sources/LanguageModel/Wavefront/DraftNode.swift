import Tokenization

/// A token in flight: the one that is computed next, or a draft behind it.
///
/// Nodes form a tree: the root is certain, a child is a guess at what its parent will choose. A node may run a loop if
/// its parent has done it, or has left before it, or does it in the same pass.
final class DraftNode {
  let token: TokenID
  /// In the sequence.
  let position: Int
  /// The node before it; none for the root.
  weak var parent: DraftNode?
  var children: [DraftNode] = []
  /// Where its keys and values are, once it has run.
  var cell: Int?
  /// The normed state after the last loop done, [hidden]; empty before the first.
  var state: [Float] = []
  var tracker: ExitTracker
  /// For every loop done the likeliest successors; `nil` where nothing was read out.
  var predictions: [Sampler.Ranking?] = []
  /// For every loop done the likeliest successors with their log-probabilities, where the request asks for them.
  var reported: [[Sampler.Alternative]] = []
  /// What followed at an earlier place of the text.
  var lookup: TokenID?
  /// The successor, once the token has left its last loop: final if the tokens before it are.
  var choice: Sampler.Choice?
  /// Σ weight · state of the loops done, [hidden], where the exit policy mixes them: the readout is linear.
  var mixed: [Float] = []
  /// What the choice was made from, where the request asks for it.
  var logits: [Float]?
  /// Whether it was flushed.
  var isForgotten = false
  /// How likely it is to be right, when it was last asked.
  var likelihood = 1.0

  init(token: TokenID, position: Int, parent: DraftNode?, tracker: ExitTracker) {
    self.token = token
    self.position = position
    self.parent = parent
    self.tracker = tracker
  }

  /// Loops done: those until it left, and those it ran later because another token needed them.
  var loops: Int { tracker.loops + loopsAfterwards }
  private var loopsAfterwards = 0

  /// Notes a loop that was run after the token had left.
  func payLoop(_ state: UnsafePointer<Float>, hidden: Int) {
    self.state = [Float](UnsafeBufferPointer(start: state, count: hidden))
    loopsAfterwards += 1
  }

  /// What its readout reads, if it leaves after this loop; else what that would be if all later loops read the same.
  func readoutState(leaves: Bool) -> [Float] {
    guard !mixed.isEmpty else { return state }
    guard !leaves else { return mixed }
    let rest = 1 - tracker.exitProbabilities.reduce(0, +)
    return zip(mixed, state).map { $0 + rest * $1 }
  }

  var isFinished: Bool { choice != nil }

  /// The nodes from the root to this one.
  var path: [DraftNode] {
    var nodes = [self]
    while let parent = nodes[nodes.count - 1].parent { nodes.append(parent) }
    return nodes.reversed()
  }

  func child(_ token: TokenID) -> DraftNode? { children.first { $0.token == token } }

  /// Calls `body` with this node and all below it, parents first.
  func visit(_ body: (DraftNode) -> Void) {
    body(self)
    for child in children { child.visit(body) }
  }
}
