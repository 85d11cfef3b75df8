import Foundation
import RecipeFiles

/// Where a curve is read: a kind of prompts, the loop curve or a probe's, and where in it.
public struct Place: Equatable, Sendable, CustomStringConvertible {
  public enum Position: Equatable, Sendable {
    /// Points in the context, loops, or the depth of a probe.
    case at(Int)
    case last
    /// Where the curve is lowest.
    case least
  }
  /// "context" in distribution, "loops", the name of a shift, or that of a probe's part.
  public var part: String
  public var position: Position

  public var description: String {
    switch position {
    case .at(let index): "\(part) \(index)"
    case .last: "\(part) last"
    case .least: "\(part) least"
    }
  }

  /// Reads "context 10", "loops 60", "scale-x:2 10", "probe-least-squares last", "loops least".
  public init?(_ text: some StringProtocol) {
    let words = text.split(separator: " ")
    guard words.count == 2 else { return nil }
    part = String(words[0])
    switch words[1] {
    case "last": position = .last
    case "least": position = .least
    default:
      guard let index = Int(words[1]), (0...1_000_000).contains(index) else { return nil }
      position = .at(index)
    }
    guard Self.isPart(part) else { return nil }
  }

  static func isPart(_ name: String) -> Bool {
    name == "context" || name == "loops" || DistributionShift(name: name) != nil
      || ProbeTarget.allCases.contains { $0.partName == name }
  }
}

/// What a paper says of an experiment, as comparisons of measured errors.
public struct Claim: Equatable, Sendable {
  /// `FACTOR * RUN @ PLACE`, or a number.
  public struct Term: ComparedTerm {
    public var factor: Double
    /// `nil` for a plain number. After a slash, the curve of a baseline measured beside the run.
    public var run: String?
    public var curve: String?
    public var place: Place?
  }

  /// Such as "looped @ context 10 < 3 * standard @ context 10", "looped @ loops 60 < 0.05" or
  /// "looped @ context 5 < looped/lasso 0.01 @ context 5".
  public typealias Comparison = RecipeFiles.Comparison<Term>

  public var says: String
  public var comparisons: [Comparison]
}

extension Claim.Term {
  public init?(_ text: String) {
    var rest = text.trimmingCharacters(in: .whitespaces)
    if let number = Double(rest) {
      guard number.isFinite else { return nil }
      (factor, run, curve, place) = (number, nil, nil, nil)
      return
    }
    factor = 1
    let product = rest.components(separatedBy: " * ")
    if product.count == 2 {
      guard let number = Double(product[0]), number.isFinite else { return nil }
      factor = number
      rest = product[1]
    }
    let halves = rest.components(separatedBy: " @ ")
    guard halves.count == 2, let place = Place(halves[1]) else { return nil }
    self.place = place
    let names = halves[0].split(separator: "/", maxSplits: 1).map(String.init)
    guard let first = names.first else { return nil }
    run = first
    curve = names.count == 2 ? names[1] : nil
  }

  /// The term's value, or `nil` where the measurements do not reach.
  public func value(in evaluations: [Evaluation]) -> Double? {
    guard let run, let place else { return factor }
    return evaluations.first { $0.name == run }?.error(at: place, of: curve).map { factor * $0 }
  }
}

extension Comparison<Claim.Term> {
  /// Whether it holds; `nil` where something was not measured.
  public func holds(in evaluations: [Evaluation]) -> Bool? {
    guard let left = left.value(in: evaluations), let right = right.value(in: evaluations) else { return nil }
    return holds(left, right)
  }
}

extension Evaluation {
  /// The curves of a part: "context" in distribution, "loops", or a shift.
  public func curves(part: String) -> [Curve] {
    if part == "loops" { return loopCurves }
    let name = part == "context" ? "in distribution" : part
    return parts.first { $0.name == name }?.curves ?? []
  }

  /// The mean error at a place: of the network, or of the baseline with this name.
  public func error(at place: Place, of curve: String? = nil) -> Double? {
    let curves = curves(part: place.part)
    let chosen = curve.map { name in curves.dropFirst().first { $0.name == name } } ?? curves.first
    guard let mean = chosen?.mean else { return nil }
    switch place.position {
    case .last: return mean.last ?? nil
    case .least: return mean.compactMap(\.self).min()
    case .at(let number):
      let index = place.part == "loops" ? number - 1 : number
      return mean.indices.contains(index) ? mean[index] : nil
    }
  }
}
