/// The largest of many scores, the leftmost of equal ones, kept up to date: a complete binary tree of matches.
///
/// Memory: O(count). Scores that were not set are −∞.
final class TournamentTree<Scalar: BinaryFloatingPoint & Sendable> {
  private let leafCount: Int
  private let scores: UnsafeMutablePointer<Scalar>
  /// Node i's winner is the better of those of nodes 2i and 2i + 1; the leaves are nodes `leafCount...`.
  private let winners: UnsafeMutablePointer<Int32>

  init(count: Int) {
    var leaves = 1
    while leaves < count { leaves *= 2 }
    leafCount = leaves
    scores = .allocate(capacity: leaves)
    scores.initialize(repeating: -.infinity, count: leaves)
    winners = .allocate(capacity: 2 * leaves)
    winners.initialize(repeating: 0, count: 2 * leaves)
    for leaf in 0..<leaves { winners[leaves + leaf] = Int32(leaf) }
    var node = leaves - 1
    while node > 0 {
      winners[node] = winners[2 * node]
      node -= 1
    }
  }

  deinit {
    scores.deallocate()
    winners.deallocate()
  }

  var winner: Int32 { winners[1] }

  @inline(__always)
  func score(_ leaf: Int) -> Scalar { scores[leaf] }

  /// Complexity: O(log count).
  @inline(__always)
  func set(_ leaf: Int, to score: Scalar) {
    scores[leaf] = score
    var node = (leafCount + leaf) / 2
    while node > 0 {
      let (left, right) = (winners[2 * node], winners[2 * node + 1])
      winners[node] = scores[Int(right)] > scores[Int(left)] ? right : left
      node /= 2
    }
  }
}
