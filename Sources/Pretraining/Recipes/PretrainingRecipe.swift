import Gradients
import LanguageModel
import RecipeFiles
import Tensors

/// Everything a training run of a language model is made of: what a YAML file in Recipes/ says.
///
/// The same recipe, data and seed make the same run, bit by bit on one machine and number of threads.
public struct PretrainingRecipe: OptimizedRecipe, Equatable, Sendable {
  public enum Stage: String, CaseIterable, Sendable {
    /// Stage I: all parameters, the expected loss over exits minus β · entropy.
    case model
    /// Stage II: the exit gate alone.
    case gate
    /// Fine-tuning on chats: as `model`, with loss on answers only.
    case chat
  }

  public var name = "unnamed"
  /// What the run should show, for people.
  public var expected = ""
  public var seed = 42

  // data
  /// Text files, separated by commas.
  public var text = ""
  /// Chats, one JSON object per line.
  public var chats = ""
  /// A tokenizer.json; trained from the text where there is none.
  public var tokenizer = ""
  public var vocabulary = 2048
  /// Every n-th document is kept for evaluation; 0 keeps none.
  public var heldOutEvery = 50

  // model
  /// A Hugging Face folder to start from; random weights where there is none.
  public var start = ""
  public var family = ModelConfiguration.Family.ouro
  public var width = 256
  public var heads = 4
  /// 0: as many as heads.
  public var keyValueHeads = 0
  public var layers = 3
  /// Inner width of the MLP; 0: eight thirds of the width, to a multiple of 32.
  public var inner = 0
  public var ties = false

  // training
  public var stage = Stage.model
  public var steps = 1000
  public var batch = 8
  public var sequence = 256
  public var accumulation = 1
  public var rate = 1e-3
  public var schedule = LearningRate.Shape.cosine
  public var warmup = 100
  public var floor = 1e-4
  public var clipping = 1.0
  public var decay = 0.1
  public var beta1 = 0.9
  public var beta2 = 0.95
  /// The share of tokens read that are exchanged for others of the text.
  public var noise = StepSchedule(0)
  /// T; 0: as the model that the run starts from, and 4 for a new one.
  public var loops = StepSchedule(0)
  public var entropyWeight = StepSchedule(0.1)
  /// r of the prior q_t ∝ r^t of leaving; 1 is uniform.
  public var exitPrior = 1.0
  /// θ; 0: as the model that the run starts from, and 10 000 for a new one.
  public var ropeBase = StepSchedule(0)
  public var checkpointsLoops = false
  public var precision = ProductPrecision.float32
  public var gateReading = GateObjective.Reading.deciding
  public var gateSlope = 50.0
  public var gateThreshold = 0.005
  public var logEvery = 10
  public var checkpointEvery = 100

  // evaluation
  public var evaluateEvery = 500
  /// Held-out sequences; 0: all.
  public var evaluationSequences = 64
  public var prompt = "In the beginning"
  /// Tokens of the sample that every evaluation writes.
  public var sample = 60

  public init() {}

  public static let keysCommand = "looped pretrain keys"

  /// The random streams of a run.
  enum Stream: UInt32 { case initialisation, sampling }

  func stream(_ stream: Stream) -> RandomStream {
    RandomStream(seed: UInt64(bitPattern: Int64(seed)), stream: stream.rawValue)
  }

  /// What a schedule says, or what stands for its 0.
  func loops(at step: Int, of model: ModelConfiguration? = nil) -> Int {
    let loops = Int(loops.at(step))
    return loops > 0 ? loops : model?.loops ?? (family == .ouro ? 4 : 1)
  }

  func ropeBase(at step: Int, of model: ModelConfiguration? = nil) -> Double {
    let base = ropeBase.at(step)
    return base > 0 ? base : model?.ropeBase ?? 10_000
  }

  /// The most loops of any step.
  func maximumLoops(of model: ModelConfiguration? = nil) -> Int {
    loops.changes.reduce(1) { max($0, loops(at: $1.step, of: model)) }
  }

  public var contradiction: (key: String, problem: String)? {
    if width % heads != 0 || width / heads % 2 != 0 {
      return ("model.heads", "\(heads) heads do not divide a width of \(width) evenly")
    }
    if keyValueHeads > 0, heads % keyValueHeads != 0 {
      return ("model.key-value-heads", "\(keyValueHeads) do not divide \(heads) heads")
    }
    if text.isEmpty, stage != .chat { return ("data.text", "there is no text to train on") }
    if chats.isEmpty, stage == .chat { return ("data.chats", "there are no chats to train on") }
    if stage != .model, start.isEmpty {
      return ("model.start", "the stage \(stage.rawValue) needs a model to start from")
    }
    if family == .llama, start.isEmpty, maximumLoops() > 1 {
      return ("training.loops", "a Llama-shaped model has one loop")
    }
    if loops.values.contains(where: { $0 != $0.rounded() }) {
      return ("training.loops", "loops are whole numbers")
    }
    if stage == .gate, loops.values.contains(1) { return ("training.loops", "a gate needs two loops") }
    // What a step keeps for its backward pass, per token and layer; checkpointed loops keep one loop.
    let kept = checkpointsLoops ? 1 : maximumLoops()
    let numbers = batch * sequence * width * 16 * layers * kept
    if numbers > 8 << 30 { return ("training.batch", "a step would keep \(numbers >> 28) GiB") }
    return nil
  }

  /// The shape of a model that starts from random weights.
  func configuration(vocabulary: Int) -> ModelConfiguration {
    let inner = inner > 0 ? inner : (width * 8 / 3 + 31) / 32 * 32
    return ModelConfiguration(
      family: family, vocabularySize: vocabulary, hiddenSize: width, layers: layers, heads: heads,
      keyValueHeads: keyValueHeads > 0 ? keyValueHeads : heads, headSize: width / heads,
      intermediateSize: inner, loops: loops(at: loops.changes.last!.step), contextLength: sequence,
      ropeBase: ropeBase(at: ropeBase.changes.last!.step), tiesEmbeddings: ties, hasExitGate: family == .ouro)
  }

  var gateObjective: GateObjective {
    GateObjective(reading: gateReading, slope: gateSlope, threshold: gateThreshold)
  }

  static func paths(_ list: String) -> [String] {
    list.split(separator: ",").map { part in
      String(part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }.filter { !$0.isEmpty }
  }
}
