import Gradients
import LanguageModel
import RecipeFiles
import Tensors

/// A run of a controlled experiment: a network trained on the answers of a synthetic task.
///
/// The same recipe and seed make the same run, bit by bit on one machine and number of threads.
public struct TaskRecipe: OptimizedRecipe, Equatable, Sendable {
  public enum Kind: String, CaseIterable, Sendable {
    /// `ManoTask`.
    case mano
    /// `MultiHopTask`.
    case hops
    /// `CapoTask`.
    case capo
  }

  public enum Objective: String, CaseIterable, Sendable {
    /// The cross-entropy after the last loop, as in the paper's controlled experiments.
    case last
    /// Stage I: expected over the exits, minus β · entropy.
    case expected
  }

  public var name = "unnamed"
  /// What the run should show, for people.
  public var expected = ""
  public var seed = 1

  // task
  public var kind = Kind.mano
  public var modulus = 23
  public var operations = 10
  public var people = 100
  public var relations = 20
  public var hops = 3
  public var share = 0.15
  /// The paper's: names, and month, day and year of birth, city, university, major, employer, gender.
  public var names = [400, 400, 1000]
  public var values = [12, 28, 200, 200, 300, 100, 263, 2]
  public var templates = 1

  // model
  public var width = 64
  public var heads = 4
  public var layers = 2
  /// Inner width of the MLP; 0: eight thirds of the width, to a multiple of 32.
  public var inner = 0
  public var ties = false

  // training
  public var steps = 1000
  public var batch = 128
  public var rate = 1e-3
  public var schedule = LearningRate.Shape.cosine
  public var warmup = 100
  public var floor = 1e-4
  public var clipping = 1.0
  public var decay = 0.1
  public var beta1 = 0.9
  public var beta2 = 0.98
  public var loops = 1
  public var objective = Objective.last
  public var entropyWeight = StepSchedule(0.1)
  /// Stage II after the other steps; 0: none.
  public var gateSteps = 0
  public var gateRate = 1e-2
  public var logEvery = 100
  public var checkpointEvery = 1000

  // evaluation
  /// Of each group.
  public var questions = 2000

  public init() {}

  public static let keysCommand = "looped pretrain experiment --keys"

  /// The random streams of a run.
  enum Stream: UInt32 { case initialisation, world, training, evaluation }

  /// Stream of a run, or of one step of it, so that a position in the data is a step.
  func stream(_ stream: Stream, step: Int = 0) -> RandomStream {
    RandomStream(seed: UInt64(seed) << 32 | UInt64(step), stream: stream.rawValue)
  }

  /// The task. - Precondition: the recipe has no contradiction.
  public func task() -> any TokenTask {
    switch kind {
    case .mano: return ManoTask(modulus: modulus, operations: operations)
    case .hops:
      var random = stream(.world)
      return MultiHopTask(people: people, relations: relations, hops: hops, share: share, random: &random)
    case .capo:
      var random = stream(.world)
      return CapoTask(people: people, names: names, values: values, templates: templates, random: &random)
    }
  }

  /// Names of the groups of questions, without making the task.
  public var groups: [String] {
    switch kind {
    case .mano: ManoTask(modulus: modulus, operations: operations).groups
    case .hops: MultiHopTask.groups
    case .capo: CapoTask.groups
    }
  }

  public var contradiction: (key: String, problem: String)? {
    if width % heads != 0 || width / heads % 2 != 0 {
      return ("model.heads", "\(heads) heads do not divide a width of \(width) evenly")
    }
    if let contradiction = taskContradiction { return contradiction }
    if gateSteps > 0, loops == 1 { return ("training.gate-steps", "a gate needs two loops") }
    if objective == .expected, loops == 1 { return ("training.objective", "one loop has one exit") }
    let (vocabulary, longest) = extent
    let parameters = configuration(vocabulary: vocabulary, context: longest).parameterCount
    if parameters > 1 << 28 {
      return ("model.layers", "a network of \(parameters) parameters, more than \(1 << 28)")
    }
    let numbers = batch * longest * width * 16 * layers * loops
    if numbers > 8 << 30 { return ("training.batch", "a step would keep \(numbers >> 28) GiB") }
    return nil
  }

  private var taskContradiction: (key: String, problem: String)? {
    switch kind {
    case .mano: return nil
    case .hops:
      guard let count = MultiHopTask.questions(people: people, relations: relations, hops: hops) else {
        return (
          "task.people",
          "\(people) people and \(relations) relations make more than \(MultiHopTask.limit) questions"
        )
      }
      let trained = Int(share * Double(count))
      guard trained < 1 || trained >= count else { return nil }
      return (
        "task.share", "of \(count) questions some are trained on and some are held out, not \(trained)"
      )
    case .capo:
      guard let combinations = CapoTask.combinations(names) else {
        return ("task.names", "more than \(CapoTask.nameLimit) names")
      }
      guard combinations >= people else {
        return ("task.names", "only \(combinations) names for \(people) people")
      }
      return nil
    }
  }

  /// Tokens and the longest question of the task, without making it.
  private var extent: (vocabulary: Int, longest: Int) {
    switch kind {
    case .mano:
      let task = ManoTask(modulus: modulus, operations: operations)
      return (task.vocabulary, task.longest)
    case .hops:
      return (MultiHopTask.vocabulary(people: people, relations: relations, hops: hops), hops + 3)
    case .capo:
      return (
        CapoTask.vocabulary(names: names, values: values, templates: templates),
        CapoTask.longest(names: names, values: values)
      )
    }
  }

  /// The network's shape.
  func configuration(vocabulary: Int, context: Int) -> ModelConfiguration {
    let inner = inner > 0 ? inner : (width * 8 / 3 + 31) / 32 * 32
    return ModelConfiguration(
      family: .ouro, vocabularySize: vocabulary, hiddenSize: width, layers: layers, heads: heads,
      keyValueHeads: heads, headSize: width / heads, intermediateSize: inner, loops: loops,
      contextLength: context, ropeBase: 10_000, tiesEmbeddings: ties, hasExitGate: true)
  }

  public static func isUntrained(key: String) -> Bool {
    key == "name" || key == "expected" || key.hasPrefix("evaluation.") || key == "training.log-every"
      || key == "training.checkpoint-every"
  }
}
