import ArgumentParser
import Foundation
import Gradients
import LanguageModel
import Layers
import Pretraining
import Tensors

/// Writes what the trainable decoder computes for a model's folder: states, gates, logits, losses and every gradient of
/// a stage, for Conformance/ to judge.
struct DecoderDump: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "decoder", abstract: "Write logits, gates and gradients of a model's folder.")

  @Argument(help: "A model's folder.") var folder: String
  @Option(help: "Tokens, separated by commas: one sequence.") var tokens: String
  @Option(help: "Where documents begin within the sequence, separated by commas.") var documents = "0"
  @Option(help: "Tokens that are not to be predicted, by place.") var skipped = ""
  @Option var loops: Int?
  @Option(help: "β of stage I.") var beta = 0.1
  @Option(help: "Stage II with this reading instead: printed or deciding.") var reading: String?
  @Option(help: "Of the products: f32 or bf16.") var precision = ProductPrecision.float32
  @Option(help: "Writes the model again into this folder, in f32.") var save: String?
  @Option(name: .customLong("to")) var path: String

  func run() throws {
    let model = try DecoderFiles.load(folder)
    let configuration = model.configuration
    func numbers(_ text: String) -> [Int] { text.split(separator: ",").compactMap { Int($0) } }
    let tokens = numbers(tokens).map { Int32($0) }
    var targets = tokens.dropFirst() + [-1]
    for place in numbers(skipped) { targets[targets.startIndex + place] = -1 }
    let starts = numbers(documents) + [tokens.count]
    let batch = TokenBatch(
      sequences: 1, length: tokens.count, tokens: tokens, targets: Array(targets),
      segments: zip(starts, starts.dropFirst()).map { $0..<$1 })
    let loops = loops ?? configuration.loops
    let table = RotaryTable(
      positions: tokens.count, headSize: configuration.headSize, base: configuration.ropeBase)
    var stored: [StoredTensor] = []
    let states = precision.forProducts { model.states(batch, loops: loops, table: table) }
    for (loop, state) in states.enumerated() {
      let logits = precision.forProducts { linear(state, model.readoutWeight).value }
      stored.append(StoredTensor("logits.\(loop)", shape: [tokens.count, logits.columns], logits.values))
    }
    for (loop, gate) in precision.forProducts({ model.gates(states) }).enumerated() {
      stored.append(StoredTensor("gate.\(loop)", shape: [tokens.count], gate.value.values))
    }
    let tape = Tape()
    let loss: Variable = precision.forProducts {
      tape.record {
        if let reading = reading.flatMap(GateObjective.Reading.init) {
          return model.gateLoss(
            batch, loops: loops, table: table, objective: GateObjective(reading: reading)
          ).loss
        }
        return model.loss(batch, loops: loops, table: table, entropyWeight: beta).loss
      }
    }
    tape.backward(from: loss)
    stored.append(StoredTensor("loss", shape: [1], [loss.value.scalar]))
    // In the names and shapes of the folder's file.
    for (name, shape, gradient) in DecoderFiles.gradients(of: model) {
      stored.append(StoredTensor("gradient.\(name)", shape: shape, gradient))
    }
    try AtomicFile.write(SafetensorsFile.parts(stored), to: path)
    if let save { try DecoderFiles.save(model, to: save, precision: .float32) }
  }
}
