import Foundation
import LanguageModel

/// What is in a model's files, for people and for machines: the file part of `looped inspect`.
struct FilesReport {
  let summary: ModelSummary

  var json: String {
    get throws {
      try jsonText(summary, [.sortedKeys, .withoutEscapingSlashes])
    }
  }

  var text: String {
    let s = summary
    var lines = [
      s.path,
      "  model       \(s.family), \(s.parameters) parameters, \(Self.megabytes(s.bytes))",
      "  block       \(s.layers) layers, applied \(s.loops) \(s.loops == 1 ? "time" : "times")",
      "  width       \(s.hiddenSize), MLP \(s.intermediateSize), vocabulary \(s.vocabularySize)"
        + (s.tiesEmbeddings ? " (readout tied)" : ""),
      "  attention   \(s.heads) heads of \(s.headSize), \(s.keyValueHeads) of keys and values",
      "  context     \(s.contextLength) tokens, rotary base \(s.ropeBase), norm epsilon \(s.normEpsilon)",
      "  exit gate   " + (s.hasExitGate ? "yes, threshold \(s.exitThreshold)" : "none"),
      "  tokenizer   " + (s.tokenizer.map { "\($0) tokens" } ?? "none")
        + (s.hasChatTemplate ? ", chat template" : "") + ", ends at \(s.endTokens)",
    ]
    for (type, arrays, bytes) in s.types {
      lines.append("  \(Self.padded(type, 10))  \(arrays) arrays, \(Self.megabytes(bytes))")
    }
    let width = s.arrays.map(\.name.count).max() ?? 0
    for array in s.arrays {
      let shape = array.shape.map(String.init).joined(separator: " × ")
      lines.append(
        "\(Self.padded(array.name, width))  \(Self.padded(array.type, 5))  \(Self.padded(shape, 15))  \(array.bytes)"
      )
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func megabytes(_ bytes: Int) -> String { String(format: "%.1f MB", Double(bytes) / 1e6) }

  private static func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(width - text.count, 0))
  }
}
