import ArgumentParser
import CKernels
import Collectives
import Foundation
import Gradients
import LanguageModel
import Layers
import Pretraining
import Tensors

extension ProductPrecision: ExpressibleByArgument {}

/// Times stage I of a looped language model: forward, backward, clipping, AdamW. Under mpirun: on all ranks together.
struct DecoderBenchmark: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "decoder-bench", abstract: "Time a training step of a looped language model.")

  @Option var width = 384
  @Option var heads = 6
  @Option var layers = 4
  @Option var vocabulary = 4096
  @Option var loops = 4
  @Option var batch = 8
  @Option var sequence = 256
  @Option(help: "Steps that are timed, after two that are not.") var steps = 5
  @Flag(help: "Compute the loops again in the backward pass.") var checkpoints = false
  @Option(help: "Of the products: f32 or bf16.") var precision = ProductPrecision.float32
  @Flag(help: "One JSON object.") var json = false

  func run() throws {
    let communicator = try Launch.join()
    try communicator.run { try measure(communicator) }
    Launch.leave(communicator)
  }

  private func measure(_ communicator: any Communicator) throws {
    let configuration = ModelConfiguration(
      family: .ouro, vocabularySize: vocabulary, hiddenSize: width, layers: layers, heads: heads,
      keyValueHeads: heads, headSize: width / heads, intermediateSize: width * 8 / 3, loops: loops,
      contextLength: sequence, ropeBase: 10_000, hasExitGate: true)
    var random = RandomStream(seed: 1)
    let model = LoopedDecoder(configuration, random: &random)
    var settings = Adam.Settings()
    settings.decay = 0.1
    let trainer = Trainer(
      model.parameters, rate: LearningRate(peak: 1e-4), adam: settings, clipping: 1,
      communicator: communicator)
    let count = batch * sequence
    let tokens = (0...count).map { _ in Int32(random.next() % UInt64(vocabulary)) }
    let own = communicator.share(of: batch)
    let rows = own.lowerBound * sequence..<own.upperBound * sequence
    let data = TokenBatch(
      sequences: own.count, length: sequence, tokens: Array(tokens.dropLast()[rows]),
      targets: Array(tokens.dropFirst()[(rows.lowerBound + 1)..<(rows.upperBound + 1)]))
    let table = RotaryTable(positions: sequence, headSize: width / heads)
    func step() throws {
      _ = try trainer.train { _ in
        precision.forProducts {
          model.loss(
            data, loops: loops, table: table, entropyWeight: 0.1, checkpoints: checkpoints,
            counted: count
          ).loss
        }
      }
    }
    for _ in 0..<2 { try step() }
    TensorMemory.shared.resetPeak()
    trainer.sharing?.resetUse()
    let clock = ContinuousClock()
    let before = StepBenchmark.processorSeconds()
    let times = try (0..<steps).map { _ in try clock.measure(step) / .seconds(1) }.sorted()
    let processor = (StepBenchmark.processorSeconds() - before) / Double(steps)
    guard communicator.isFirst else { return }
    var results: [(String, Double)] = [
      ("parameters", Double(model.parameterCount)), ("milliseconds", times[times.count / 2] * 1000),
      ("fastest_milliseconds", times[0] * 1000), ("processor_milliseconds", processor * 1000),
      ("tokens_per_second", Double(count) / times[times.count / 2]),
      ("tokens_per_processor_second", Double(count) / processor),
      ("tensor_peak_mib", Double(TensorMemory.shared.use.peakBytes) / 1_048_576),
      ("threads", Double(WorkerPool.shared.threads)), ("ranks", Double(communicator.size)),
    ]
    if let use = trainer.sharing?.use {
      let perStep = 1000 / Double(max(use.steps, 1))
      results += [
        ("reducing_milliseconds", use.reducing * perStep), ("waiting_milliseconds", use.waiting * perStep),
        ("updating_milliseconds", use.updating * perStep),
        ("gathering_milliseconds", use.gathering * perStep),
        ("megabytes_sent", Double(use.bytes) / 1e6 / Double(max(use.steps, 1))), ("overlap", use.overlap),
      ]
    }
    if json {
      print("{" + results.map { "\"\($0.0)\": \($0.1)" }.joined(separator: ", ") + "}")
    } else {
      for (name, value) in results {
        print("  \(name.padding(toLength: 28, withPad: " ", startingAt: 0)) \(String(format: "%.2f", value))")
      }
    }
  }
}
