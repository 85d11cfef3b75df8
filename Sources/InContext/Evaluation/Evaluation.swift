import Foundation
import Tensors

/// What a trained network does on prompts it has never seen, beside the methods people designed.
///
/// Errors are squared errors over those of predicting zero.
public struct Evaluation: Codable, Equatable, Sendable {
  /// Prompts of a kind, and how everybody does on them.
  public struct Part: Codable, Equatable, Sendable {
    /// "in distribution", or the shift's name.
    public var name: String
    /// Error by the number of context points, the network's first.
    public var curves: [Curve]
  }

  public var name: String
  public var expected: String
  /// The recipe as YAML.
  public var recipe: String
  /// Steps of training.
  public var steps: Int
  /// All learned numbers, and those the papers count.
  public var parameters: Int
  public var printedParameters: Int
  public var trainedLoops: Int
  public var parts: [Part]
  /// What an error is, if not a squared error over that of predicting zero.
  public var measure: String?
  /// Error at the last position after 1, 2, … loops, the network's first; then the methods that iterate.
  public var loopCurves: [Curve]
  /// The network's error by loops and position, in distribution; files of before there was one have none.
  public var loopMap: LoopMap?

  /// Mean errors: [loop][position], after the loops named.
  public struct LoopMap: Codable, Equatable, Sendable {
    public var loops: [Int]
    public var errors: [[Double?]]
  }

  /// The network's curve in distribution.
  public var curve: Curve { parts[0].curves[0] }
}

/// Evaluates a run on held-out prompts: their random stream is not that of training.
public struct Evaluator {
  public let run: TrainingRun
  public var prompts: Int
  /// Length of the loop curve.
  public var loops: Int
  public var baselines: [String]
  public var shifts: [String]
  public var resamples = 1000
  /// Prompts at once.
  let batch = 128

  public init(_ run: TrainingRun) {
    self.run = run
    prompts = run.recipe.prompts
    loops = run.recipe.architecture == .standard ? 1 : run.recipe.loopCurveLength
    baselines = run.recipe.baselines
    shifts = run.recipe.shifts
  }

  /// The units of work `progress` counts.
  public var work: Int {
    run.task is TabularTask
      ? 2 * (1 + baselines.count) : 1 + baselines.count + shifts.count * (1 + baselines.count)
  }

  /// - Parameter progress: is told the units done; returns whether to go on.
  /// - Returns: `nil` if interrupted.
  public func evaluate(progress: (Int) -> Bool = { _ in true }) -> Evaluation? {
    var done = 0
    func advance() -> Bool {
      done += 1
      return progress(done)
    }
    let recipe = run.recipe
    if let tables = run.task as? TabularTask { return evaluateTables(tables, advance) }
    guard let functions = run.task as? FunctionTask else { return evaluateSequences(advance) }
    var parts: [Evaluation.Part] = []
    var loopCurves: [Curve] = []
    var loopMap: Evaluation.LoopMap?
    for (index, name) in ([nil] + shifts).enumerated() {
      var random = RandomStream(
        seed: UInt64(bitPattern: Int64(recipe.seed)), stream: 100 + UInt32(index))
      let held: [RegressionPrompt]
      if let name, let shift = DistributionShift(name: name) {
        held = shift.prompts(functions, points: recipe.points, count: prompts, random: &random)
      } else {
        held = (0..<prompts).map { _ in functions.prompt(points: recipe.points, random: &random) }
      }
      let normaliser = name == nil ? run.task.normaliser : Self.meanSquare(held)
      var curves = [curve(networkName, errors(held), normaliser)]
      guard advance() else { return nil }
      for baseline in baselines.compactMap({ Baselines.make($0, task: functions) }) {
        let some = held.prefix(baseline.promptLimit)
        let errors = zip(some, baseline.predictions(some)).map { prompt, predictions in
          predictions.enumerated().map { Self.square($1 - Double(prompt.answer($0))) }
        }
        curves.append(curve(baseline.name, errors, normaliser))
        guard advance() else { return nil }
      }
      parts.append(Evaluation.Part(name: name ?? "in distribution", curves: curves))
      if name == nil, loops > 1 {
        let (last, sums) = loopErrors(chunks(held) { RegressionPrompt.batch($0) })
        loopCurves = [curve(networkName, last, normaliser)] + iterations(held, functions, normaliser)
        loopMap = self.loopMap(sums, held.count, normaliser)
      }
    }
    return evaluation(parts, loopCurves, loopMap)
  }

  /// Squared errors by position after the trained loops: [prompt][position].
  public func errors(_ held: [RegressionPrompt]) -> [[Double]] {
    guard held.contains(where: { $0.queries != nil }) else {
      return errors(of: chunks(held) { RegressionPrompt.batch($0) })
    }
    // A query takes the place of one context point, so every position is a prompt of its own.
    let n = held.first?.points ?? 0
    var result = held.map { _ in [Double](repeating: .nan, count: n) }
    for position in 0..<n {
      let column = errors(of: chunks(held) { RegressionPrompt.batch($0, askedAt: position) })
      for (prompt, row) in column.enumerated() { result[prompt][position] = row[position] }
    }
    return result
  }

  package func errors(of batches: [PromptBatch]) -> [[Double]] {
    let loops = run.recipe.loops
    let last = run.recipe.architecture == .standard ? 1 : loops
    return batches.flatMap { batch in
      var errors: [[Double]] = []
      run.model.predictions(batch, loops: loops, shown: { $0 == last }) { _, predictions in
        errors = Self.errors(predictions, batch.readings[0])
      }
      return errors
    }
  }

  /// Squared errors summed over the coordinates of the answer, or 1 where the largest logit is of the wrong class:
  /// [prompt][place].
  package static func errors(_ predictions: Tensor, _ reading: PromptBatch.Reading) -> [[Double]] {
    let (prompts, places, width) = (predictions.shape[0], predictions.shape[1], predictions.shape[2])
    guard let classes = reading.classes else { return errors(predictions, reading.targets) }
    return (0..<prompts).map { prompt in
      (0..<places).map { place in
        let logits = predictions.pointer + (prompt * places + place) * width
        let said = (0..<width).max { logits[$0] < logits[$1] } ?? 0
        return said == Int(classes[prompt * places + place]) ? 0 : 1
      }
    }
  }

  /// Squared errors summed over the coordinates of the answer: [prompt][place].
  package static func errors(_ predictions: Tensor, _ targets: Tensor) -> [[Double]] {
    let (places, width) = (targets.shape[1], targets.shape[2])
    return (0..<targets.shape[0]).map { prompt in
      (0..<places).map { place in
        (0..<width).reduce(0) { sum, c in
          let index = (prompt * places + place) * width + c
          return sum + square(Double(predictions.pointer[index]) - Double(targets.pointer[index]))
        }
      }
    }
  }

  /// Errors at the last place after every loop, [prompt][loop], and the sums over prompts of all errors, [loop][place].
  func loopErrors(_ batches: [PromptBatch]) -> (last: [[Double]], sums: [[Double]]) {
    var sums: [[Double]] = []
    let last = batches.flatMap { batch in
      var byLoop: [[Double]] = []
      run.model.predictions(batch, loops: loops) { loop, predictions in
        let errors = Self.errors(predictions, batch.readings[0])
        byLoop.append(errors.map { $0.last ?? .nan })
        if sums.count < loop { sums.append([Double](repeating: 0, count: errors.first?.count ?? 0)) }
        for row in errors {
          for (place, error) in row.enumerated() { sums[loop - 1][place] += error }
        }
      }
      return (0..<batch.tokens.shape[0]).map { prompt in byLoop.map { $0[prompt] } }
    }
    return (last, sums)
  }

  /// At most forty loops are kept: every k-th, and the last.
  func loopMap(_ sums: [[Double]], _ count: Int, _ normaliser: Double) -> Evaluation.LoopMap {
    let step = (sums.count + 39) / 40
    let shown = (1...max(sums.count, 1)).filter { $0 % step == 0 || $0 == 1 || $0 == sums.count }
    return Evaluation.LoopMap(
      loops: shown,
      errors: shown.map { loop in
        sums[loop - 1].map { sum in
          let mean = sum / (normaliser * Double(max(count, 1)))
          return mean.isFinite ? mean : nil
        }
      })
  }

  /// The loop curves of the baselines that iterate.
  private func iterations(
    _ held: [RegressionPrompt], _ functions: FunctionTask, _ normaliser: Double
  ) -> [Curve] {
    let methods = baselines.compactMap { Baselines.make($0, task: functions) as? any IterativeBaseline }
    return methods.map { method in
      let errors = mapOnAllThreads(held) { prompt in
        method.lastPredictions(prompt, iterations: loops).map {
          Self.square($0 - Double(prompt.answer(prompt.points - 1)))
        }
      }
      let name = method.name.split(separator: ",").first.map(String.init) ?? method.name
      return curve(name, errors, normaliser)
    }
  }

  func evaluation(
    _ parts: [Evaluation.Part], _ loopCurves: [Curve], _ loopMap: Evaluation.LoopMap? = nil
  ) -> Evaluation {
    let recipe = run.recipe
    return Evaluation(
      name: recipe.name, expected: recipe.expected, recipe: recipe.yaml, steps: run.trainedSteps,
      parameters: run.model.parameterCount, printedParameters: run.model.printedParameterCount,
      trainedLoops: recipe.architecture == .standard ? 1 : recipe.loops, parts: parts,
      measure: run.task is TabularTask ? "share of wrong answers" : nil, loopCurves: loopCurves,
      loopMap: loopMap)
  }

  var networkName: String {
    switch run.recipe.architecture {
    case .standard: "standard, \(run.recipe.layers) layers"
    case .looped: "looped, \(run.recipe.loops) loops"
    case .tied: "tied, \(run.recipe.loops) loops"
    case .algoFormer: "AlgoFormer, \(run.recipe.loops) loops"
    }
  }

  func curve(_ name: String, _ errors: [[Double]], _ normaliser: Double) -> Curve {
    Curve(
      name, errors: errors.map { $0.map { $0 / normaliser } }, resamples: resamples,
      random: run.recipe.stream(.bootstrap))
  }

  private func chunks(
    _ held: [RegressionPrompt], _ make: (ArraySlice<RegressionPrompt>) -> PromptBatch
  ) -> [PromptBatch] {
    stride(from: 0, to: held.count, by: batch).map { make(held[$0..<min($0 + batch, held.count)]) }
  }

  package static func square(_ x: Double) -> Double { x * x }

  package static func meanSquare(_ held: [RegressionPrompt]) -> Double {
    let values = held.flatMap { prompt in (0..<prompt.points).map { square(Double(prompt.answer($0))) } }
    return max(values.reduce(0, +) / Double(max(values.count, 1)), 1e-30)
  }
}
