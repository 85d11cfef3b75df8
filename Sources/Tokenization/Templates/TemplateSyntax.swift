/// A part of a template that yields a value.
final class Expression: Sendable {
  indirect enum Kind: Sendable {
    case literal(TemplateValue)
    case name(String)
    case list([Expression], isTuple: Bool)
    case dictionary([(key: Expression, value: Expression)])
    case attribute(Expression, String)
    case subscripted(Expression, Expression)
    case slice(Expression, start: Expression?, stop: Expression?, step: Expression?)
    case call(Expression, Arguments)
    case filter(Expression, String, Arguments)
    case test(Expression, String, Arguments, isNegated: Bool)
    case unary(String, Expression)
    case binary(String, Expression, Expression)
    /// All of them as text, one after the other.
    case concatenation([Expression])
    case comparison(Expression, [(symbol: String, right: Expression)])
    case conditional(condition: Expression, then: Expression, otherwise: Expression?)
  }

  struct Arguments: Sendable {
    var positional: [Expression] = []
    var named: [(name: String, value: Expression)] = []

    var all: [Expression] { positional + named.map(\.value) }
  }

  /// Deeper expressions are refused, so that neither evaluating nor freeing them exhausts the stack.
  static let largestDepth = 200

  let kind: Kind
  let line: Int
  let depth: Int

  init(_ kind: Kind, line: Int, children: [Expression?]) {
    self.kind = kind
    self.line = line
    depth = 1 + (children.lazy.compactMap { $0?.depth }.max() ?? 0)
  }
}

/// A part of a template that writes or does something.
indirect enum Statement: Sendable {
  case text(String)
  case output(Expression)
  case conditional([(condition: Expression, body: [Statement])], otherwise: [Statement])
  case loop(ForLoop)
  case assign(Target, Expression)
  /// What the body writes becomes the value.
  case capture(name: String, filters: [FilterStep], body: [Statement], line: Int)
  case macro(Macro)
  case call(Expression, Macro)
  case filtered([FilterStep], body: [Statement], line: Int)
  case breakLoop(line: Int)
  case continueLoop(line: Int)
  /// A body that only marks what is between its tags.
  case group([Statement])
}

struct FilterStep: Sendable {
  var name: String
  var arguments: Expression.Arguments
}

/// What a value is given to.
indirect enum Target: Sendable {
  case name(String)
  case attribute(String, String)
  case several([Target])
}

final class ForLoop: Sendable {
  let target: Target
  let iterated: Expression
  let condition: Expression?
  let isRecursive: Bool
  let body: [Statement]
  let otherwise: [Statement]
  let line: Int

  init(
    target: Target, iterated: Expression, condition: Expression?, isRecursive: Bool, body: [Statement],
    otherwise: [Statement], line: Int
  ) {
    self.target = target
    self.iterated = iterated
    self.condition = condition
    self.isRecursive = isRecursive
    self.body = body
    self.otherwise = otherwise
    self.line = line
  }
}

final class Macro: Sendable {
  let name: String
  let parameters: [(name: String, standard: Expression?)]
  let body: [Statement]
  let line: Int

  init(name: String, parameters: [(name: String, standard: Expression?)], body: [Statement], line: Int) {
    self.name = name
    self.parameters = parameters
    self.body = body
    self.line = line
  }
}
