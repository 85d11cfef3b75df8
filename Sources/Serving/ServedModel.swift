import Foundation
import LanguageModel
import Tokenization

/// The model that is served, and what clients are told of it.
struct ServedModel: Sendable {
  let loaded: LoadedModel
  let name: String
  /// When it was loaded, in seconds since 1970.
  let created: Int
  /// `nil` for models that do not chat; ChatML serves then.
  let template: ChatTemplate?
  /// The longest sequence.
  let contextLimit: Int
  /// Differs for models that compute different things.
  let fingerprint: String

  /// - Throws: `TemplateError` for a chat template that cannot be read.
  init(_ loaded: LoadedModel, name: String, contextLimit: Int?) throws {
    self.loaded = loaded
    self.name = name
    created = Int(Date().timeIntervalSince1970)
    template = try loaded.chatTemplateSource.map(ChatTemplate.init)
    let length = loaded.model.configuration.contextLength
    self.contextLimit = min(contextLimit ?? length, length)
    fingerprint = "fp_" + loaded.model.fingerprint().prefix(12)
  }

  var configuration: ModelConfiguration { loaded.model.configuration }
  var tokenizer: Tokenizer { loaded.tokenizer }

  /// A conversation as text, up to where the answer begins.
  /// - Throws: `TemplateError`.
  func render(_ messages: [ChatMessage], addsPrompt: Bool = true) throws -> String {
    try (template ?? .chatML).render(
      messages: messages, addGenerationPrompt: addsPrompt, variables: loaded.templateVariables)
  }

  /// A token alone, as text: an unfinished character is U+FFFD.
  func piece(_ token: TokenID) -> String { tokenizer.decode([token], skipSpecialTokens: false) }
}
