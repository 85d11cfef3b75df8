import Tensors

/// A method that people designed, asked what the network is asked: y at position i, from the context before i.
///
/// All in f64. See `Baselines` for those there are.
public protocol Baseline: Sendable {
  var name: String { get }
  /// One prediction per position, each from the context points before it; the first, from none, is 0. A position
  /// that is left out for its cost is NaN.
  func predictions(_ prompt: RegressionPrompt) -> [Double]
  /// How many prompts are worth their time.
  var promptLimit: Int { get }
}

/// A baseline that iterates, as a loop does.
public protocol IterativeBaseline: Baseline {
  /// Predictions at the last position after 1, 2, … iterations.
  func lastPredictions(_ prompt: RegressionPrompt, iterations: Int) -> [Double]
}

extension Baseline {
  public var promptLimit: Int { .max }

  /// Predictions for many prompts, on all threads: [prompt][position].
  public func predictions(_ prompts: ArraySlice<RegressionPrompt>) -> [[Double]] {
    mapOnAllThreads(Array(prompts)) { predictions($0) }
  }
}

/// `transform` of every element, on all threads, in order.
func mapOnAllThreads<Element, Result>(_ elements: [Element], _ transform: (Element) -> Result) -> [Result] {
  var results = [Result?](repeating: nil, count: elements.count)
  results.withUnsafeMutableBufferPointer { results in
    let places = results.baseAddress
    WorkerPool.shared.run(elements.count) { item, _ in places![item] = transform(elements[item]) }
  }
  return results.map { $0! }
}

/// The baselines by name.
public enum Baselines {
  public static let names =
    "least-squares, ridge:ALPHA, lasso:ALPHA, nearest:K, averaging, gradient-descent:STEPS, newton:STEPS, "
    + "tree, tree:DEPTH, sign-tree:DEPTH, boosted-trees, sign-boosted-trees, network:STEPS, "
    + "representation-ridge:ALPHA, logistic:ALPHA, majority"

  /// What is wrong with a name, if anything.
  public static func problem(with name: String) -> String? {
    make(name, task: nil) == nil ? "no baseline is named '\(name.prefix(60))'; there are \(names)" : nil
  }

  /// - Parameter task: whose representation `representation-ridge` may look at; without one it sees x itself.
  public static func make(_ name: String, task: FunctionTask?) -> (any Baseline)? {
    let parts = name.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    guard parts.count <= 2, let kind = parts.first else { return nil }
    func number(_ otherwise: Double, _ range: ClosedRange<Double>) -> Double? {
      guard parts.count == 2 else { return otherwise }
      return Double(parts[1]).flatMap { range.contains($0) ? $0 : nil }
    }
    func whole(_ otherwise: Int, _ range: ClosedRange<Int>) -> Int? {
      guard parts.count == 2 else { return otherwise }
      return Int(parts[1]).flatMap { range.contains($0) ? $0 : nil }
    }
    switch kind {
    case "least-squares" where parts.count == 1: return LeastSquares()
    case "averaging" where parts.count == 1: return Averaging()
    case "majority" where parts.count == 1: return Majority()
    case "logistic": return number(1, 1e-9...1e9).map { LogisticRegression(alpha: $0) }
    case "ridge": return number(0.1, 1e-12...1e12).map { Ridge(alpha: $0) }
    case "lasso": return number(0.01, 0...1e6).map { Lasso(alpha: $0) }
    case "nearest": return whole(3, 1...10_000).map { NearestNeighbours(count: $0) }
    case "gradient-descent": return whole(20, 1...100_000).map { GradientDescent(iterations: $0) }
    case "newton": return whole(10, 1...10_000).map { NewtonSchulz(iterations: $0) }
    case "tree":
      return whole(32, 1...32).map { TreeBaseline(depth: parts.count == 2 ? $0 : nil, sign: false) }
    case "sign-tree": return whole(4, 1...32).map { TreeBaseline(depth: $0, sign: true) }
    case "boosted-trees" where parts.count == 1: return BoostedTrees(sign: false)
    case "sign-boosted-trees" where parts.count == 1: return BoostedTrees(sign: true)
    case "network": return whole(1000, 1...100_000).map { TrainedNetwork(steps: $0) }
    case "representation-ridge":
      let family = task?.family as? RepresentationFunctions
      return number(1e-6, 1e-12...1e12).map { Ridge(alpha: $0, representation: family?.representation) }
    default: return nil
    }
  }
}

extension RegressionPrompt {
  /// Context points as f64.
  var inputs: [Double] { x.map(Double.init) }
  var answers: [Double] { y.map(Double.init) }
  /// What is asked at every position, as f64.
  var questions: [Double] { (queries?.x ?? x).map(Double.init) }
}
