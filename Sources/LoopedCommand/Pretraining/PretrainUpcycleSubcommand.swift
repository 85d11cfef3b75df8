import ArgumentParser
import Foundation
import LanguageModel
import Pretraining
import Tensors
import Tokenization

/// `looped pretrain upcycle`
struct PretrainUpcycleSubcommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "upcycle",
    abstract: "Make a larger or a looped model of a trained one, to be trained on.",
    discussion: """
      --copies repeats every layer; a Llama-shaped model becomes a looped one with --loops:

        looped pretrain upcycle runs/small/model --copies 2 --order interleaved -o larger
        looped pretrain upcycle llama --loops 4 --text book.txt -o looped-llama
      """)

  @Argument(help: "A model's folder, or a GGUF file.") var folder: String
  @Option(name: .shortAndLong, help: "The folder to write.") var output: String
  @Option(help: "How often each layer stands in the new model.") var copies = 1
  @Option(help: "interleaved (0 0 1 1) or stacked (0 1 0 1).") var order: Order = .interleaved
  @Option(help: "Loops of the new model. (default: as before; 4 for a Llama-shaped one)") var loops: Int?
  @Option(help: "Text to measure a Llama-shaped model's branches on; random tokens if not given.") var text:
    String?
  @Flag(help: "Write f32 instead of bf16.") var precise = false

  enum Order: String, ExpressibleByArgument, CaseIterable { case interleaved, stacked }

  func validate() throws {
    if !(1...64).contains(copies) { throw ValidationError("--copies is from 1 to 64") }
    if let loops, !(1...8).contains(loops) { throw ValidationError("--loops is from 1 to 8") }
  }

  func run() throws {
    var model = try DecoderFiles.load(folder)
    if model.configuration.family == .llama {
      model = Upcycling.looped(model, loops: loops ?? 4, batch: try calibration(model.configuration))
    }
    model = Upcycling.repeatingLayers(of: model, copies: copies, order: .init(rawValue: order.rawValue)!)
    var configuration = model.configuration
    configuration.loops = loops ?? configuration.loops
    try DecoderFiles.save(
      model, to: output, precision: precise ? .float32 : .bfloat16, configuration: configuration)
    for name in ["tokenizer.json", "tokenizer_config.json", "generation_config.json"] {
      guard let data = FileManager.default.contents(atPath: folder + "/" + name) else { continue }
      try AtomicFile.write([Array(data)], to: output + "/" + name)
    }
    let made = model.configuration
    print(
      "\(output): \(made.layers) layers, \(configuration.loops) loops, \(model.parameterCount) parameters")
  }

  /// A few hundred tokens of the text, or random ones.
  private func calibration(_ configuration: ModelConfiguration) throws -> TokenBatch {
    let count = 256
    var tokens: [Int32] = []
    if let text {
      let tokenizer = try Tokenizer(contentsOf: folder + "/tokenizer.json")
      for document in try TextDocuments.read(text) where tokens.count < count {
        tokens += tokenizer.encode(String(document.prefix(16 * count)))
      }
      guard !tokens.isEmpty, tokens.allSatisfy({ $0 < configuration.vocabularySize }) else {
        throw CommandError("\(text) has no text in the vocabulary of \(folder)")
      }
    } else {
      var random = RandomStream(seed: 1)
      tokens = (0..<count).map { _ in Int32(random.next() % UInt64(configuration.vocabularySize)) }
    }
    tokens = Array(tokens.prefix(count))
    return TokenBatch(sequences: 1, length: tokens.count, tokens: tokens, targets: tokens.map { _ in -1 })
  }
}
