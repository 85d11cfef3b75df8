import Tensors

/// Prompts as a network reads them, with what it shall predict and where.
public struct PromptBatch {
  /// Predictions wanted at regularly spaced tokens.
  public struct Reading {
    /// The read-out: 0 is the answer's.
    public var head: Int
    /// The first token that predicts, and the distance to the next.
    public var first: Int
    public var step: Int
    /// [batch, places, outputs of the read-out].
    public var targets: Tensor
    /// Of the mean squared error in the loss.
    public var weight: Float
    /// One class per place, [batch · places], where the outputs are logits of classes: the loss is then their mean
    /// cross-entropy, and an error is a wrong answer.
    public var classes: [Int32]?

    public init(head: Int = 0, first: Int = 0, step: Int, targets: Tensor, weight: Float = 1) {
      self.head = head
      self.first = first
      self.step = step
      self.targets = targets
      self.weight = weight
    }
  }

  /// [batch, tokens, inputs].
  public var tokens: Tensor
  /// The first is the answer.
  public var readings: [Reading]

  public init(tokens: Tensor, readings: [Reading]) {
    self.tokens = tokens
    self.readings = readings
  }

  /// Some of the prompts.
  func part(_ range: Range<Int>) -> PromptBatch {
    guard range.count < tokens.shape[0] else { return self }
    return PromptBatch(
      tokens: tokens.slice(range),
      readings: readings.map { reading in
        var part = reading
        part.targets = reading.targets.slice(range)
        if let classes = reading.classes {
          let places = classes.count / tokens.shape[0]
          part.classes = Array(classes[range.lowerBound * places..<range.upperBound * places])
        }
        return part
      })
  }
}

/// What a network learns to learn: a distribution over prompts.
public protocol PromptTask: Sendable {
  /// Coordinates of a token.
  var inputs: Int { get }
  /// Widths of the read-outs, the answer's first.
  var outputs: [Int] { get }
  /// The squared error of predicting zero, summed over the coordinates of the answer: errors are divided by it.
  var normaliser: Double { get }

  /// The number of tokens of a prompt of this many points.
  func tokens(points: Int) -> Int

  /// Fresh prompts.
  ///
  /// - Parameters:
  ///   - active: coordinates of x that are not zero: the curriculum of dimensions; `nil` for all.
  func batch(size: Int, points: Int, active: Int?, random: inout RandomStream) -> PromptBatch

  /// Prompts for measuring: never of the pool a run may be trained on.
  func heldOutBatch(size: Int, points: Int, random: inout RandomStream) -> PromptBatch
}

extension PromptTask {
  public func heldOutBatch(size: Int, points: Int, random: inout RandomStream) -> PromptBatch {
    batch(size: size, points: points, active: nil, random: &random)
  }
}

/// One prompt of a function y = f(x), for evaluation: context points, and where predictions are wanted.
public struct RegressionPrompt: Equatable, Sendable {
  public let dimension: Int
  /// The context, point after point: points · dimension numbers.
  public var x: [Float]
  public var y: [Float]
  /// Where position i is asked, and the answer there, if that is not context point i itself. Position i is asked
  /// after the context points before i.
  public var queries: (x: [Float], y: [Float])?

  public init(dimension: Int, x: [Float], y: [Float], queries: (x: [Float], y: [Float])? = nil) {
    self.dimension = dimension
    self.x = x
    self.y = y
    self.queries = queries
  }

  public var points: Int { y.count }
  /// What is asked at a position, and the answer.
  public func query(_ i: Int) -> ArraySlice<Float> { (queries?.x ?? x)[i * dimension..<(i + 1) * dimension] }
  public func answer(_ i: Int) -> Float { queries?.y[i] ?? y[i] }

  public static func == (a: Self, b: Self) -> Bool {
    a.dimension == b.dimension && a.x == b.x && a.y == b.y && a.queries?.x == b.queries?.x
      && a.queries?.y == b.queries?.y
  }

  /// x and y tokens in turn: x as it is, y in coordinate 0 of a token of its own.
  ///
  /// - Parameter position: only the tokens up to the question of this position, with the query in its place;
  ///   `nil` for the whole prompt, whose every x is a question.
  /// - Precondition: prompts of one size.
  public static func batch(_ prompts: ArraySlice<RegressionPrompt>, askedAt position: Int? = nil)
    -> PromptBatch
  {
    let (d, n) = (prompts.first?.dimension ?? 1, prompts.first?.points ?? 0)
    let points = position.map { $0 + 1 } ?? n
    let length = position.map { 2 * $0 + 1 } ?? 2 * n
    let tokens = Tensor(zeros: [prompts.count, length, d])
    let targets = Tensor(zeros: [prompts.count, points, 1])
    for (b, prompt) in prompts.enumerated() {
      precondition(prompt.dimension == d && prompt.points == n, "prompts of several sizes")
      for i in 0..<points {
        let x = i == position ? prompt.query(i) : prompt.x[i * d..<(i + 1) * d]
        let row = tokens.pointer + (b * length + 2 * i) * d
        for (c, value) in x.enumerated() { row[c] = value }
        if i != position { row[d] = prompt.y[i] }
        targets.pointer[b * points + i] = i == position ? prompt.answer(i) : prompt.y[i]
      }
    }
    return PromptBatch(tokens: tokens, readings: [.init(step: 2, targets: targets)])
  }
}
