import Tensors

/// A question of a synthetic task: tokens, and what is to be predicted within them.
public struct TaskQuestion: Equatable, Sendable {
  /// A token that is to be predicted.
  public struct Answer: Equatable, Sendable {
    /// Of the token that it follows, which may be the last.
    public var place: Int
    public var token: Int32
    /// The kind of question that it is measured as.
    public var group: Int
  }

  public var tokens: [Int32]
  /// In the order of their places; one at least.
  public var answers: [Answer]

  public init(tokens: [Int32], answers: [Answer]) {
    self.tokens = tokens
    self.answers = answers
  }

  /// A question whose last token asks for its one answer.
  public init(tokens: [Int32], answer: Int32, group: Int = 0) {
    self.init(tokens: tokens, answers: [Answer(place: tokens.count - 1, token: answer, group: group)])
  }

  /// The last answer.
  public var answer: Int32 { answers[answers.count - 1].token }
}

/// A synthetic task in tokens whose answers are known: what the controlled experiments train on.
public protocol TokenTask: Sendable {
  /// Tokens are 0 … vocabulary - 1.
  var vocabulary: Int { get }
  /// Tokens of the longest question.
  var longest: Int { get }
  /// Names of the kinds of answers that are measured, the hardest last.
  var groups: [String] { get }
  /// Draws a question to train on.
  func trainingQuestion(_ random: inout RandomStream) -> TaskQuestion
  /// How many questions measure, where `count` of each group are asked for.
  func examined(_ count: Int) -> Int
  /// The question of a number in 0 ..< examined(count), to measure with.
  func examination(_ number: Int, of count: Int, _ random: inout RandomStream) -> TaskQuestion
  /// Bits that a network knows with these mean losses of the groups, in nats; `nil` for tasks that count none.
  func knownBits(_ losses: [Double]) -> Double?
}

extension TokenTask {
  public func knownBits(_ losses: [Double]) -> Double? { nil }
}

/// A task whose questions are drawn group by group.
public protocol GroupedTask: TokenTask {
  /// Draws a question of a group.
  func question(group: Int, _ random: inout RandomStream) -> TaskQuestion
}

extension GroupedTask {
  public func examined(_ count: Int) -> Int { groups.count * count }

  public func examination(_ number: Int, of count: Int, _ random: inout RandomStream) -> TaskQuestion {
    question(group: number / count, &random)
  }
}

extension TokenBatch {
  /// Questions one after the other in a single sequence, each a document of its own; the loss is on answers alone.
  public init(_ questions: [TaskQuestion]) {
    var (tokens, targets, segments) = ([Int32](), [Int32](), [Range<Int>]())
    for question in questions {
      let start = tokens.count
      segments.append(start..<start + question.tokens.count)
      tokens += question.tokens
      targets += Array(repeating: -1, count: question.tokens.count)
      for answer in question.answers { targets[start + answer.place] = answer.token }
    }
    self.init(sequences: 1, length: tokens.count, tokens: tokens, targets: targets, segments: segments)
  }
}

extension RandomStream {
  /// Uniform in 0 ..< bound, by rejection so that no number is likelier.
  mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }
}
