import Foundation
import RecipeFiles

/// What a paper says of a controlled experiment, as comparisons of what was measured.
public struct TaskClaim: Equatable, Sendable {
  /// `NUMBER`, or `[NUMBER +] RUN @ VALUE`, the value one of `TaskEvaluation.values`.
  public struct Term: ComparedTerm {
    public var offset: Double
    public var run: String?
    public var value: String

    public init?(_ text: String) {
      var rest = text.trimmingCharacters(in: .whitespaces)
      (offset, run, value) = (0, nil, "")
      if let number = Double(rest) {
        guard number.isFinite else { return nil }
        offset = number
        return
      }
      let sum = rest.components(separatedBy: " + ")
      if sum.count == 2 {
        guard let number = Double(sum[0]), number.isFinite else { return nil }
        (offset, rest) = (number, sum[1])
      }
      let halves = rest.components(separatedBy: " @ ")
      guard halves.count == 2, !halves[0].isEmpty, !halves[1].isEmpty else { return nil }
      (run, value) = (halves[0], halves[1])
    }

    /// Of one evaluation of every run; `nil` where it was not measured.
    func number(_ find: (String, String) -> Double?) -> Double? {
      guard let run else { return offset }
      return find(run, value).map { offset + $0 }
    }
  }

  /// Such as "looped @ operations 4 > 0.1 + same parameters @ operations 4".
  public typealias Comparison = RecipeFiles.Comparison<Term>

  public var says: String
  public var comparisons: [Comparison]
}

/// What came out of a comparison.
public struct TaskOutcome: Equatable, Sendable {
  /// Means over the seeds.
  public var left: Double
  public var right: Double
  /// Whether it holds of the means.
  public var holds: Bool
  /// Seeds in which it holds, and seeds in all.
  public var seeds: (holding: Int, all: Int)

  public static func == (a: Self, b: Self) -> Bool {
    a.left == b.left && a.right == b.right && a.holds == b.holds && a.seeds == b.seeds
  }
}

extension Comparison<TaskClaim.Term> {
  /// `nil` where something was not measured.
  ///
  /// - Parameter evaluations: of all runs and seeds; seeds are those that both sides have.
  public func outcome(in evaluations: [TaskEvaluation]) -> TaskOutcome? {
    func seeds(_ term: TaskClaim.Term) -> Set<Int>? {
      term.run.map { run in Set(evaluations.filter { $0.name == run }.map(\.seed)) }
    }
    let all = evaluations.map(\.seed)
    let common = (seeds(left) ?? Set(all)).intersection(seeds(right) ?? Set(all)).sorted()
    var pairs: [(left: Double, right: Double)] = []
    for seed in common {
      let find = { (run: String, value: String) in
        evaluations.first { $0.name == run && $0.seed == seed }?.value(value)
      }
      guard let left = left.number(find), let right = right.number(find) else { return nil }
      pairs.append((left, right))
    }
    guard !pairs.isEmpty else { return nil }
    let means = pairs.reduce((0.0, 0.0)) {
      ($0.0 + $1.left / Double(pairs.count), $0.1 + $1.right / Double(pairs.count))
    }
    return TaskOutcome(
      left: means.0, right: means.1, holds: holds(means.0, means.1),
      seeds: (pairs.count { holds($0.left, $0.right) }, pairs.count))
  }
}
