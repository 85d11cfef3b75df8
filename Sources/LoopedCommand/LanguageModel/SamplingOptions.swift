import ArgumentParser
import Foundation
import LanguageModel
import Tokenization

/// How the next token is chosen; names as in mlx-lm and llama.cpp. What is not given comes from the model's
/// `generation_config.json`, and else is greedy.
struct SamplingOptions: ParsableArguments {
  @Option(name: [.customLong("temp"), .customLong("temperature")], help: "0 takes the most probable token.")
  var temperature: Float?

  @Option(help: "Only the most probable tokens that together reach this probability.")
  var topP: Float?

  @Option(help: "Only so many of the most probable tokens; 0 for all.")
  var topK: Int?

  @Option(help: "Only tokens at least this probable, as a part of the most probable one.")
  var minP: Float?

  @Option(
    name: [.customLong("repeat-penalty"), .customLong("repetition-penalty")],
    help: "Above 1: tokens that were there become less probable.")
  var repetitionPenalty: Float?

  @Option(help: "Taken from the logits of tokens that were there.")
  var presencePenalty: Float = 0

  @Option(help: "Taken from the logits of tokens once for every time they were there.")
  var frequencyPenalty: Float = 0

  @Option(
    help: ArgumentHelp("How many of the last tokens the penalties look at; -1 for all.", valueName: "tokens"))
  var repeatLastN = 64

  @Option(name: [.short, .long], help: "The same seed gives the same text, bit by bit.")
  var seed: UInt64?

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp(
      "Added to the logits of tokens: id:value ...; -inf forbids one.", valueName: "id:value"))
  var logitBias: [String] = []

  /// - Throws: `CommandError` for a bias that is none; ranges are checked by the generator.
  func settings(_ defaults: GenerationDefaults, logProbabilities: Int?) throws -> SamplingSettings {
    var bias: [TokenID: Float] = [:]
    for entry in logitBias {
      let parts = entry.split(separator: ":")
      guard parts.count == 2, let token = TokenID(parts[0]), let value = Float(parts[1]), !value.isNaN else {
        throw CommandError("--logit-bias \(entry): give a token's number and a value, as in 42:-5 or 42:-inf")
      }
      bias[token] = value
    }
    return SamplingSettings(
      temperature: temperature ?? defaults.temperature ?? 0, topK: topK ?? defaults.topK ?? 0,
      topP: topP ?? defaults.topP ?? 1, minP: minP ?? defaults.minP ?? 0,
      repetitionPenalty: repetitionPenalty ?? defaults.repetitionPenalty ?? 1,
      presencePenalty: presencePenalty, frequencyPenalty: frequencyPenalty,
      penaltyWindow: repeatLastN < 0 ? nil : repeatLastN, logitBias: bias,
      seed: seed ?? .random(in: 0...UInt64(UInt32.max)),
      logProbabilities: logProbabilities)
  }
}
