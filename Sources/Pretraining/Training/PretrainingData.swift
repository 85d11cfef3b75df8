import Foundation
import Tensors
import Tokenization

/// The data of a run, made once from its recipe into the run's folder, and read from there when it resumes.
///
///     data/tokenizer.json    data/training.tokens    data/held-out.tokens
public struct PretrainingData {
  public let vocabulary: TrainedVocabulary
  public let training: TokenShard
  /// `nil` where every document is trained on.
  public let heldOut: TokenShard?

  /// Reads what is in `folder`, or makes it.
  ///
  /// - Throws: `MappingError`, `DataError`, `VocabularyError`, `ShardError` or `AtomicFile.Failure`.
  public init(_ recipe: PretrainingRecipe, folder: String) throws {
    let (tokenizer, training) = (folder + "/tokenizer.json", folder + "/training.tokens")
    let heldOut = folder + "/held-out.tokens"
    if !FileManager.default.fileExists(atPath: training) {
      do { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) } catch
      {
        throw DataError(file: folder, message: "cannot be made: \(error.localizedDescription)")
      }
      // The training file comes last: where it is, everything is.
      try Self.make(recipe, tokenizer: tokenizer, training: training, heldOut: heldOut)
    }
    vocabulary = try TrainedVocabulary(contentsOf: tokenizer)
    self.training = try TokenShard(path: training)
    self.heldOut = FileManager.default.fileExists(atPath: heldOut) ? try TokenShard(path: heldOut) : nil
    for shard in [self.training, self.heldOut].compactMap({ $0 }) where shard.vocabulary != vocabulary.count {
      throw DataError(
        file: shard.path,
        message: "is of a vocabulary of \(shard.vocabulary), the tokenizer beside it of \(vocabulary.count)")
    }
  }

  private static func make(
    _ recipe: PretrainingRecipe, tokenizer: String, training: String, heldOut: String
  ) throws {
    var texts: [String] = []
    if recipe.stage != .chat {
      for path in PretrainingRecipe.paths(recipe.text) { texts += try TextDocuments.read(path) }
    }
    func isHeldOut(_ index: Int) -> Bool {
      recipe.heldOutEvery > 0 && index % recipe.heldOutEvery == recipe.heldOutEvery - 1
    }
    let vocabulary: TrainedVocabulary
    let given =
      recipe.tokenizer.isEmpty && !recipe.start.isEmpty ? recipe.start + "/tokenizer.json" : recipe.tokenizer
    if given.isEmpty {
      var trainer = VocabularyTrainer()
      for (index, text) in texts.enumerated() where !isHeldOut(index) { trainer.add(text) }
      vocabulary = trainer.train(size: recipe.vocabulary)
    } else {
      vocabulary = try TrainedVocabulary(contentsOf: given)
    }
    try vocabulary.write(to: tokenizer)
    var encoder = VocabularyEncoder(vocabulary)
    let isChat = recipe.stage == .chat
    var parts = (0..<2).map { _ in TokenShardWriter(vocabulary: vocabulary.count, hasAnswers: isChat) }
    if isChat {
      var index = 0
      for path in PretrainingRecipe.paths(recipe.chats) {
        for chat in try ChatDocuments.read(path, encoder: &encoder) {
          parts[isHeldOut(index) ? 1 : 0].add(chat.tokens, learned: chat.learned)
          index += 1
        }
      }
    } else {
      for (index, text) in texts.enumerated() {
        parts[isHeldOut(index) ? 1 : 0].add([TokenID(TrainedVocabulary.endOfText)] + encoder.encode(text))
      }
    }
    if parts[1].documents > 0 { try parts[1].write(to: heldOut) }
    try parts[0].write(to: training)
  }
}
