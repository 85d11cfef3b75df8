import Foundation
import Tensors

/// Writes a model anew: from a Hugging Face folder or a GGUF file to either, in another type.
public struct ModelConversion {
  private let files: OpenedModel
  public var type: OutputType?
  /// Every matrix in `type`, the readout too.
  public var isPure = false
  /// Leaves the exit gate out of a GGUF file, for engines that refuse tensors they do not know.
  public var leavesGateOut = false
  /// The largest part of a folder's weights, in bytes.
  public var partBytes = 5_000_000_000

  /// Opens what will be converted.
  /// - Throws: `ModelFileError`, `SafetensorsError`, `GGUFError`.
  public init(_ path: String, loops: Int? = nil) throws { files = try OpenedModel(path, loops: loops) }

  /// A model in memory, as trained or drawn at random.
  /// - Parameters:
  ///   - name: what it will be called.
  ///   - tokenizer: a folder or GGUF file whose tokenizer it uses; `nil` writes none.
  /// - Throws: `ModelFileError`, `GGUFError`, `TokenizerError`.
  public init(_ model: LanguageModel, name: String, tokenizer: String? = nil) throws {
    files = try OpenedModel(model, name: name, tokenizer: tokenizer)
  }

  /// What will be converted.
  public var summary: ModelSummary { ModelSummary(files) }

  /// Whether matrices of the source are stored in blocks.
  public var isQuantised: Bool {
    summary.arrays.contains { array in
      GGUFTensorType.allCases.contains { $0.name == array.type && !$0.isPlain }
    }
  }

  /// The type of the result, if none is asked for: that of most of the source.
  private func naturalType() throws -> OutputType {
    var bytes: [GGUFTensorType: Int] = [:]
    for (weight, tensor) in try files.source.tensors() where weight.part.isMatrix {
      bytes[tensor.type, default: 0] += tensor.bytes.count
    }
    let most = bytes.max { ($0.value, $1.key.rawValue) < ($1.value, $0.key.rawValue) }?.key ?? .f32
    return OutputType.allCases.first { $0.tensorType == most } ?? .f32
  }

  /// Writes a GGUF file if the name ends in .gguf, else a folder. It appears when it is complete.
  /// - Throws: `ModelFileError`, `AtomicFile.Failure`, and what `progress` throws.
  public func write(
    to path: String, pool: WorkerPool = .shared,
    progress: (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
  ) throws -> WrittenModel {
    let source = files.source
    if path.lowercased().hasSuffix(".gguf") {
      return try source.writeGGUF(
        to: path, type: type ?? naturalType(), pure: isPure, withoutGate: leavesGateOut, name: name,
        tokenizer: files.tokenizer.gguf(), pool: pool, progress: progress)
    }
    let natural = try naturalType()
    var extra: [(name: String, contents: [UInt8])] = []
    if files.companions.isEmpty {
      extra = try files.tokenizer.huggingFaceFiles()
    } else {
      for path in files.companions {
        let bytes = try SharedBytes.map(path)
        extra.append(((path as NSString).lastPathComponent, Array(bytes.buffer)))
      }
    }
    return try source.writeHuggingFace(
      // Blocks have no counterpart in safetensors; f16 holds them all but for the last bits.
      to: path, type: type ?? (natural.tensorType.isPlain ? natural : .f16), partBytes: partBytes,
      extraFiles: extra,
      pool: pool, progress: progress)
  }

  /// The model's name: that in the file, or that of the folder.
  private var name: String {
    if let source = files.source as? GGUFSource, let name = source.file[key: "general.name"]?.string {
      return name
    }
    return ((files.source.path as NSString).lastPathComponent as NSString).deletingPathExtension
  }
}
