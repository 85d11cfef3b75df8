import LanguageModel

/// The field `looped` of a request: how deep tokens go, and what is told of it.
struct LoopedFields: Decodable, Sendable {
  /// The most loops.
  var loops: Int?
  var exitThreshold: Double?
  var exitPolicy: String?
  var exitEpsilon: Double?
  var minimumLoops: Int?
  var skippedLoops: String?
  var sharing: String?
  var wavefront: Bool?
  /// Whether every token is told with its exit and what each loop would have said.
  var trace: Bool?
  /// How many predictions of each loop.
  var top: Int?

  private enum CodingKeys: String, CodingKey, CaseIterable {
    case loops
    case exitThreshold = "exit_threshold"
    case exitPolicy = "exit_policy"
    case exitEpsilon = "exit_epsilon"
    case minimumLoops = "min_loops"
    case skippedLoops = "skipped_loops"
    case sharing = "kv_sharing"
    case wavefront, trace, top
  }

  private struct AnyKey: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  init() {}

  init(from decoder: any Decoder) throws {
    // The field is ours alone: what it does not know is a slip.
    for key in try decoder.container(keyedBy: AnyKey.self).allKeys
    where CodingKeys(rawValue: key.stringValue) == nil {
      throw DecodingError.dataCorrupted(
        .init(
          codingPath: decoder.codingPath + [key],
          debugDescription: "looped has no such field; it has "
            + CodingKeys.allCases.map(\.rawValue).joined(separator: ", ")))
    }
    let container = try decoder.container(keyedBy: CodingKeys.self)
    loops = try container.decodeIfPresent(Int.self, forKey: .loops)
    exitThreshold = try container.decodeIfPresent(Double.self, forKey: .exitThreshold)
    exitPolicy = try container.decodeIfPresent(String.self, forKey: .exitPolicy)
    exitEpsilon = try container.decodeIfPresent(Double.self, forKey: .exitEpsilon)
    minimumLoops = try container.decodeIfPresent(Int.self, forKey: .minimumLoops)
    skippedLoops = try container.decodeIfPresent(String.self, forKey: .skippedLoops)
    sharing = try container.decodeIfPresent(String.self, forKey: .sharing)
    wavefront = try container.decodeIfPresent(Bool.self, forKey: .wavefront)
    trace = try container.decodeIfPresent(Bool.self, forKey: .trace)
    top = try container.decodeIfPresent(Int.self, forKey: .top)
  }

  /// Where tokens leave: what the request says, and for the rest what the server was started with.
  /// - Throws: `ServingError`.
  func policy(_ configuration: ModelConfiguration, _ settings: ServerSettings) throws -> ExitPolicy {
    var policy = settings.exit ?? ExitPolicy(Self.usualRule(configuration))
    if let loops {
      guard (1...settings.maximumLoops).contains(loops) else {
        throw ServingError.invalid(
          "looped.loops \(loops): it must be from 1 to \(settings.maximumLoops)", parameter: "looped.loops")
      }
      policy.loops = loops
    }
    if let minimumLoops { policy.minimumLoops = minimumLoops }
    // A server's minimum does not forbid fewer loops.
    if minimumLoops == nil { policy.minimumLoops = min(policy.minimumLoops, policy.limit(configuration)) }
    let threshold = Float(exitThreshold ?? Double(configuration.exitThreshold))
    switch exitPolicy {
    case nil:
      if exitThreshold != nil { policy.rule = .threshold(threshold) }
    case "fixed": policy.rule = .fixed
    case "threshold": policy.rule = .threshold(threshold)
    case "weighted": policy.rule = .weighted
    case "state-change":
      guard let exitEpsilon else {
        throw ServingError.invalid(
          "looped.exit_policy state-change needs looped.exit_epsilon", parameter: "looped.exit_epsilon")
      }
      policy.rule = .stateChange(Float(exitEpsilon))
    default:
      throw ServingError.invalid(
        "looped.exit_policy must be fixed, threshold, weighted or state-change",
        parameter: "looped.exit_policy")
    }
    do { try policy.check(configuration) } catch { throw ServingError(inference: error) }
    return policy
  }

  private static func usualRule(_ configuration: ModelConfiguration) -> ExitPolicy.Rule {
    configuration.hasExitGate && configuration.exitThreshold < 1
      ? .threshold(configuration.exitThreshold) : .fixed
  }

  /// - Throws: `ServingError`.
  func sharing(_ settings: ServerSettings) throws -> KVSharing {
    guard let sharing else { return settings.sharing }
    guard let value = KVSharing(rawValue: sharing) else {
      throw ServingError.invalid(
        "looped.kv_sharing must be " + KVSharing.allCases.map(\.rawValue).joined(separator: ", "),
        parameter: "looped.kv_sharing")
    }
    return value
  }

  /// - Throws: `ServingError`.
  func skippedLoops(_ settings: ServerSettings) throws -> SkippedLoops {
    guard let skippedLoops else { return settings.skippedLoops }
    guard let value = SkippedLoops(rawValue: skippedLoops) else {
      throw ServingError.invalid(
        "looped.skipped_loops must be copy or compute", parameter: "looped.skipped_loops")
    }
    return value
  }

  /// How many predictions per loop are told; `nil` for none.
  /// - Throws: `ServingError`.
  func tracedPredictions() throws -> Int? {
    if let top, !(0...20).contains(top) {
      throw ServingError.invalid("looped.top \(top): it must be from 0 to 20", parameter: "looped.top")
    }
    return trace == true ? top ?? 5 : nil
  }
}

extension ExitPolicy {
  /// The rule's name in requests and responses.
  var word: String {
    switch rule {
    case .fixed: "fixed"
    case .threshold: "threshold"
    case .weighted: "weighted"
    case .stateChange: "state-change"
    }
  }
}
