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
  public static func read(_ path: String, tokenizer: Tokenizer) throws -> [Document] {
    guard let file = FileHandle(forReadingAtPath: path),
      let data = try? file.read(upToCount: sizeLimit) ?? Data()
    else { throw DataError(file: path, message: "cannot be opened") }
    return try read(data, file: path, tokenizer: tokenizer)
  }

  static func read(_ data: Data, file: String, tokenizer: Tokenizer) throws -> [Document] {
    for mark in [start, end] where tokenizer.id(of: mark) == nil {
      throw DataError(
        file: tokenizer.file, message: "has no token \(mark), which messages begin and end with",
        hint: "a vocabulary that `looped pretrain` learns has them")
    }
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
      documents.append(document(parsed.messages, tokenizer: tokenizer))
    }
    return documents
  }

  /// - Precondition: the tokenizer has the marks of messages.
  static func document(_ messages: [Message], tokenizer: Tokenizer) -> Document {
    var document = Document()
    func add(_ tokens: [TokenID], learned: Bool) {
      document.tokens += tokens
      document.learned += Array(repeating: learned, count: tokens.count)
    }
    func mark(_ name: String) -> [TokenID] { [tokenizer.id(of: name)!] }
    // What a person wrote is text, also where it looks like a mark.
    func text(_ text: String) -> [TokenID] { tokenizer.encode(text, parsesSpecialTokens: false) }
    for message in messages {
      let answers = message.role == "assistant"
      add(mark(Self.start) + text(message.role + "\n"), learned: false)
      add(text(message.content) + mark(Self.end), learned: answers)
      add(text("\n"), learned: false)
    }
    return document
  }

  static let start = "<|im_start|>"
  static let end = "<|im_end|>"
}
