import Collectives
import Foundation
import Tensors
import Tokenization

/// The data of a run, made once from its recipe into the run's folder, and read from there when it resumes.
///
///     data/tokenizer.json  tokenizer_config.json  training.tokens  held-out.tokens
public struct PretrainingData {
  public let tokenizer: Tokenizer
  /// Begins every document.
  public let beginning: TokenID
  public let training: TokenShard
  /// `nil` where every document is trained on.
  public let heldOut: TokenShard?

  /// Reads what is in `folder`, or makes it.
  ///
  /// - Throws: `MappingError`, `DataError`, `TokenizerError`, `ShardError` or `AtomicFile.Failure`.
  public init(_ recipe: PretrainingRecipe, folder: String) throws {
    let (training, heldOut) = (folder + "/training.tokens", folder + "/held-out.tokens")
    if !FileManager.default.fileExists(atPath: training) {
      do { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) } catch
      {
        throw DataError(file: folder, message: "cannot be made: \(error.localizedDescription)")
      }
      // The training file comes last: where it is, everything is.
      try Self.make(recipe, folder: folder, training: training, heldOut: heldOut)
    }
    try self.init(reading: folder)
  }

  /// The data of a run of several ranks, which all call this: the first makes them, the others read what is there then.
  /// - Throws: as above; `DataError` where a rank finds nothing; `CollectiveError`.
  init(_ recipe: PretrainingRecipe, folder: String, _ communicator: any Communicator) throws {
    if communicator.isFirst {
      try self.init(recipe, folder: folder)
      try communicator.barrier()
      return
    }
    try communicator.barrier()
    guard FileManager.default.fileExists(atPath: folder + "/training.tokens") else {
      throw DataError(
        file: folder, message: "the first rank's data are not there",
        hint: "all ranks must see the same folder: put the run on a file system that the machines share")
    }
    try self.init(reading: folder)
  }

  private init(reading folder: String) throws {
    let (training, heldOut) = (folder + "/training.tokens", folder + "/held-out.tokens")
    tokenizer = try Tokenizer(contentsOf: folder + "/tokenizer.json")
    beginning = try Self.beginning(tokenizer)
    self.training = try TokenShard(path: training)
    self.heldOut = FileManager.default.fileExists(atPath: heldOut) ? try TokenShard(path: heldOut) : nil
    for shard in [self.training, self.heldOut].compactMap({ $0 })
    where shard.vocabulary != tokenizer.vocabularySize {
      throw DataError(
        file: shard.path,
        message:
          "is of a vocabulary of \(shard.vocabulary), the tokenizer beside it of \(tokenizer.vocabularySize)")
    }
  }

  private static func make(
    _ recipe: PretrainingRecipe, folder: String, training: String, heldOut: String
  ) throws {
    var texts: [String] = []
    if recipe.stage != .chat {
      for path in PretrainingRecipe.paths(recipe.text) { texts += try TextDocuments.read(path) }
    }
    func isHeldOut(_ index: Int) -> Bool {
      recipe.heldOutEvery > 0 && index % recipe.heldOutEvery == recipe.heldOutEvery - 1
    }
    let (path, configuration) = (folder + "/tokenizer.json", folder + "/tokenizer_config.json")
    let given =
      recipe.tokenizer.isEmpty && !recipe.start.isEmpty ? recipe.start + "/tokenizer.json" : recipe.tokenizer
    if given.isEmpty {
      var trainer = VocabularyTrainer()
      for (index, text) in texts.enumerated() where !isHeldOut(index) { trainer.add(text) }
      let vocabulary = trainer.train(size: recipe.vocabulary)
      try vocabulary.write(to: path)
      try vocabulary.writeConfiguration(to: configuration)
    } else {
      guard let bytes = FileManager.default.contents(atPath: given) else {
        throw DataError(
          file: given, message: "cannot be read", hint: "data.tokenizer names the tokenizer.json of the model"
        )
      }
      try AtomicFile.write([Array(bytes)], to: path)
      let beside = (given as NSString).deletingLastPathComponent + "/tokenizer_config.json"
      if let bytes = FileManager.default.contents(atPath: beside) {
        try AtomicFile.write([Array(bytes)], to: configuration)
      }
    }
    let tokenizer = try Tokenizer(contentsOf: path)
    let beginning = try Self.beginning(tokenizer)
    let isChat = recipe.stage == .chat
    var parts = (0..<2).map { _ in TokenShardWriter(vocabulary: tokenizer.vocabularySize, hasAnswers: isChat)
    }
    if isChat {
      var index = 0
      for path in PretrainingRecipe.paths(recipe.chats) {
        for chat in try ChatDocuments.read(path, tokenizer: tokenizer) {
          parts[isHeldOut(index) ? 1 : 0].add(chat.tokens, learned: chat.learned)
          index += 1
        }
      }
    } else {
      for (index, text) in texts.enumerated() {
        parts[isHeldOut(index) ? 1 : 0].add([beginning] + tokenizer.encode(text, parsesSpecialTokens: false))
      }
    }
    if parts[1].documents > 0 { try parts[1].write(to: heldOut) }
    try parts[0].write(to: training)
  }

  /// What begins a document and ends the one before: the end of text.
  private static func beginning(_ tokenizer: Tokenizer) throws -> TokenID {
    guard let token = tokenizer.id(of: TextDocuments.separator) ?? tokenizer.endOfText else {
      throw DataError(
        file: tokenizer.file, message: "has no token \(TextDocuments.separator), which documents begin with")
    }
    return token
  }
}
