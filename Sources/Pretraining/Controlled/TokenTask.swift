import Tensors

/// A question of a synthetic task: tokens, and the one token that answers them.
public struct TaskQuestion: Equatable, Sendable {
  /// The last of them asks for the answer.
  public var tokens: [Int32]
  public var answer: Int32

  public init(tokens: [Int32], answer: Int32) {
    self.tokens = tokens
    self.answer = answer
  }
}

/// A synthetic task in tokens whose answers are known: what the controlled experiments train on.
public protocol TokenTask: Sendable {
  /// Tokens are 0 … vocabulary - 1.
  var vocabulary: Int { get }
  /// Tokens of the longest question.
  var longest: Int { get }
  /// Names of the kinds of questions that are measured, the hardest last.
  var groups: [String] { get }
  /// Draws a question to train on.
  func trainingQuestion(_ random: inout RandomStream) -> TaskQuestion
  /// Draws a question of a group.
  func question(group: Int, _ random: inout RandomStream) -> TaskQuestion
}

extension TokenBatch {
  /// Questions one after the other in a single sequence, each a document of its own; the loss is on answers alone.
  public init(_ questions: [TaskQuestion]) {
    var (tokens, targets, segments) = ([Int32](), [Int32](), [Range<Int>]())
    for question in questions {
      segments.append(tokens.count..<tokens.count + question.tokens.count)
      tokens += question.tokens
      targets += Array(repeating: -1, count: question.tokens.count - 1) + [question.answer]
    }
    self.init(sequences: 1, length: tokens.count, tokens: tokens, targets: targets, segments: segments)
  }
}

extension RandomStream {
  /// Uniform in 0 ..< bound, by rejection so that no number is likelier.
  mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }
}
