import Tensors

/// Mano, the manipulation of knowledge: modular arithmetic in prefix notation, without a chain of thought.
///
///     <bos> <len l> - * 3 7 5 <ans>  →  16          (3 · 7 - 5 mod p)
///
/// An expression has l operations, l uniform in 1 … L, each +, - or * modulo p. Of l operations under the first, the left
/// side gets a number uniform in 0 … l - 1. Source: Ouro, arXiv 2510.25741, section 6 (p = 23, L = 10, 16, 24), after
/// Allen-Zhu, "Physics of language models", part 4.1; how operations are shared out between the sides is not printed.
public struct ManoTask: GroupedTask, Equatable {
  /// p: operands and answers are tokens 0 ..< p.
  public let modulus: Int
  /// L.
  public let operations: Int

  public enum Operation: Int, CaseIterable, Sendable { case add, subtract, multiply }

  /// - Precondition: both are positive.
  public init(modulus: Int, operations: Int) {
    precondition(modulus > 1 && operations > 0)
    (self.modulus, self.operations) = (modulus, operations)
  }

  // Operands, then operations, <bos>, <ans>, and <len 1> … <len L>.
  var beginning: Int32 { Int32(modulus + 3) }
  var answerMark: Int32 { Int32(modulus + 4) }
  func token(_ operation: Operation) -> Int32 { Int32(modulus + operation.rawValue) }
  func lengthMark(_ operations: Int) -> Int32 { Int32(modulus + 4 + operations) }

  public var vocabulary: Int { modulus + 5 + operations }
  public var longest: Int { 2 * operations + 4 }
  public var groups: [String] { (1...operations).map { "operations \($0)" } }

  public func trainingQuestion(_ random: inout RandomStream) -> TaskQuestion {
    question(group: random.below(operations), &random)
  }

  /// A question of `group` + 1 operations.
  public func question(group: Int, _ random: inout RandomStream) -> TaskQuestion {
    var tokens = [beginning, lengthMark(group + 1)]
    let value = append(operations: group + 1, to: &tokens, &random)
    return TaskQuestion(tokens: tokens + [answerMark], answer: Int32(value), group: group)
  }

  /// Appends an expression and returns its value.
  private func append(
    operations: Int, to tokens: inout [Int32], _ random: inout RandomStream
  ) -> Int {
    guard operations > 0 else {
      let operand = random.below(modulus)
      tokens.append(Int32(operand))
      return operand
    }
    let operation = Operation.allCases[random.below(Operation.allCases.count)]
    tokens.append(token(operation))
    let left = random.below(operations)
    let a = append(operations: left, to: &tokens, &random)
    let b = append(operations: operations - 1 - left, to: &tokens, &random)
    return switch operation {
    case .add: (a + b) % modulus
    case .subtract: (a - b + modulus) % modulus
    case .multiply: a * b % modulus
    }
  }
}
