import Tensors

/// Follows many positions through their loops, and keeps of each the state that an exit policy reads out: of the loop it
/// left after, or the mixture of all.
///
/// For scoring, where all loops run over all positions anyway and the policy says whose prediction counts.
public struct ExitSelection {
  /// What is read out, [positions, hidden]; whole after the policy's last loop.
  public let chosen: Tensor
  private let policy: ExitPolicy
  private let hidden: Int
  private var trackers: [ExitTracker]
  private var hasLeft: [Bool]
  /// The states of the loop before, [positions, hidden]; of the policy that asks how far they moved.
  private let before: Tensor?

  /// - Precondition: the policy passes `check`.
  public init(_ policy: ExitPolicy, configuration: ModelConfiguration, positions: Int) {
    self.policy = policy
    hidden = configuration.hiddenSize
    chosen = Tensor(zeros: [positions, hidden])
    trackers = [ExitTracker](
      repeating: ExitTracker(policy, configuration: configuration), count: positions)
    hasLeft = [Bool](repeating: false, count: positions)
    before = policy.asksForChange ? Tensor(zeros: [positions, hidden]) : nil
  }

  /// The most loops of a position.
  public var limit: Int { trackers.first?.limit ?? 0 }
  /// Loops of every position so far.
  public var loops: [Int] { trackers.map(\.loops) }

  /// Notes that a loop is done, of all positions.
  ///
  /// - Parameters:
  ///   - states: after the loop, [positions, hidden].
  ///   - gates: of every position, if the model has a gate.
  ///   - leaves: called with every position that leaves now.
  /// Complexity: O(positions · hidden).
  public mutating func finishLoop(
    _ states: UnsafePointer<Float>, gates: [Float]?, leaves: (_ position: Int) -> Void = { _ in }
  ) {
    for row in trackers.indices where !hasLeft[row] {
      let (state, place) = (states + row * hidden, chosen.pointer + row * hidden)
      hasLeft[row] = trackers[row].finishLoop(gate: gates?[row]) {
        distance(state, before!.pointer + row * hidden, count: hidden)
      }
      if policy.rule == .weighted {
        let weight = trackers[row].weight
        for i in 0..<hidden { place[i] += weight * state[i] }
      } else if hasLeft[row] {
        place.update(from: state, count: hidden)
      }
      if hasLeft[row] { leaves(row) }
    }
    before?.pointer.update(from: states, count: trackers.count * hidden)
  }
}

extension ExitPolicy {
  /// Whether it depends on how far the state moved.
  var asksForChange: Bool {
    if case .stateChange = rule { true } else { false }
  }
}
