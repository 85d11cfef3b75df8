import Foundation
import Tokenization

/// Conversations for fine-tuning: one JSON object per line,
///
///     {"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}
///
/// in the chat format of the Ouro models. What an assistant says, and the mark that ends it, is learned; the rest is
/// only read. Source of the format: ChatML, as in Ouro's tokenizer_config.json.
public enum ChatDocuments {
  struct Message: Decodable {
    let role: String
    let content: String
  }

  private struct Line: Decodable { let messages: [Message] }

  /// The longest file that is read.
  static let sizeLimit = 4 << 30

  public struct Document: Equatable, Sendable {
    public var tokens: [TokenID] = []
    public var learned: [Bool] = []
  }

  /// - Throws: `DataError` at the line that is no conversation.
  public static func read(_ path: String, encoder: inout VocabularyEncoder) throws -> [Document] {
    guard let file = FileHandle(forReadingAtPath: path),
      let data = try? file.read(upToCount: sizeLimit) ?? Data()
    else { throw DataError(file: path, message: "cannot be opened") }
    return try read(data, file: path, encoder: &encoder)
  }

  static func read(_ data: Data, file: String, encoder: inout VocabularyEncoder) throws -> [Document] {
    var documents: [Document] = []
    let lines = data.split(separator: 10, omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated() where !line.allSatisfy({ $0 == 32 || $0 == 13 || $0 == 9 }) {
      func fault(_ message: String) -> DataError {
        DataError(
          file: file, line: index + 1, message: message,
          hint: "a line is {\"messages\": [{\"role\": \"user\", \"content\": \"…\"}, …]}")
      }
      guard let parsed = try? JSONDecoder().decode(Line.self, from: line) else {
        throw fault("is no JSON object with messages of a role and a content")
      }
      for message in parsed.messages where !["system", "user", "assistant"].contains(message.role) {
        throw fault("has a role '\(message.role.prefix(40))'; there are system, user and assistant")
      }
      guard parsed.messages.contains(where: { $0.role == "assistant" }) else {
        throw fault("has no answer of an assistant, so that there is nothing to learn")
      }
      documents.append(document(parsed.messages, encoder: &encoder))
    }
    return documents
  }

  static func document(_ messages: [Message], encoder: inout VocabularyEncoder) -> Document {
    var document = Document()
    func add(_ tokens: [TokenID], learned: Bool) {
      document.tokens += tokens
      document.learned += Array(repeating: learned, count: tokens.count)
    }
    for message in messages {
      let answers = message.role == "assistant"
      add([TokenID(TrainedVocabulary.startOfMessage)] + encoder.encode(message.role + "\n"), learned: false)
      add(encoder.encode(message.content) + [TokenID(TrainedVocabulary.endOfMessage)], learned: answers)
      add(encoder.encode("\n"), learned: false)
    }
    return document
  }
}
