import ArgumentParser
import Foundation
import LanguageModel

/// How deep tokens go, and what is kept of them.
public struct LoopOptions: ParsableArguments {
  public enum Rule: String, CaseIterable, ExpressibleByArgument {
    case fixed, threshold, weighted
    case stateChange = "state-change"
  }

  @Option(
    help: ArgumentHelp(
      "A token leaves when the probability that it has left reaches this; 1 runs every loop.", valueName: "q")
  )
  public var exitThreshold: Float?

  @Option(
    help: ArgumentHelp(
      "fixed: every loop. threshold: by the gate. weighted: all loops, their logits mixed by the gate. "
        + "state-change: when the state moves by less than --exit-epsilon."))
  public var exitPolicy: Rule?

  @Option(
    help: ArgumentHelp(
      "For the policy state-change: ‖h_t - h_(t-1)‖ below which a token leaves.", valueName: "ε"))
  public var exitEpsilon: Float?

  @Option(help: ArgumentHelp("No token leaves earlier.", valueName: "n"))
  public var minLoops = 1

  @Option(
    help: ArgumentHelp(
      "The loops a token skips: copy what its last loop left, or compute them when a later token needs them.")
  )
  public var skippedLoops: SkippedLoops = .copy

  @Option(help: "What later tokens see of a token's loops: full (exact), last, averaged, first or overwrite.")
  public var kvSharing: KVSharing = .full

  @Option(help: ArgumentHelp("Bits of keys and values: 32, 16 or 8.", valueName: "bits"))
  public var kvBits = 16

  public init() {}

  public func validate() throws {
    if ![8, 16, 32].contains(kvBits) { throw ValidationError("--kv-bits \(kvBits): it must be 32, 16 or 8") }
    if exitPolicy == .stateChange && exitEpsilon == nil {
      throw ValidationError("--exit-policy state-change needs --exit-epsilon")
    }
    if exitEpsilon != nil && exitPolicy != .stateChange {
      throw ValidationError("--exit-epsilon belongs to --exit-policy state-change")
    }
    if exitThreshold != nil, let exitPolicy, exitPolicy != .threshold {
      throw ValidationError("--exit-threshold belongs to --exit-policy threshold")
    }
  }

  /// - Parameter loops: the most loops, `nil` for the model's own.
  public func policy(_ configuration: ModelConfiguration, loops: Int?) -> ExitPolicy {
    let threshold = exitThreshold ?? configuration.exitThreshold
    let rule: ExitPolicy.Rule =
      switch exitPolicy ?? (configuration.hasExitGate && threshold < 1 ? .threshold : .fixed) {
      case .fixed: .fixed
      case .threshold: .threshold(threshold)
      case .weighted: .weighted
      case .stateChange: .stateChange(exitEpsilon ?? 0)
      }
    return ExitPolicy(rule, loops: loops, minimumLoops: minLoops)
  }

  /// The policy that the options name, before the model is known; `nil` if they name none.
  public func rule(loops: Int?) -> ExitPolicy? {
    let rule: ExitPolicy.Rule
    switch exitPolicy ?? (exitThreshold != nil ? .threshold : nil) {
    case nil:
      guard loops != nil || minLoops > 1 else { return nil }
      rule = .fixed
    case .fixed: rule = .fixed
    case .threshold: rule = .threshold(exitThreshold ?? 1)
    case .weighted: rule = .weighted
    case .stateChange: rule = .stateChange(exitEpsilon ?? 0)
    }
    return ExitPolicy(rule, loops: loops, minimumLoops: minLoops)
  }

  public var format: KVLayout.Format { kvBits == 32 ? .float32 : kvBits == 16 ? .float16 : .int8 }
}

extension KVSharing: ExpressibleByArgument {}
extension SkippedLoops: ExpressibleByArgument {}
