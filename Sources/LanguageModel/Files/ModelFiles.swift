import Foundation
import Tensors
import Tokenization

/// A model with everything that its files hold.
public struct LoadedModel: Sendable {
  public let model: LanguageModel
  public let tokenizer: Tokenizer
  /// The chat template in Jinja; `nil` for models that do not chat. It is not read: who does not chat needs none that
  /// works.
  public let chatTemplateSource: String?
  /// What the template may ask for by name: `bos_token`, `eos_token` and others.
  public let templateVariables: [String: TemplateValue]
  public let generation: GenerationDefaults
  /// Where it comes from and what is in it, for people: "SmolLM2-135M-Instruct.Q4_1.gguf: llama, 134.5M parameters, …".
  public let description: String

  public init(
    model: LanguageModel, tokenizer: Tokenizer, chatTemplateSource: String? = nil,
    templateVariables: [String: TemplateValue] = [:], generation: GenerationDefaults = GenerationDefaults(),
    description: String
  ) {
    self.model = model
    self.tokenizer = tokenizer
    self.chatTemplateSource = chatTemplateSource
    self.templateVariables = templateVariables
    self.generation = generation
    self.description = description
  }
}

/// Opens models wherever they are kept.
public enum ModelFiles {
  /// Loads a Hugging Face folder, or a GGUF file.
  ///
  /// - Parameters:
  ///   - loops: how often the block is applied, 1 to 8; `nil` as the files say.
  ///   - weights: the format of the matrices in memory; `nil` as in the files.
  ///   - progress: called with the bytes of the files that are done and in all; may throw to stop.
  /// - Throws: `ModelFileError`, `SafetensorsError`, `GGUFError`, `TokenizerError`, and what `progress` throws.
  public static func load(
    _ path: String, loops: Int? = nil, weights: WeightMatrix.Format? = nil, pool: WorkerPool = .shared,
    progress: (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
  ) throws -> LoadedModel {
    let files = try OpenedModel(path, loops: loops)
    guard let tokenizer = try files.tokenizer.tokenizer() else {
      throw ModelFileError(
        file: path, "has no tokenizer",
        hint: files.isGGUF
          ? "convert the model anew, from a folder with tokenizer.json" : "add tokenizer.json")
    }
    guard tokenizer.vocabularySize <= files.configuration.vocabularySize else {
      throw ModelFileError(
        file: path,
        "the tokenizer has \(tokenizer.vocabularySize) tokens and the model \(files.configuration.vocabularySize)",
        hint: "tokenizer and weights are of different models")
    }
    var generation = files.tokenizer.generation
    generation.endTokens = files.tokenizer.endTokens(tokenizer)
    return LoadedModel(
      model: try files.model(weights: weights, pool: pool, progress: progress), tokenizer: tokenizer,
      chatTemplateSource: files.tokenizer.chatTemplate,
      templateVariables: files.tokenizer.variables(tokenizer), generation: generation,
      description: ModelSummary(files).line)
  }

  /// The tokenizer alone. Reads no weights.
  /// - Throws: `ModelFileError`, `GGUFError`, `TokenizerError`.
  public static func tokenizer(_ path: String) throws -> Tokenizer {
    // A folder may have a tokenizer and nothing else.
    let json = (path as NSString).appendingPathComponent("tokenizer.json")
    if FileManager.default.fileExists(atPath: json) { return try Tokenizer(contentsOf: json) }
    guard let tokenizer = try OpenedModel(path).tokenizer.tokenizer() else {
      throw ModelFileError(file: path, "has no tokenizer")
    }
    return tokenizer
  }

  /// The weights alone, of files that may lack a tokenizer.
  /// - Throws: `ModelFileError`, `SafetensorsError`, `GGUFError`, and what `progress` throws.
  public static func weights(
    _ path: String, loops: Int? = nil, weights: WeightMatrix.Format? = nil, pool: WorkerPool = .shared,
    progress: (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
  ) throws -> LanguageModel {
    try OpenedModel(path, loops: loops).model(weights: weights, pool: pool, progress: progress)
  }
}

/// The files of a model, opened and checked, with nothing read but headers and the tokenizer.
struct OpenedModel {
  let source: any ModelSource
  let tokenizer: TokenizerData
  /// Files that a copy of a folder takes along.
  let companions: [String]
  let isGGUF: Bool

  /// - Throws: `ModelFileError`, `SafetensorsError`, `GGUFError`.
  init(_ path: String, loops: Int? = nil) throws {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw ModelFileError(
        file: path, "there is no such file or folder",
        hint: "a model is a folder with config.json and safetensors, or a .gguf file")
    }
    if isFolder.boolValue {
      let source = try HuggingFaceSource(folder: path, loops: loops)
      self.source = source
      tokenizer = try TokenizerData(
        folder: path, config: source.config, vocabularySize: source.configuration.vocabularySize)
      companions = Self.companions(of: path)
      isGGUF = false
    } else {
      guard !path.hasSuffix(".safetensors") else {
        throw ModelFileError(
          file: path, "is only a part of a model", hint: "name its folder, which has config.json too")
      }
      let source = try GGUFSource(path: path, loops: loops)
      self.source = source
      tokenizer = try TokenizerData(gguf: source.file, vocabularySize: source.configuration.vocabularySize)
      companions = []
      isGGUF = true
    }
  }

  /// A model in memory with the tokenizer of files.
  /// - Throws: `ModelFileError`, `GGUFError`, `TokenizerError`.
  init(_ model: LanguageModel, name: String, tokenizer path: String?) throws {
    source = MemorySource(model, name: name)
    companions = path.map(Self.companions) ?? []
    isGGUF = false
    let size = model.configuration.vocabularySize
    if let path, path.lowercased().hasSuffix(".gguf") {
      tokenizer = try TokenizerData(gguf: GGUFFile(path: path), vocabularySize: size)
    } else if let path {
      tokenizer = try TokenizerData(folder: path, config: .object([:]), vocabularySize: size)
    } else {
      tokenizer = TokenizerData(file: name)
    }
  }

  /// The files of a folder that belong to its tokenizer.
  private static func companions(of folder: String) -> [String] {
    TokenizerData.companions.map { (folder as NSString).appendingPathComponent($0) }
      .filter { FileManager.default.fileExists(atPath: $0) }
  }

  var configuration: ModelConfiguration { source.configuration }

  func model(
    weights: WeightMatrix.Format?, pool: WorkerPool, progress: (Int, Int) throws -> Void
  ) throws -> LanguageModel {
    func open(_ source: some ModelSource) throws -> LanguageModel {
      try LanguageModel(source, weights: weights, pool: pool, progress: progress)
    }
    return try open(source)
  }
}
