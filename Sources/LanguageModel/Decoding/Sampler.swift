import Foundation
import Tensors
import Tokenization

/// Chooses tokens from logits.
///
/// The choice is a function of the logits, the settings, the number of the token in the answer and the tokens before
/// it, and of nothing else: a sampler has no state that choices depend on. So a draft that asks with the logits of an
/// early loop draws with the same noise as the verification, and a speculative decoder returns what the plain one does.
///
/// Above temperature 0 the largest logit / temperature + G wins, where the G of every token are independent draws of
/// Gumbel's distribution, made from (seed, number of the token, token id) by Philox: exactly the softmax's
/// distribution over the tokens that the filters left (Gumbel 1954; "Gumbel-max").
public struct Sampler {
  public let settings: SamplingSettings
  public let vocabularySize: Int
  private let key: UInt64
  private var values: [Float]
  private var candidates: [TokenID] = []

  /// - Precondition: the settings pass `check`.
  public init(_ settings: SamplingSettings, vocabularySize: Int) {
    self.settings = settings
    self.vocabularySize = vocabularySize
    key = RandomStream(seed: settings.seed, stream: 0x7361_6d70).state.key
    values = [Float](repeating: 0, count: vocabularySize)
  }

  /// A chosen token.
  public struct Choice: Equatable, Sendable {
    public var token: TokenID
    /// log softmax of the model's own logits, before bias, penalties and temperature; `nil` unless asked for.
    public var logProbability: Float?
    /// The most probable tokens by the model's own logits, largest first.
    public var alternatives: [Alternative] = []
  }

  public struct Alternative: Equatable, Sendable {
    public var token: TokenID
    public var logProbability: Float
  }

  /// - Parameters:
  ///   - logits: [vocabulary]; not changed. NaN counts as -infinity.
  ///   - index: the number of the token in the answer, from 0.
  ///   - history: prompt and answer so far, for the penalties.
  /// - Complexity: O(vocabulary), and a sort of the tokens that top-p and min-p must order.
  public mutating func choose(
    _ logits: UnsafePointer<Float>, index: Int, history: some BidirectionalCollection<TokenID>
  ) -> Choice {
    var choice = Choice(token: pick(logits, index: index, history: history))
    guard let count = settings.logProbabilities else { return choice }
    let sum = Self.logSum(logits, count: vocabularySize)
    choice.logProbability = logits[Int(choice.token)] - sum
    choice.alternatives = Self.ranked(count, of: logits, sum: sum, count: vocabularySize)
    return choice
  }

  /// The most probable tokens by the model's own logits, largest first.
  /// - Parameter sum: log Σ exp of the logits, if it is known.
  static func ranked(
    _ wanted: Int, of logits: UnsafePointer<Float>, sum: Float? = nil, count: Int
  ) -> [Alternative] {
    let sum = sum ?? logSum(logits, count: count)
    return largest(wanted, of: logits, count: count).map {
      Alternative(token: $0, logProbability: logits[Int($0)] - sum)
    }
  }

  /// How probable a token is, and which ones are the most probable, by the model's own logits.
  /// - Parameter logits: [count].
  public static func score(
    _ token: TokenID, in logits: UnsafePointer<Float>, count: Int, alternatives: Int
  ) -> (logProbability: Float, alternatives: [Alternative]) {
    let sum = logSum(logits, count: count)
    return (logits[Int(token)] - sum, ranked(alternatives, of: logits, sum: sum, count: count))
  }

  /// The token alone.
  public mutating func pick(
    _ logits: UnsafePointer<Float>, index: Int, history: some BidirectionalCollection<TokenID>
  ) -> TokenID {
    if isPlain { return Self.top(logits, count: vocabularySize) }
    adjust(logits, history)
    guard settings.temperature > 0 else {
      return values.withUnsafeBufferPointer { Self.top($0.baseAddress!, count: vocabularySize) }
    }
    filter()
    return leaders(1, index: index)[0].token
  }

  /// What a draft names.
  public struct Ranking: Equatable, Sendable {
    /// The chosen token, and those that came nearest to being chosen.
    public var tokens: [TokenID]
    /// By how much the chosen one was ahead: of logits, after bias, penalties, temperature and noise. Infinite if there
    /// was no other.
    public var margin: Float
  }

  /// The tokens nearest to being chosen, the chosen one first.
  /// - Returns: `count` tokens, fewer where the filters leave fewer.
  /// - Complexity: as `choose`.
  public mutating func rank(
    _ logits: UnsafePointer<Float>, index: Int, history: some BidirectionalCollection<TokenID>, count: Int
  ) -> Ranking {
    let wanted = max(count, 2)
    var ranked: [(token: TokenID, score: Float)]
    if isPlain {
      ranked = Self.largest(wanted, of: logits, count: vocabularySize).map { ($0, logits[Int($0)]) }
    } else {
      adjust(logits, history)
      if settings.temperature > 0 {
        filter()
        ranked = leaders(wanted, index: index).map { ($0.token, Float($0.score)) }
      } else {
        ranked = values.withUnsafeBufferPointer {
          Self.largest(wanted, of: $0.baseAddress!, count: vocabularySize)
        }.map { ($0, values[Int($0)]) }
      }
    }
    // Where no logit is finite, the choice is what `pick` says.
    guard let first = ranked.first else {
      return Ranking(tokens: [pick(logits, index: index, history: history)], margin: .infinity)
    }
    let margin = ranked.count > 1 ? first.score - ranked[1].score : .infinity
    return Ranking(tokens: ranked.prefix(count).map(\.token), margin: margin)
  }

  /// Whether the most probable token is taken as it is.
  private var isPlain: Bool {
    settings.temperature == 0 && settings.logitBias.isEmpty && settings.repetitionPenalty == 1
      && settings.presencePenalty == 0 && settings.frequencyPenalty == 0
  }

  /// Leaves in `values` the logits after bias and penalties.
  private mutating func adjust(
    _ logits: UnsafePointer<Float>, _ history: some BidirectionalCollection<TokenID>
  ) {
    for i in 0..<vocabularySize { values[i] = logits[i].isNaN ? -.infinity : logits[i] }
    for (token, bias) in settings.logitBias { values[Int(token)] += bias }
    penalize(history)
  }

  private mutating func penalize(_ history: some BidirectionalCollection<TokenID>) {
    let s = settings
    guard s.repetitionPenalty != 1 || s.presencePenalty != 0 || s.frequencyPenalty != 0 else { return }
    var counts: [TokenID: Int] = [:]
    for token in history.suffix(s.penaltyWindow ?? .max) where token >= 0 && Int(token) < vocabularySize {
      counts[token, default: 0] += 1
    }
    for (token, count) in counts {
      var value = values[Int(token)]
      value = value > 0 ? value / s.repetitionPenalty : value * s.repetitionPenalty
      values[Int(token)] = value - s.presencePenalty - s.frequencyPenalty * Float(count)
    }
  }

  /// Scales by the temperature and leaves in `candidates` the tokens that may be chosen.
  private mutating func filter() {
    var top = -Float.infinity
    for i in 0..<vocabularySize {
      values[i] /= settings.temperature
      if values[i] > top { top = values[i] }
    }
    candidates.removeAll(keepingCapacity: true)
    let limited = settings.topK > 0 && settings.topK < vocabularySize
    if limited {
      candidates += values.withUnsafeBufferPointer {
        Self.largest(settings.topK, of: $0.baseAddress!, count: vocabularySize)
      }
    }
    if settings.topP < 1 {
      if !limited { sortLikely(top) }
      keepNucleus(top, limited: limited)
    } else if !limited {
      for i in 0..<vocabularySize where values[i] > -.infinity { candidates.append(TokenID(i)) }
    }
    if settings.minP > 0 {
      let least = top + log(settings.minP)
      candidates.removeAll { values[Int($0)] < least }
    }
    if candidates.isEmpty { candidates = [Self.top(values, count: vocabularySize)] }
  }

  /// The tokens that can matter to top-p, most probable first: those within e⁻¹² of the top, or all if those do not
  /// suffice; sorting a few hundred instead of the vocabulary.
  private mutating func sortLikely(_ top: Float) {
    for i in 0..<vocabularySize where values[i] > top - 12 { candidates.append(TokenID(i)) }
    let likely = candidates.reduce(0.0) { $0 + Double(exp(values[Int($1)] - top)) }
    if likely < Double(settings.topP) * total(top) {
      candidates.removeAll(keepingCapacity: true)
      for i in 0..<vocabularySize where values[i] > -.infinity { candidates.append(TokenID(i)) }
    }
    // The closure may not look into `self` while `candidates` is being sorted.
    let current = self.values
    candidates.sort { (current[Int($0)], $1) > (current[Int($1)], $0) }
  }

  private func total(_ top: Float) -> Double {
    var sum = 0.0
    for value in values { sum += Double(exp(value - top)) }
    return sum
  }

  /// Cuts the sorted candidates behind the one with which their probabilities reach top-p. Probabilities are those
  /// among the tokens that top-k left.
  private mutating func keepNucleus(_ top: Float, limited: Bool) {
    let weights = candidates.map { Double(exp(values[Int($0)] - top)) }
    let wanted = Double(settings.topP) * (limited ? weights.reduce(0, +) : total(top))
    var sum = 0.0
    for (place, weight) in weights.enumerated() {
      sum += weight
      if sum >= wanted {
        candidates.removeSubrange((place + 1)...)
        return
      }
    }
  }

  /// The candidates with the largest logit and noise together, largest first, lower ids first among equals.
  ///
  /// Complexity: one encryption of a counter per candidate. Logarithms are taken only of noise that may be enough:
  /// a token that is n behind needs u > exp(-exp(-n)), which is more than 1 - exp(-n).
  private func leaders(_ count: Int, index: Int) -> [(token: TokenID, score: Double)] {
    var list: [(token: TokenID, score: Double)] = []
    func consider(_ token: TokenID) {
      let value = Double(values[Int(token)])
      let u = Self.uniform(key: key, index: index, token: token)
      if list.count == count {
        let behind = min(list[count - 1].score - value, 60)
        // 2 to the power of -⌊n / ln 2⌋ is no less than exp(-n).
        let exponent = -Int(behind * 1.442_695_040_888_963_4 - 1e-6)
        if behind > 0, 1 - u >= Double(sign: .plus, exponent: exponent, significand: 1) { return }
      }
      let score = value - log(-log(u))
      let place = list.firstIndex { ($0.score, token) < (score, $0.token) } ?? list.count
      guard place < count else { return }
      list.insert((token, score), at: place)
      if list.count > count { list.removeLast() }
    }
    // The most probable one first, so that few others come near.
    guard let top = candidates.max(by: { values[Int($0)] < values[Int($1)] }) else { return [] }
    consider(top)
    for token in candidates where token != top { consider(token) }
    return list
  }

  /// A number in (0, 1) that belongs to this token at this place: 52 bits and a half, so that no logarithm is infinite.
  private static func uniform(key: UInt64, index: Int, token: TokenID) -> Double {
    let counter = UInt64(truncatingIfNeeded: index) << 32 | UInt64(UInt32(bitPattern: token))
    return (Double(RandomStream.block(key: key, counter: counter).0 >> 12) + 0.5) * 0x1p-52
  }

  /// The largest value's index, the lowest among equals.
  static func top(_ values: UnsafePointer<Float>, count: Int) -> TokenID {
    var best = 0
    for i in 1..<max(count, 1) where values[i] > values[best] || (values[best].isNaN && !values[i].isNaN) {
      best = i
    }
    return TokenID(best)
  }

  /// The `wanted` largest values' indices, largest first, lower indices first among equals.
  ///
  /// Complexity: O(count + wanted² ) at worst, as a new value rarely enters the list; a sort where many are wanted.
  static func largest(_ wanted: Int, of values: UnsafePointer<Float>, count: Int) -> [TokenID] {
    guard wanted > 0 else { return [] }
    func precedes(_ a: TokenID, _ b: TokenID) -> Bool {
      (values[Int(a)], b) > (values[Int(b)], a)
    }
    if wanted > 256 {
      let all = (0..<TokenID(count)).filter { values[Int($0)] > -.infinity }
      return Array(all.sorted(by: precedes).prefix(wanted))
    }
    var list: [TokenID] = []
    list.reserveCapacity(wanted + 1)
    for i in 0..<TokenID(count) where values[Int(i)] > -.infinity {
      if list.count == wanted && values[Int(i)] <= values[Int(list[wanted - 1])] { continue }
      var (low, high) = (0, list.count)
      while low < high {
        let middle = (low + high) / 2
        if precedes(list[middle], i) { low = middle + 1 } else { high = middle }
      }
      list.insert(i, at: low)
      if list.count > wanted { list.removeLast() }
    }
    return list
  }

  /// log Σ exp.
  static func logSum(_ logits: UnsafePointer<Float>, count: Int) -> Float {
    let top = logits[Int(Self.top(logits, count: count))]
    guard top.isFinite else { return top }
    var sum = 0.0
    for i in 0..<count where !logits[i].isNaN { sum += Double(exp(logits[i] - top)) }
    return top + Float(log(sum))
  }
}
