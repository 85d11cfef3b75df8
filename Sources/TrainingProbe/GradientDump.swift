import ArgumentParser
import Foundation
import Gradients
import Layers
import Tensors

/// Writes weights, data, predictions, the loss, every gradient, and the losses of some training steps to one file.
struct GradientDump: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dump", abstract: "Write what a small model computes, for Conformance/ to judge.")

  enum Model: String, ExpressibleByArgument, CaseIterable { case gpt2, llama }

  @Option(help: "gpt2: the looped model, with Adam. llama: a small language model, with AdamW and clipping.")
  var model: Model = .gpt2
  @Option var injection = "additive"
  @Option var batch = 3
  @Option(help: "Points of a prompt, or tokens of a text.") var points = 5
  @Option(help: "Coordinates of a point, or words of the vocabulary.") var inputs = 4
  @Option var width = 24
  @Option var heads = 3
  @Option var depth = 1
  @Option var loops = 4
  @Option var window = 3
  @Option var steps = 10
  @Option var rate: Float = 1e-3
  @Option(help: "Weights to start from, instead of our own initialisation.") var weights: String?
  @Option(help: "A folder for a TensorBoard event file and log.jsonl of the training steps.") var logs:
    String?
  @Option(name: .customLong("to")) var path: String

  func run() throws {
    var random = RandomStream(seed: 11)
    var stored: [StoredTensor] = []
    let parameters: [Parameter]
    let trainer: Trainer
    let loss: () -> Variable
    var predictions: () -> [Tensor]
    switch model {
    case .gpt2:
      guard let injection = Injection(rawValue: injection) else {
        throw ValidationError("injection is one of \(Injection.allCases.map(\.rawValue))")
      }
      let model = LoopedGPT2(
        inputs: inputs, tokens: 2 * points + 1, width: width, heads: heads, depth: depth,
        injection: injection,
        random: &random)
      let prompts = random.normal([batch, 2 * points, inputs])
      let targets = random.normal([batch, points, 1])
      stored.append(StoredTensor("data.prompts", shape: prompts.shape, prompts.values))
      stored.append(StoredTensor("data.targets", shape: targets.shape, targets.values))
      let (window, loops) = (LoopWindow(loops: loops, window: window), loops)
      parameters = model.parameters
      trainer = Trainer(parameters, rate: LearningRate(peak: rate))
      loss = { model.loss(prompts, targets: targets, window: window) }
      predictions = { model.predictions(prompts, loops: loops) }
    case .llama:
      let model = SmallLlama(
        vocabulary: inputs, tokens: points, width: width, heads: heads, depth: depth, random: &random)
      let tokens = (0..<batch * points).map { _ in Int32(random.next() % UInt64(inputs)) }
      // Next tokens; some do not count.
      let targets = tokens.indices.map { $0 % points == points - 1 ? -1 : tokens[$0 + 1] }
      stored.append(StoredTensor("data.tokens", shape: [batch, points], tokens))
      stored.append(StoredTensor("data.targets", shape: [batch, points], targets))
      var settings = Adam.Settings()
      settings.decay = 0.1
      parameters = model.parameters
      trainer = Trainer(parameters, rate: LearningRate(peak: rate), adam: settings, clipping: 0.5)
      let shape = [batch, points]
      loss = { crossEntropy(model(tokens, shape: shape), targets) }
      predictions = { [model(tokens, shape: shape).value] }
    }
    if let weights { try StateDict.load(into: parameters, from: weights) }
    stored += StateDict.tensors(parameters, prefix: "weight.")
    for (loop, prediction) in predictions().enumerated() {
      stored.append(StoredTensor("prediction.\(loop)", shape: prediction.shape, prediction.values))
    }
    let tape = Tape()
    let value = tape.record(loss)
    tape.backward(from: value)
    stored.append(StoredTensor("loss", shape: [1], [value.value.scalar]))
    for parameter in parameters {
      let gradient = parameter.gradient ?? Tensor(zeros: parameter.shape)
      stored.append(StoredTensor("gradient.\(parameter.name)", shape: parameter.shape, gradient.values))
    }
    stored.append(StoredTensor("losses", shape: [steps], try train(trainer, loss)))
    stored += StateDict.tensors(parameters, prefix: "trained.")
    try AtomicFile.write(SafetensorsFile.parts(stored), to: path)
  }

  private func train(_ trainer: Trainer, _ loss: () -> Variable) throws -> [Double] {
    let events = try logs.map { try EventFile(folder: $0) }
    let lines = try logs.map { try JSONLinesLog(path: $0 + "/log.jsonl") }
    return try (0..<steps).map { _ in
      let report = try trainer.train { _ in loss() }
      try events?.write(LogEntry(report))
      try lines?.write(LogEntry(report))
      return report.loss
    }
  }
}

/// A language model of the layers that `LoopedGPT2` has not: token embedding, RMS norm, rotary positions, SwiGLU.
struct SmallLlama: Module {
  struct Block: Module {
    let attentionNorm: RMSNorm
    let attention: CausalSelfAttention
    let mlpNorm: RMSNorm
    let mlp: SwiGLUMLP

    func callAsFunction(_ x: Variable) -> Variable {
      let h = attention(attentionNorm(x), addingTo: x)
      return mlp(mlpNorm(h), addingTo: h)
    }
  }

  let embedding: Embedding
  let blocks: [Block]
  let norm: RMSNorm
  let output: Linear

  init(vocabulary: Int, tokens: Int, width: Int, heads: Int, depth: Int, random: inout RandomStream) {
    let table = RotaryTable(positions: tokens, headSize: width / heads)
    embedding = Embedding(entries: vocabulary, width: width, deviation: 0.5, random: &random)
    var blocks: [Block] = []
    for _ in 0..<depth {
      blocks.append(
        Block(
          attentionNorm: RMSNorm(width: width),
          attention: CausalSelfAttention(
            width: width, heads: heads, bias: false, deviation: 0.3, outputDeviation: 0.2, rotaryTable: table,
            random: &random),
          mlpNorm: RMSNorm(width: width),
          mlp: SwiGLUMLP(
            width: width, hidden: 2 * width + 1, deviation: 0.3, outputDeviation: 0.2, random: &random)))
    }
    self.blocks = blocks
    norm = RMSNorm(width: width)
    output = Linear(inputs: width, outputs: vocabulary, bias: false, deviation: 0.3, random: &random)
  }

  func callAsFunction(_ tokens: [Int32], shape: [Int]) -> Variable {
    output(norm(blocks.reduce(embedding(tokens, shape: shape)) { $1($0) }))
  }
}
