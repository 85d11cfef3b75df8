/// Whether and how a request's tokens are drafted before the tokens in front of them are done.
///
/// No setting changes what is generated: the choice of every token is verified by the loop at which plain decoding
/// would have made it.
public struct DraftSettings: Equatable, Sendable {
  public enum Mode: String, Sendable, CaseIterable {
    /// Plain decoding.
    case off
    /// All drafts that the settings allow and that fit into a pass, the likelier first.
    case fixed
    /// As many drafts as pay, by the agreement of the readouts and the time of passes measured so far.
    case adaptive
  }

  public static let mostBranches = 8

  public var mode: Mode
  /// The first loop, from 1, whose readout may open drafts: the draft depth.
  public var firstLoop: Int
  /// How many of a readout's likeliest tokens may be drafted beside each other.
  public var branches: Int
  /// The most tokens that are drafted from an earlier place of the text where the last ones stand; 0 for none.
  public var lookup: Int
  /// The most rows of the request in one pass.
  public var maximumRows: Int

  public init(
    mode: Mode, firstLoop: Int = 1, branches: Int = 1, lookup: Int = 0,
    maximumRows: Int = LoopExecutor.decodeRows
  ) {
    self.mode = mode
    self.firstLoop = firstLoop
    self.branches = branches
    self.lookup = lookup
    self.maximumRows = maximumRows
  }

  public static let off = DraftSettings(mode: .off)
  /// What is right unless measured otherwise: three branches, and look-up of up to eight tokens, where they pay.
  public static let adaptive = DraftSettings(mode: .adaptive, branches: 3, lookup: 8)

  /// - Throws: `SettingError`.
  public func check() throws {
    guard firstLoop >= 1 else {
      throw SettingError(name: "draft depth", value: "\(firstLoop)", range: "1 or more")
    }
    guard (1...Self.mostBranches).contains(branches) else {
      throw SettingError(
        name: "number of branches", value: "\(branches)", range: "from 1 to \(Self.mostBranches)")
    }
    guard (0...64).contains(lookup) else {
      throw SettingError(name: "length of look-up drafts", value: "\(lookup)", range: "from 0 to 64")
    }
    guard (1...LoopExecutor.decodeRows).contains(maximumRows) else {
      throw SettingError(
        name: "rows of a request in a pass", value: "\(maximumRows)",
        range: "from 1 to \(LoopExecutor.decodeRows)")
    }
  }
}
