import LanguageModel
import Tensors
import Tokenization

extension LoadedModel {
  /// The model's chat template; `nil` for models that do not chat.
  /// - Throws: `TemplateError` if it uses what this program does not know.
  public func chatTemplate() throws -> ChatTemplate? { try chatTemplateSource.map(ChatTemplate.init) }

  /// A conversation as tokens, up to where the answer begins.
  /// - Throws: `TemplateError`.
  public func encode(_ template: ChatTemplate, _ messages: [ChatMessage]) throws -> [TokenID] {
    let text = try template.render(
      messages: messages, addGenerationPrompt: true, variables: templateVariables)
    return tokenizer.encode(text)
  }
}
