import Foundation
import Gradients
import LanguageModel
import Layers
import Pretraining
import Tensors

/// A training step that is measured: a model, its data, and how often it multiplies and adds.
struct TrainingStep {
  /// What is measured, and the arguments that make a peer do the same.
  enum Setting: String, CaseIterable {
    case width64, width256, decoder
    case decoderInBFloat16 = "decoder-bf16"

    var title: String {
      switch self {
      case .width64: "GPT-2 block, D 64, 4 heads, 22 tokens, batch 64, 15 loops, 10 with gradient"
      case .width256: "GPT-2 block, D 256, 8 heads, 82 tokens, batch 64, 20 loops, 15 with gradient"
      case .decoder: "decoder of 10 M parameters, D 384, 4 layers, 4 loops, 4096 words, 8 × 256 tokens"
      case .decoderInBFloat16:
        "the same decoder; products in bf16, weights in f32; PyTorch with torch.autocast"
      }
    }

    var width: Int { [.width64: 64, .width256: 256][self] ?? 384 }
    /// What a row of the table begins with.
    var label: String { self == .decoderInBFloat16 ? "384, bf16" : "\(width)" }
    var precision: ProductPrecision { self == .decoderInBFloat16 ? .bfloat16 : .float32 }
    var peer: String { width == 384 ? "looped_lm_torch" : "looped_step_torch" }
    var arguments: [String] {
      switch self {
      case .width64: ["--setting", "scaled"]
      case .width256: ["--setting", "paper"]
      case .decoder: []
      case .decoderInBFloat16: ["--autocast"]
      }
    }
  }

  let run: () throws -> Void
  /// Operations of the products and of attention, 10⁹: of what is computed, which is less than a step has that computes
  /// tokens whom no loss reads.
  let gigaoperations: Double

  init(_ setting: Setting) {
    switch setting {
    case .width64:
      self.init(width: 64, heads: 4, inputs: 5, points: 11, loops: 15, taped: 10)
    case .width256:
      self.init(width: 256, heads: 8, inputs: 20, points: 41, loops: 20, taped: 15)
    case .decoder, .decoderInBFloat16:
      self.init(
        decoderOfWidth: 384, heads: 6, layers: 4, words: 4096, loops: 4, sequences: 8, length: 256,
        precision: setting.precision)
    }
  }

  private init(width: Int, heads: Int, inputs: Int, points: Int, loops: Int, taped: Int) {
    let (batch, tokens) = (64, 2 * points)
    let window = LoopWindow(loops: loops, window: taped)
    var random = RandomStream(seed: 1)
    let model = LoopedGPT2(inputs: inputs, tokens: tokens, width: width, heads: heads, random: &random)
    let trainer = Trainer(model.parameters, rate: LearningRate(peak: 1e-4))
    let (prompts, targets) = (random.normal([batch, tokens, inputs]), random.normal([batch, points, 1]))
    run = { _ = try trainer.train { _ in model.loss(prompts, targets: targets, window: window) } }
    // 24 D² and the causal half of 4 D T per token forward, twice that backward; the last y token is computed nowhere, the
    // others are in the last loop spared the 18 D² behind attention.
    let squares = Double(width * width)
    let rows = Double(batch * (tokens - 1))
    let pass = rows * (24 * squares + 2 * Double(width * (tokens - 1)))
    let spared = Double(batch * (points - 1)) * 18 * squares
    gigaoperations = (pass * Double(loops + 2 * taped) - 3 * spared) / 1e9
  }

  private init(
    decoderOfWidth width: Int, heads: Int, layers: Int, words: Int, loops: Int, sequences: Int, length: Int,
    precision: ProductPrecision
  ) {
    let inner = width * 8 / 3
    let configuration = ModelConfiguration(
      family: .ouro, vocabularySize: words, hiddenSize: width, layers: layers, heads: heads,
      keyValueHeads: heads, headSize: width / heads, intermediateSize: inner, loops: loops,
      contextLength: length, ropeBase: 10_000, hasExitGate: true)
    var random = RandomStream(seed: 1)
    let model = LoopedDecoder(configuration, random: &random)
    var settings = Adam.Settings()
    settings.decay = 0.1
    let trainer = Trainer(model.parameters, rate: LearningRate(peak: 1e-4), adam: settings, clipping: 1)
    let count = sequences * length
    let stream = (0...count).map { _ in Int32(random.next() % UInt64(words)) }
    let data = TokenBatch(
      sequences: sequences, length: length, tokens: Array(stream.dropLast()),
      targets: Array(stream.dropFirst()))
    let table = RotaryTable(positions: length, headSize: width / heads)
    run = {
      _ = try trainer.train { _ in
        precision.forProducts { model.loss(data, loops: loops, table: table, entropyWeight: 0.1).loss }
      }
    }
    let layer = Double(8 * width * width + 6 * width * inner + 2 * width * length)
    gigaoperations =
      3 * Double(count * loops) * (Double(layers) * layer + Double(2 * width * words)) / 1e9
  }

  /// Two steps in this process, which does nothing else; prints the most memory that it held, and how much of that came
  /// after the model was made.
  static func printMemory(of name: String) throws {
    guard let setting = Setting(rawValue: name) else { return }
    let step = TrainingStep(setting)
    let before = ProcessMemory.peak
    for _ in 0..<2 { try step.run() }
    print("{\"peak_bytes\": \(ProcessMemory.peak), \"step_bytes\": \(ProcessMemory.peak - before)}")
  }
}
