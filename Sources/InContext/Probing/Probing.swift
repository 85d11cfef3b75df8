import Foundation
import Gradients
import Layers
import Tensors

/// How well the intermediate results of regression can be read from a network's hidden state, by depth.
public struct Probing: Codable, Equatable, Sendable {
  /// One kind of target.
  public struct Part: Codable, Equatable, Sendable {
    public var target: ProbeTarget
    /// The numbers of points, j.
    public var prefixes: [Int]
    /// Mean squared error per coordinate on prompts of another stream: [depth][prefix].
    public var errors: [[Double]]
    /// The same of the control probe, trained on prompts of one function, y = Σ xᵢ.
    public var control: [[Double]]
    /// Mean square of a target's coordinate, which predicting zero scores: [prefix].
    public var squares: [Double]

    /// By depth, over all prefixes.
    public var meanErrors: [Double] { errors.map { $0.reduce(0, +) / Double($0.count) } }
    /// The control's at its best depth.
    public var bestControl: Double {
      control.map { $0.reduce(0, +) / Double($0.count) }.min() ?? .nan
    }
  }

  public var name: String
  /// The recipe of the probed network as YAML.
  public var recipe: String
  /// Steps of the network's training, and of the probes'.
  public var networkSteps: Int
  public var steps: Int
  /// Prompts per step, and held-out prompts.
  public var batch: Int
  public var prompts: Int
  /// "loops", or "blocks" of a standard decoder: what depth counts. Depth 0 is the embedded prompt.
  public var depthUnit: String
  public var parts: [Part]
}

/// Trains probes on a frozen network of linear regression.
///
/// Every step draws fresh prompts, runs the network once without a tape, and trains all probes of all depths; the control
/// is trained in the same way on prompts of one function, and shows what a probe makes without reading the function.
/// Memory: `bytes`.
public struct Prober {
  public let run: TrainingRun
  public var steps = 1000
  public var batch = 128
  /// Held-out prompts.
  public var prompts = 1280
  public var rate = 1e-2
  public var targets = ProbeTarget.allCases
  /// Loops to look at; of a standard decoder all blocks.
  public var loops: Int
  private let task: FunctionTask

  /// - Throws: `NotProbed`, where the functions are not linear.
  public init(_ run: TrainingRun) throws(NotProbed) {
    guard let task = run.task as? FunctionTask, [.linear, .sparse].contains(run.recipe.family) else {
      throw NotProbed(
        reason: "\(run.recipe.family.rawValue) functions have no weights that a probe could look for")
    }
    self.run = run
    self.task = task
    loops = run.recipe.loops
  }

  /// Depths that are probed, the embedded prompt first.
  public var depths: Int { 1 + (run.recipe.architecture == .standard ? run.recipe.layers : loops) }

  /// Bytes that a step takes, about: the states twice, the probes with gradients and Adam's moments, the hidden units.
  public var bytes: Int {
    let (tokens, width, d) = (task.tokens(points: run.recipe.points), run.recipe.width, task.dimension)
    let probes = targets.reduce(0) { $0 + $1.prefixes(dimension: d, points: run.recipe.points).count }
    let states = 2 * batch * tokens * width
    let parameters = 8 * probes * (tokens + Probes.hidden * (width + d))
    let hidden = probes * batch * (2 * width + 4 * Probes.hidden + 2 * d)
    return 4 * depths * (states + parameters + hidden)
  }

  /// - Parameter progress: is told how many of 2 · `steps` are done; returns whether to go on.
  /// - Returns: `nil` if interrupted. - Throws: `Divergence`.
  public func probe(progress: (Int) -> Bool = { _ in true }) throws -> Probing? {
    let (d, n) = (task.dimension, run.recipe.points)
    let asked = targets.map { ($0, $0.prefixes(dimension: d, points: n)) }
    guard let probes = try trained(task, asked, initialisation: 20, data: 21, progress) else { return nil }
    let ones = FunctionTask(OnesFunctions(), dimension: d, noise: task.noise)
    guard let control = try trained(ones, asked, initialisation: 20, data: 22, { progress(steps + $0) })
    else { return nil }
    let (errors, squares) = measure(probes, asked)
    let (controlErrors, _) = measure(control, asked)
    var parts: [Probing.Part] = []
    var start = 0
    for (target, prefixes) in asked {
      let range = start..<start + prefixes.count
      start = range.upperBound
      parts.append(
        Probing.Part(
          target: target, prefixes: prefixes, errors: errors.map { Array($0[range]) },
          control: controlErrors.map { Array($0[range]) }, squares: Array(squares[range])))
    }
    return Probing(
      name: run.recipe.name, recipe: run.recipe.yaml, networkSteps: run.trainedSteps, steps: steps,
      batch: batch,
      prompts: prompts, depthUnit: run.recipe.architecture == .standard ? "blocks" : "loops", parts: parts)
  }

  private func stream(_ number: UInt32) -> RandomStream {
    RandomStream(seed: UInt64(bitPattern: Int64(run.recipe.seed)), stream: number)
  }

  /// One set of probes per depth; `nil` if interrupted.
  private func trained(
    _ task: FunctionTask, _ asked: [(ProbeTarget, [Int])], initialisation: UInt32, data: UInt32,
    _ progress: (Int) -> Bool
  ) throws -> [Probes]? {
    var random = stream(initialisation)
    let count = asked.reduce(0) { $0 + $1.1.count }
    var probes: [Probes] = []
    for _ in 0..<depths {
      probes.append(
        Probes(
          probes: count, tokens: task.tokens(points: run.recipe.points), width: run.recipe.width,
          outputs: task.dimension, random: &random))
    }
    let rate = LearningRate(
      peak: Float(rate), shape: .cosine, warmup: min(steps / 10, 50), steps: steps, floor: Float(rate) / 100)
    let trainer = Trainer(probes.flatMap(\.parameters), rate: rate)
    var stream = stream(data)
    for step in 0..<steps {
      let (states, targets) = sample(task, batch, asked, &stream)
      _ = try trainer.train { _ in
        mean(of: zip(probes, states).map { squaredError($0($1), targets) })
      }
      guard progress(step + 1) else { return nil }
    }
    return probes
  }

  /// The network's states on fresh prompts, one per depth as probes read them, and the targets: [probes, prompts, d].
  private func sample(
    _ task: FunctionTask, _ count: Int, _ asked: [(ProbeTarget, [Int])], _ random: inout RandomStream
  ) -> (states: [Tensor], targets: Tensor) {
    let d = task.dimension
    let prompts = (0..<count).map { _ in task.prompt(points: run.recipe.points, random: &random) }
    let probes = asked.reduce(0) { $0 + $1.1.count }
    let targets = Tensor(uninitialized: [probes, count, d])
    WorkerPool.shared.run(count) { b, _ in
      let values = asked.flatMap { $0.0.values(prompts[b], prefixes: $0.1) }
      for (probe, value) in values.enumerated() {
        for c in 0..<d { targets.pointer[(probe * count + b) * d + c] = value[c] }
      }
    }
    let states = run.model.hiddenStates(RegressionPrompt.batch(prompts[...]).tokens, loops: loops)
    return (states.map(Probes.byTokens), targets)
  }

  /// Errors by depth and probe, and the mean squares of the targets, on prompts of the task.
  private func measure(_ probes: [Probes], _ asked: [(ProbeTarget, [Int])]) -> ([[Double]], [Double]) {
    let count = asked.reduce(0) { $0 + $1.1.count }
    var errors = [[Double]](repeating: [Double](repeating: 0, count: count), count: depths)
    var squares = [Double](repeating: 0, count: count)
    var random = stream(23)
    var done = 0
    while done < prompts {
      let size = min(batch, prompts - done)
      done += size
      let (states, targets) = sample(task, size, asked, &random)
      let block = size * task.dimension
      func add(_ values: Tensor, to sums: inout [Double]) {
        for probe in 0..<count {
          for i in probe * block..<(probe + 1) * block {
            let difference = Double(values.pointer[i]) - Double(targets.pointer[i])
            sums[probe] += difference * difference / Double(prompts * task.dimension)
          }
        }
      }
      add(Tensor(zeros: targets.shape), to: &squares)
      for depth in 0..<depths {
        let predictions = Tape.withoutRecording { probes[depth](states[depth]).value }
        add(predictions, to: &errors[depth])
      }
    }
    return (errors, squares)
  }
}

/// A network that cannot be probed for the weights of a linear function.
public struct NotProbed: Error, Equatable, CustomStringConvertible {
  public let reason: String
  public var description: String {
    "error: \(reason)\nhint: probes are for networks of task.family linear or sparse"
  }
}
