import Tensors

/// Questions of several hops: who is the r₃ of the r₂ of the r₁ of someone? The relations are nowhere but in the weights.
///
///     <bos> r₃ r₂ r₁ name <ans>  →  name
///
/// People stand in hops + 1 layers; every relation links each of a layer to a random one of the next. Of all
/// people · relations^hops questions about the first layer a share is trained on, and the others are held out: they can
/// be answered by who has learned the single relations and to chain them. Source: Ouro, arXiv 2510.25741, section 6
/// (100 people in each of 5 layers, 20 relations, 3 hops; 8 · 10⁵ questions), after Yao et al., arXiv 2505.17923.
public struct MultiHopTask: GroupedTask {
  /// Of a layer.
  public let people: Int
  public let relations: Int
  public let hops: Int
  /// Numbers of all questions, those trained on first.
  private let order: [Int32]
  /// Questions trained on.
  public let trained: Int
  /// [layer, relation, person]: a person of the next layer.
  private let links: [Int32]

  /// The most questions of a task.
  public static let limit = 4_000_000

  /// The number of questions, or `nil` if it is above the limit.
  public static func questions(people: Int, relations: Int, hops: Int) -> Int? {
    var count = people
    for _ in 0..<hops {
      let (next, overflows) = count.multipliedReportingOverflow(by: relations)
      guard !overflows, next <= limit else { return nil }
      count = next
    }
    return count
  }

  /// - Parameters:
  ///   - share: of all questions, that is trained on.
  ///   - random: of the links and of the questions that are trained on.
  /// - Precondition: the questions are within the limit; at least one is trained on, and one held out.
  public init(people: Int, relations: Int, hops: Int, share: Double, random: inout RandomStream) {
    let count = Self.questions(people: people, relations: relations, hops: hops)
    guard let count else { preconditionFailure("more than \(Self.limit) questions") }
    (self.people, self.relations, self.hops) = (people, relations, hops)
    links = (0..<hops * relations * people).map { _ in Int32(random.below(people)) }
    trained = Int(share * Double(count))
    precondition(trained > 0 && trained < count, "\(trained) of \(count) questions to train on")
    order = (0..<Int32(count)).shuffled(using: &random)
  }

  // Names by layer, then relations, <bos> and <ans>.
  public var vocabulary: Int { Self.vocabulary(people: people, relations: relations, hops: hops) }
  static func vocabulary(people: Int, relations: Int, hops: Int) -> Int {
    people * (hops + 1) + relations + 2
  }
  public var longest: Int { hops + 3 }
  public var groups: [String] { Self.groups }
  /// "trained": asked again what was trained on.
  static let groups = ["trained", "held-out"]

  public func trainingQuestion(_ random: inout RandomStream) -> TaskQuestion { question(group: 0, &random) }

  /// A question that is trained on (0), or held out (1).
  public func question(group: Int, _ random: inout RandomStream) -> TaskQuestion {
    let range = group == 0 ? 0..<trained : trained..<order.count
    return question(number: Int(order[range.lowerBound + random.below(range.count)]), group: group)
  }

  /// The person that a relation links a person to, both numbered within their layers.
  public func link(layer: Int, relation: Int, person: Int) -> Int {
    Int(links[(layer * relations + relation) * people + person])
  }

  private func question(number: Int, group: Int) -> TaskQuestion {
    var (rest, person) = (number / people, number % people)
    let name = Int32(person)
    var chain: [Int32] = []
    for layer in 0..<hops {
      let relation = rest % relations
      rest /= relations
      chain.append(Int32(people * (hops + 1) + relation))
      person = link(layer: layer, relation: relation, person: person)
    }
    let marks = Int32(people * (hops + 1) + relations)
    return TaskQuestion(
      tokens: [marks] + chain.reversed() + [name, marks + 1], answer: Int32(hops * people + person),
      group: group)
  }
}
