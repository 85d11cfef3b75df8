/// A number that changes at given steps: `8, 4@3000` is 8, and 4 from step 3000 on.
///
/// How the papers' stages follow each other within one run: loops 8 to 4, β 0.1 to 0.05, the base of the rotary
/// embedding 10 000 to 40 000. A function of the step alone, so that a run that resumes needs no more than its step.
public struct StepSchedule: Equatable, Sendable, LosslessStringConvertible {
  /// By step; the first is of step 0.
  public let changes: [(step: Int, value: Double)]

  public init(_ value: Double) { changes = [(0, value)] }

  /// `nil` for a text that is no schedule: steps must grow.
  public init?(_ description: String) {
    var changes: [(step: Int, value: Double)] = []
    for part in description.split(separator: ",", omittingEmptySubsequences: false) {
      let words = part.split(separator: "@", omittingEmptySubsequences: false).map {
        String($0.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
      }
      guard let value = Double(words[0]), value.isFinite, words.count == (changes.isEmpty ? 1 : 2) else {
        return nil
      }
      let step = changes.isEmpty ? 0 : Int(words[1])
      guard let step, step > changes.last?.step ?? -1 else { return nil }
      changes.append((step, value))
    }
    guard !changes.isEmpty else { return nil }
    self.changes = changes
  }

  /// The value of the step with this number, counted from 0.
  public func at(_ step: Int) -> Double { changes.last { $0.step <= step }?.value ?? changes[0].value }

  public var values: [Double] { changes.map(\.value) }

  public var description: String {
    changes.enumerated().map { index, change in
      let value =
        change.value == change.value.rounded() && abs(change.value) < 1e15
        ? "\(Int(change.value))" : "\(change.value)"
      return index == 0 ? value : "\(value)@\(change.step)"
    }.joined(separator: ", ")
  }

  public static func == (a: StepSchedule, b: StepSchedule) -> Bool {
    a.changes.map(\.step) == b.changes.map(\.step) && a.values == b.values
  }
}
