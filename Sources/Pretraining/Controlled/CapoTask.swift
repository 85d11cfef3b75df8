import Foundation
import Tensors

/// Capo, the capacity for knowledge: biographies of people that were made up, to be learned by heart.
///
///     <bos> first middle last <of 1> value <of 2> value … <of k> value
///
/// A person is a name of several words, which no other has, and a value of each of k attributes; all are drawn uniformly,
/// so that what there is to know is counted in bits. A word and a value are a token each, of their own kind; a mark that
/// says which attribute comes is one of several, drawn anew each time a biography is read, as sentences are in the paper.
/// The loss is on words and values, and on no marks. Source: Ouro, arXiv 2510.25741, section 6, after Allen-Zhu and Li,
/// "Physics of language models", part 3.3, arXiv 2404.05405 (there, words and sentences of English).
public struct CapoTask: TokenTask {
  public let people: Int
  /// Choices for each word of a name, and for each attribute.
  public let names: [Int]
  public let values: [Int]
  /// Marks of every attribute.
  public let templates: Int
  /// [person][name, then values]: numbers below the choices.
  private let facts: [Int32]

  /// The most names that there may be: choices multiplied.
  static let nameLimit = 1 << 52

  /// Names that there can be, N₀, or `nil` if they are above the limit.
  static func combinations(_ names: [Int]) -> Int? {
    names.reduce(Int?(1)) { product, choices in
      guard let product else { return nil }
      let (next, overflows) = product.multipliedReportingOverflow(by: choices)
      return overflows || next > nameLimit ? nil : next
    }
  }

  /// - Parameter random: of who there is.
  /// - Precondition: there are words, values and templates, and as many names as people.
  public init(people: Int, names: [Int], values: [Int], templates: Int, random: inout RandomStream) {
    let combinations = Self.combinations(names)
    precondition(
      people > 0 && !names.isEmpty && !values.isEmpty && templates > 0 && combinations ?? 0 >= people,
      "\(people) people of \(names) names")
    (self.people, self.names, self.values, self.templates) = (people, names, values, templates)
    var (facts, taken) = ([Int32](), Set<Int>())
    facts.reserveCapacity(people * (names.count + values.count))
    for _ in 0..<people {
      // As names are taken again only where there are hardly more of them than people, this ends soon.
      var number = random.below(combinations!)
      while !taken.insert(number).inserted { number = random.below(combinations!) }
      for choices in names {
        facts.append(Int32(number % choices))
        number /= choices
      }
      for choices in values { facts.append(Int32(random.below(choices))) }
    }
    self.facts = facts
  }

  // Words by their place in the name, values by attribute, marks by attribute, <bos>.
  public var vocabulary: Int { Self.vocabulary(names: names, values: values, templates: templates) }
  static func vocabulary(names: [Int], values: [Int], templates: Int) -> Int {
    (names + values).reduce(values.count * templates + 1, +)
  }
  public var longest: Int { Self.longest(names: names, values: values) }
  static func longest(names: [Int], values: [Int]) -> Int { names.count + 2 * values.count }
  public var groups: [String] { Self.groups }
  static let groups = ["names", "values"]

  /// log₂ N₀ and log₂ S₀: bits of a name and of all values of a person before anything is known.
  public var nameBits: Double { names.reduce(0) { $0 + log2(Double($1)) } }
  public var valueBits: Double { values.reduce(0) { $0 + log2(Double($1)) } }

  /// Bits that a network knows, from its losses: N log₂(N₀ / e^p₁) + N log₂(S₀ / e^p₂), where p₁ and p₂ are the
  /// cross-entropies of a person's name and of the person's values, in nats.
  ///
  /// - Parameters:
  ///   - name: the mean loss of a word of a name. - value: that of a value.
  public func bits(name: Double, value: Double) -> Double {
    let (p1, p2) = (name * Double(names.count), value * Double(values.count))
    return Double(people) * (nameBits + valueBits - (p1 + p2) / log(2))
  }

  public func knownBits(_ losses: [Double]) -> Double? { bits(name: losses[0], value: losses[1]) }

  /// The bits of who knows everything: N log₂(N₀ / N) + N log₂ S₀. What is known of names is which of them there are.
  public var mostBits: Double { Double(people) * (nameBits - log2(Double(people)) + valueBits) }

  public func trainingQuestion(_ random: inout RandomStream) -> TaskQuestion {
    biography(of: random.below(people), &random)
  }

  /// Everybody is asked once, or the first of them: they are in no order.
  public func examined(_ count: Int) -> Int { min(count, people) }

  public func examination(_ number: Int, of count: Int, _ random: inout RandomStream) -> TaskQuestion {
    biography(of: number, &random)
  }

  func biography(of person: Int, _ random: inout RandomStream) -> TaskQuestion {
    let facts = facts[person * (names.count + values.count)..<(person + 1) * (names.count + values.count)]
    let marks = (names + values).reduce(0, +)
    var (tokens, answers) = ([Int32(vocabulary - 1)], [TaskQuestion.Answer]())
    var first = 0
    for (index, (fact, choices)) in zip(facts, names + values).enumerated() {
      let attribute = index - names.count
      if attribute >= 0 {
        tokens.append(Int32(marks + attribute * templates + random.below(templates)))
      }
      let token = Int32(first) + fact
      answers.append(
        TaskQuestion.Answer(place: tokens.count - 1, token: token, group: attribute < 0 ? 0 : 1))
      tokens.append(token)
      first += choices
    }
    // Nothing follows the last value.
    return TaskQuestion(tokens: Array(tokens.dropLast()), answers: answers)
  }
}
