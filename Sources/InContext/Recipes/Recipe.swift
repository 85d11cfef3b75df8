import Gradients
import Layers

/// Everything an experiment is made of: what a YAML file in Recipes/ says.
///
/// The same recipe and seed make the same run, bit by bit on one machine and number of threads.
public struct Recipe: Equatable, Sendable {
  public enum Family: String, CaseIterable, Sendable {
    case linear, sparse, tree, relu, representation, autoregression
    case chainOfThought = "chain-of-thought"
    case tabular
  }

  public var name = "unnamed"
  /// What the experiment should show, for people.
  public var expected = ""
  public var seed = 42

  // task
  public var family = Family.linear
  public var dimension = 5
  public var points = 11
  public var noise = 0.0
  /// Nonzero weights of sparse linear functions.
  public var support = 2
  /// Depth of decision trees; layers of the representation; steps of a chain of thought.
  public var depth = 3
  /// Hidden units of ReLU networks and chains of thought; outputs of the representation.
  public var hidden = 16
  /// The q of autoregression.
  public var order = 2
  /// Distinct training prompts, 0 for fresh ones always.
  public var pool = 0
  /// Tables of classification as CSV files; none for synthetic ones.
  public var files: [String] = []
  /// The column of the label; empty for the last.
  public var label = ""
  /// How many synthetic tables, and of how many rows.
  public var tables = 10
  public var tableRows = 1000
  /// The table that is left out of training, counted from 0.
  public var heldOutTable = 0

  // model
  public var architecture = Architecture.looped
  public var width = 64
  public var heads = 4
  public var layers = 1
  public var injection = Injection.additive
  public var preLayers = 1
  public var postLayers = 1
  public var positions = PositionPlace.stacks
  public var norms = NormPlace.stacks
  /// Whether every block reads its stack's input again.
  public var injectsBlocks = false

  // training
  public var steps = 10_000
  public var batch = 64
  public var rate = 1e-3
  public var schedule = LearningRate.Shape.constant
  public var warmup = 0
  public var floor = 0.0
  /// The longest gradient, 0 for no clipping.
  public var clipping = 0.0
  /// b, all loops.
  public var loops = 15
  /// T, the last loops, which are trained.
  public var window = 10
  /// Supervise the last loop and every m-th before it.
  public var superviseEvery = 1
  public var checkpointsLoops = false
  /// The curricula start here and reach the recipe's own size; 0 for no curriculum.
  public var startDimension = 0
  public var dimensionInterval = 2000
  public var startPoints = 0
  public var pointsIncrement = 2
  public var pointsInterval = 2000
  public var startLoops = 0
  public var loopsIncrement = 2
  public var loopsInterval = 500
  public var logEvery = 50
  public var checkpointEvery = 500
  /// Steps between measurements on held-out prompts, 0 for none; and how many prompts.
  public var evaluateEvery = 0
  public var evaluationPrompts = 256

  // evaluation
  public var prompts = 1280
  /// Loops of the loop curve, 0 for four times the trained.
  public var evaluationLoops = 0
  public var baselines: [String] = ["least-squares", "nearest:3", "averaging"]
  public var shifts: [String] = []

  public init() {}

  /// Loops to evaluate.
  public var loopCurveLength: Int { evaluationLoops > 0 ? evaluationLoops : 4 * loops }

  /// The random streams of a run.
  public enum Stream: UInt32 {
    case initialisation, data, evaluation, representation, bootstrap
    /// Prompts on which a run is measured while it is trained.
    case heldOut = 10
    case tables
  }

  /// What contradicts within the recipe: the key to blame, and why. `nil` if nothing does.
  public var contradiction: (key: String, problem: String)? {
    if width % heads != 0 { return ("model.heads", "\(heads) heads do not divide a width of \(width)") }
    if family == .sparse, support > dimension {
      return ("task.support", "\(support) nonzero weights do not fit \(dimension) dimensions")
    }
    if startDimension > dimension {
      return ("training.start-dimension", "the curriculum starts above its end, \(dimension) dimensions")
    }
    if startPoints > points {
      return ("training.start-points", "the curriculum starts above its end, \(points) points")
    }
    if startLoops > loops {
      return ("training.start-loops", "the curriculum starts above its end, \(loops) loops")
    }
    if family == .autoregression, order > points {
      return ("task.order", "a series of \(points) points is shorter than its order")
    }
    for name in baselines {
      if let problem = Baselines.problem(with: name) { return ("evaluation.baselines", problem) }
    }
    for name in shifts where DistributionShift(name: name) == nil {
      return ("evaluation.shifts", "no shift is named '\(name)'; there are \(DistributionShift.names)")
    }
    if family == .tabular, files.isEmpty, tables * tableRows * dimension > 1 << 26 {
      return ("task.table-rows", "\(tables) tables of \(tableRows) rows take more than a quarter of a GiB")
    }
    if family == .tabular {
      do {
        let tables = try numericTables()
        if let problem = TabularTask.problem(
          with: tables, dimension: dimension, points: points, heldOut: heldOutTable)
        {
          return (files.isEmpty ? "task.family" : "task.files", problem)
        }
      } catch {
        return ("task.files", "\(error)")
      }
    }
    // A state of the loop holds batch · tokens · width numbers; a few thousand millions do not fit a machine.
    let numbers = batch * task.tokens(points: points) * width * 16 * max(1, window)
    if numbers > 8 << 30 { return ("training.batch", "a step would keep \(numbers >> 28) GiB") }
    return nil
  }

  public var task: any PromptTask {
    func function(_ family: any FunctionFamily) -> FunctionTask {
      FunctionTask(
        family, dimension: dimension, noise: Float(noise), pool: pool > 0 ? pool : nil,
        poolSeed: poolSeed)
    }
    switch family {
    case .linear: return function(LinearFunctions())
    case .sparse: return function(SparseLinearFunctions(support: support))
    case .tree: return function(DecisionTreeFunctions(depth: depth))
    case .relu: return function(ReLUNetworkFunctions(hidden: hidden))
    case .representation: return function(RepresentationFunctions(representation(inputs: dimension)))
    case .autoregression:
      return AutoregressionTask(
        dimension: dimension, order: order, noise: Float(noise),
        representation: representation(inputs: order * dimension))
    case .tabular:
      // A recipe without contradiction has read its tables before.
      let tables = (try? numericTables()) ?? []
      var random = stream(.tables)
      return TabularTask(tables, dimension: dimension, heldOut: heldOutTable, random: &random)
    case .chainOfThought: return ChainOfThoughtTask(dimension: dimension, hidden: hidden, steps: depth)
    }
  }

  /// The pool's prompts are streams of a seed of their own: with the run's, prompt 100 of the pool would be the first of
  /// the held-out ones.
  private var poolSeed: UInt64 { UInt64(bitPattern: Int64(seed)) ^ 0x706F_6F6C_0000_0000 }

  private func representation(inputs: Int) -> Representation {
    var random = stream(.representation)
    return Representation(inputs: inputs, outputs: hidden, layers: depth, random: &random)
  }

  public func modelConfiguration(of task: any PromptTask) -> InContextModel.Configuration {
    InContextModel.Configuration(
      architecture: architecture, inputs: task.inputs, outputs: task.outputs,
      tokens: task.tokens(points: points), width: width, heads: heads, layers: layers, injection: injection,
      preLayers: preLayers, postLayers: postLayers, positions: positions, norms: norms,
      injectsEveryBlock: injectsBlocks)
  }

  public var learningRate: LearningRate {
    LearningRate(peak: Float(rate), shape: schedule, warmup: warmup, steps: steps, floor: Float(floor))
  }

  /// Sizes in the step with this number, counted from 0.
  public func sizes(at step: Int) -> (dimension: Int, points: Int, loops: Int) {
    func size(_ start: Int, _ end: Int, _ increment: Int, _ interval: Int) -> Int {
      start == 0 ? end : Curriculum(start: start, end: end, increment: increment, interval: interval).at(step)
    }
    return (
      size(startDimension, dimension, 1, dimensionInterval),
      size(startPoints, points, pointsIncrement, pointsInterval),
      size(startLoops, loops, loopsIncrement, loopsInterval)
    )
  }
}
