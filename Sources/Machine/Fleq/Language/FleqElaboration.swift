/// A FLEQ program with every name resolved, every shape known and every function call written out: operators have
/// become functions of the network, so that only places in memory remain to be chosen.
struct FleqElaboration {
  /// A value is computed by one function of the network from two others, or is there already.
  indirect enum Value {
    case constant(FleqMatrix)
    /// Index into `variables`.
    case variable(Int)
    case apply(FleqFunction, Value, Value?, FleqMatrix.Shape)
    /// A function call, written out: steps that compute the variables that the result needs.
    case block([Step], Value)
  }

  /// True iff …
  indirect enum Condition {
    /// … the scalar is above 0.
    case positive(Value)
    case not(Condition)
    case both(Condition, Condition)
  }

  struct Step {
    indirect enum Kind {
      case declare(variable: Int, Value)
      case set(variable: Int, Value)
      case branch(Condition, then: [Step], otherwise: [Step])
      case loop(while: Condition, [Step])
      case repetition(Value, [Step])
      /// Loop variables are places that pointers name; all lists have equally many items.
      case each([(variable: Int, list: Int)], [Step])
    }

    var kind: Kind
    /// In the program's own text, also for steps of the standard functions.
    var line: Int
  }

  struct Variable {
    var name: String
    var shape: FleqMatrix.Shape
    var isMutable: Bool
    /// Whether it is shown at the end: declared by the program, outside of all blocks.
    var isGlobal: Bool
    /// The list whose item it is, for loop variables.
    var list: Int?
  }

  struct List {
    var name: String
    var items: [FleqMatrix]
    /// Whether the program changes it, so that it is shown at the end.
    var isWritten = false
    var shape: FleqMatrix.Shape { items[0].shape }
  }

  var variables: [Variable] = []
  var lists: [List] = []
  var steps: [Step] = []
  /// The most rows or columns of anything computed.
  var largestBlock = 1

  func shape(of value: Value) -> FleqMatrix.Shape {
    switch value {
    case .constant(let matrix): matrix.shape
    case .variable(let variable): variables[variable].shape
    case .apply(_, _, _, let shape): shape
    case .block(_, let result): shape(of: result)
    }
  }
}

extension FleqElaboration.Value {
  var literal: FleqMatrix? { if case .constant(let matrix) = self { matrix } else { nil } }

  /// aᵀ. Two transpositions cancel, so `A' * B` needs none: the network's product is aᵀ b.
  func transposed(_ shape: FleqMatrix.Shape) -> Self {
    switch self {
    case .constant(let matrix): .constant(matrix.transposed)
    case .apply(.transpose, let inner, _, _): inner
    case _ where shape == .scalar: self
    default: .apply(.transpose, self, nil, shape.transposed)
    }
  }
}
