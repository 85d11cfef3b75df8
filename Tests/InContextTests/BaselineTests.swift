import Foundation
import InContext
import Tensors
import Testing

@Suite struct BaselineTests {
  static func prompts(
    _ family: any FunctionFamily = LinearFunctions(), dimension: Int = 4, points: Int = 11, noise: Float = 0,
    count: Int, seed: UInt64 = 1
  ) -> [RegressionPrompt] {
    let task = FunctionTask(family, dimension: dimension, noise: noise)
    var random = RandomStream(seed: seed)
    return (0..<count).map { _ in task.prompt(points: points, random: &random) }
  }

  /// Mean squared error by position.
  static func errors(_ baseline: any Baseline, _ prompts: [RegressionPrompt]) -> [Double] {
    let predictions = baseline.predictions(prompts[...])
    return (0..<prompts[0].points).map { i in
      zip(predictions, prompts).reduce(0) { sum, pair in
        let error = pair.0[i] - Double(pair.1.answer(i))
        return sum + error * error
      } / Double(prompts.count)
    }
  }

  @Test func leastSquaresHasTheErrorOfItsAnalysis() {
    // Without noise: max(0, 1 - i/d) of the zero predictor's, and the mean over positions is (d + 1) / 2n.
    let errors = Self.errors(LeastSquares(), Self.prompts(count: 6000)).map { $0 / 4 }
    for i in 0..<4 {
      let wanted: Double = 1 - Double(i) / 4
      #expect(abs(errors[i] - wanted) < 0.05)
    }
    for i in 4..<11 { #expect(errors[i] < 1e-6) }
    let (mean, wantedMean): (Double, Double) = (errors.reduce(0, +) / 11, 5.0 / 22)
    #expect(abs(mean - wantedMean) < 0.02)
    // With noise and i > d + 1: σ² (1 + d / (i - d - 1)).
    let noisy = Self.errors(LeastSquares(), Self.prompts(noise: 0.5, count: 6000))
    for i in 8..<11 {
      let wanted: Double = 0.25 * (1 + 4 / Double(i - 5))
      let ratio: Double = noisy[i] / wanted
      #expect(abs(ratio - 1) < 0.2)
    }
  }

  @Test func leastSquaresIsTheShortestSolution() {
    // Two identical rows, then a row the others span: w stays in the span and solves XᵀX w = Xᵀ y.
    var state = LeastSquares.State(dimension: 3)
    let rows: [([Double], Double)] = [([1, 2, 0], 3), ([1, 2, 0], 5), ([0, 1, 1], 1), ([1, 3, 1], 2)]
    for (x, y) in rows { state.add(x[...], y) }
    // The normal of the span of (1,2,0) and (0,1,1) is (2,-1,1).
    #expect(abs(2 * state.weights[0] - state.weights[1] + state.weights[2]) < 1e-12)
    for c in 0..<3 {
      let residual = rows.reduce(0) { $0 + $1.0[c] * ($1.1 - product(state.weights[...], $1.0[...])) }
      #expect(abs(residual) < 1e-12)
    }
  }

  @Test func ridgeSolvesItsEquationAndBeatsLeastSquaresUnderNoise() {
    let prompts = Self.prompts(noise: 1, count: 2000)
    let ridge = Self.errors(Ridge(alpha: 1), prompts)
    let plain = Self.errors(LeastSquares(), prompts)
    for i in 2..<11 { #expect(ridge[i] < plain[i]) }
    // One point: w = x y / (|x|² + α).
    let p = prompts[0]
    let (x, q) = (p.x[0..<4].map(Double.init), p.x[4..<8].map(Double.init))
    let wanted = product(x[...], q[...]) * Double(p.y[0]) / (product(x[...], x[...]) + 0.5)
    #expect(abs(Ridge(alpha: 0.5).predictions(p)[1] - wanted) < 1e-12)
    // A tiny penalty is least squares once the context spans the space.
    for (a, b) in zip(Ridge(alpha: 1e-9).predictions(p), LeastSquares().predictions(p)).dropFirst(6) {
      #expect(abs(a - b) < 1e-4)
    }
  }

  @Test func lassoMeetsItsConditions() {
    let prompts = Self.prompts(SparseLinearFunctions(support: 2), dimension: 8, points: 13, count: 400)
    let (lasso, plain) = (Self.errors(Lasso(alpha: 0.01), prompts), Self.errors(LeastSquares(), prompts))
    for i in 4..<8 { #expect(lasso[i] < plain[i]) }
    // α above max |Xᵀy| / i: w = 0. α = 0: least squares.
    #expect(Lasso(alpha: 1e4).predictions(prompts[0]).allSatisfy { $0 == 0 })
    let exact = zip(Lasso(alpha: 0).predictions(prompts[0]), prompts[0].y).suffix(1)
    #expect(exact.allSatisfy { abs($0 - Double($1)) < 1e-2 })
    // One coordinate: soft thresholding.
    let one = RegressionPrompt(dimension: 1, x: [2, 1], y: [3, 0])
    #expect(abs(Lasso(alpha: 0.5).predictions(one)[1] - (6 - 0.5) / 4) < 1e-12)
  }

  @Test func theLassoDoesNotStopWhereColumnsAreNearlyAlike() {
    // One point: all the weight belongs to the larger coordinate, w = |y| - α, though the other is 0.9999 of it.
    let prompt = RegressionPrompt(dimension: 2, x: [0.9999, 1, 1, -1], y: [2, 0])
    #expect(abs(Lasso(alpha: 0.05).predictions(prompt)[1] + 1.95) < 1e-3)
  }

  @Test func theLassoMeetsItsConditionsWithFewPointsToo() {
    for prompt in Self.prompts(dimension: 7, points: 12, noise: 0.2, count: 20) {
      var moments = Moments(prompt)
      for i in 1..<12 {
        moments.addNext()
        var weights = [Double](repeating: 0, count: 7)
        Lasso(alpha: 0.03).search(moments, &weights)
        for j in 0..<7 {
          let fit = product(moments.gram[j * 7..<(j + 1) * 7], weights[...])
          let slope = (moments.cross[j] - fit) / Double(i)
          if weights[j] == 0 {
            #expect(abs(slope) <= 0.03 + 1e-7)
          } else {
            #expect(abs(slope - (weights[j] > 0 ? 0.03 : -0.03)) < 1e-7)
          }
        }
      }
    }
  }

  @Test func averagingAndNeighboursAreTheirDefinitions() {
    let p = RegressionPrompt(dimension: 1, x: [1, 2, 10, 1.5], y: [4, 6, 100, 0])
    let averaging = Averaging().predictions(p)
    #expect(averaging[0] == 0 && averaging[1] == 8 && abs(averaging[3] - 508) < 1e-9)
    #expect(NearestNeighbours(count: 2).predictions(p) == [0, 4, 5, 5])
    #expect(NearestNeighbours(count: 3).predictions(p)[3] == 110.0 / 3)
  }

  @Test func iterationsConvergeToLeastSquares() {
    let prompts = Self.prompts(count: 20)
    for prompt in prompts {
      let exact = LeastSquares().predictions(prompt)
      let newton = NewtonSchulz(iterations: 40).predictions(prompt)
      for (a, b) in zip(newton, exact) { #expect(abs(a - b) < 1e-3 * (1 + abs(b))) }
      let curve = NewtonSchulz(iterations: 1).lastPredictions(prompt, iterations: 40)
      #expect(curve.last == newton.last && curve.count == 40)
    }
    let errors = [1, 10, 100].map { Self.errors(GradientDescent(iterations: $0), prompts)[10] }
    #expect(errors[0] > errors[1] && errors[1] > errors[2] && errors[2] < 1e-2)
  }

  @Test func treesFitTreesAndBoostingBeatsOneTree() {
    // Signs decide: a tree on signs fits the context exactly, where signs differ.
    let x: [Double] = [1, 1, 1, -1, -1, 1, -1, -1]
    let tree = RegressionTree(x: x, y: [1, 2, 3, 4], dimension: 2, depth: 8)
    for i in 0..<4 { #expect(tree(x[2 * i..<2 * i + 2]) == Double(i + 1)) }
    let stump = RegressionTree(x: x, y: [1, 2, 3, 4], dimension: 2, depth: 1)
    #expect(stump([1, 5][...]) == 1.5 && stump([-1, 5][...]) == 3.5)
    let prompts = Self.prompts(DecisionTreeFunctions(depth: 3), dimension: 6, points: 41, count: 60)
    let (one, boosted, signs) = (
      Self.errors(TreeBaseline(depth: nil, sign: false), prompts)[40],
      Self.errors(BoostedTrees(sign: false), prompts)[40], Self.errors(BoostedTrees(sign: true), prompts)[40]
    )
    #expect(boosted < one && signs < boosted && signs < 0.8)
    #expect(TreeBaseline(depth: 2, sign: true).predictions(prompts[0])[3].isNaN)
  }

  @Test func theNetworkPerPromptHasRightGradientsAndFits() {
    var network = TrainedNetwork.Network(dimension: 2, hidden: 5, seed: 3)
    let (x, y) = ([0.7, -0.4], 0.9)
    var gradient = [Double](repeating: 0, count: network.weights.count)
    network.addGradient(x[...], y, share: 1, to: &gradient)
    // f is piecewise linear in each weight, so the loss is quadratic and central differences are exact.
    let before = Evaluator.square(network(x[...]) - y)
    let length = gradient.reduce(0) { $0 + $1 * $1 }
    #expect(before > 0 && length > 0)
    let changed = network.moved(against: gradient, by: 1e-6)
    let after: Double = Evaluator.square(changed(x[...]) - y)
    let slope: Double = (before - after) / 1e-6
    #expect(abs(slope / length - 1) < 1e-3)
    network.train(x: [0, 0, 1, 0, 0, 1], y: [0, 1, 2], points: 3, steps: 600)
    #expect(abs(network([1, 0][...]) - 1) < 0.1 && abs(network([0, 1][...]) - 2) < 0.1)
  }

  @Test func representationRidgeKnowsTheRepresentation() {
    var random = RandomStream(seed: 5)
    let phi = Representation(inputs: 4, outputs: 6, layers: 2, random: &random)
    let task = FunctionTask(RepresentationFunctions(phi), dimension: 4)
    let prompts = Self.prompts(task.family, count: 200)
    let oracle = Self.errors(Baselines.make("representation-ridge:1e-8", task: task)!, prompts)
    let plain = Self.errors(Ridge(alpha: 0.1), prompts)
    #expect(oracle[10] < 1e-3 && oracle[10] < 0.01 * plain[10])
  }

  @Test func namesAreChecked() {
    for name in ["", "ridge:x", "ridge:-1", "nearest:0", "averaging:2", "newton:1:2", "magic", "lasso:nan"] {
      #expect(Baselines.problem(with: name) != nil)
    }
    for name in ["least-squares", "ridge", "ridge:0.25", "nearest:5", "sign-tree", "newton:3", "network:10"] {
      #expect(Baselines.problem(with: name) == nil)
    }
  }

  @Test func bandsCoverTheMean() {
    var random = RandomStream(seed: 12)
    let errors = (0..<400).map { _ in [Double(random.normal()) + 3, Double.nan] }
    let curve = Curve("x", errors: errors, random: RandomStream(seed: 1))
    let width = curve.high[0]! - curve.low[0]!
    // ±1.645 standard errors of 1/√400.
    let ratio: Double = width / 0.1645
    #expect(abs(ratio - 1) < 0.2)
    #expect(
      curve.low[0]! < curve.mean[0]!
        && curve.mean[0]! < curve.high[0]!)
    #expect(curve.mean[1] == nil && curve.low[1] == nil)
  }
}
