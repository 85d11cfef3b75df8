import CommandSupport
import Foundation
import LanguageModel
import Reporting
import Tensors
import Tokenization

/// The shipped looped language model writes a verse, plainly and by wavefront, and shows what it thinks after every loop.
struct LanguageModelStop: TourStop {
  let title = "A language model that thinks in loops (Ouro, 2025)"

  private static let beginning = "And the LORD said unto"

  func run(_ section: inout TourSection) throws {
    let (loaded, loading) = try timed { try ModelFiles.load(ShippedModel.find()) }
    let model = loaded.model
    let c = model.configuration
    let prompt = loaded.tokenizer.encode(Self.beginning)
    let executor = LoopExecutor(model)
    let benchmark = WavefrontBenchmark(
      executor, prompt: prompt,
      settings: GenerationSettings(exit: ExitPolicy(.fixed, loops: c.loops), maximumTokens: 48, endTokens: [])
    )
    // Throws where the two texts differ.
    let (report, seconds) = try timed { try benchmark.run(.adaptive) }
    section.add(
      row(
        "text, \(c.loops) loops a token", model, checkedAgainst: "wavefront decoding",
        seconds: loading + seconds,
        result: String(format: "%.0f tokens/s", report.plain.tokensPerSecond)))
    section.add(
      row(
        "the same by wavefront", model, checkedAgainst: "plain decoding", seconds: seconds,
        result: String(format: "%.2f passes/token", report.wavefront.passesPerToken)))

    let inspection = try LoopInspection(executor, prompt + written(loaded, executor, prompt), top: 3)
    section.paragraph(
      "Trained from nothing on the King James Bible: \(c.layers) layers, applied \(c.loops) times. Every column is a token "
        + "of what it wrote, every row a loop, every cell what would come next if it stopped there. Where early loops are "
        + "right already, the wavefront has begun the next token before this one is done.")
    section.picture(InspectionReport(inspection: inspection, tokenizer: loaded.tokenizer).lens)
  }

  /// The first tokens of what it writes.
  private func written(_ loaded: LoadedModel, _ executor: LoopExecutor, _ prompt: [TokenID]) throws
    -> [TokenID]
  {
    let generator = try Generator(
      executor, cache: KVCache(loaded.model.configuration), prompt: prompt,
      settings: GenerationSettings(maximumTokens: 12, endTokens: []), bytes: loaded.tokenizer.bytes(of:))
    while try generator.next() != nil {}
    return generator.tokens
  }

  private func row(
    _ what: String, _ model: LanguageModel, checkedAgainst: String, seconds: Double, result: String
  ) -> TourRow {
    let c = model.configuration
    return TourRow(
      what, result: result, loops: c.loops, layers: c.layers, width: c.hiddenSize,
      parameters: c.parameterCount,
      checkedAgainst: checkedAgainst, seconds: seconds)
  }
}
