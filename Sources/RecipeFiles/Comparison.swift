import Foundation

/// One side of a comparison, as it is written in an experiment's file.
public protocol ComparedTerm: Equatable, Sendable {
  /// `nil` if the text is none.
  init?(_ text: String)
}

/// What a claim says of two measured values: "A < B" or "A > B".
public struct Comparison<Term: ComparedTerm>: Equatable, Sendable {
  /// As it was written.
  public var text: String
  public var left: Term
  public var isLess: Bool
  public var right: Term

  /// Reads a comparison; `nil` if the text is none.
  public init?(_ text: String) {
    self.text = text
    for (sign, isLess) in [(" < ", true), (" > ", false)] {
      let sides = text.components(separatedBy: sign)
      guard sides.count == 2 else { continue }
      guard let left = Term(sides[0]), let right = Term(sides[1]) else { return nil }
      (self.left, self.isLess, self.right) = (left, isLess, right)
      return
    }
    return nil
  }

  /// Whether it holds of two values.
  public func holds(_ left: Double, _ right: Double) -> Bool { isLess ? left < right : left > right }
}
