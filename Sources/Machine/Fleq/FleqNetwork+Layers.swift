import Construction

/// The five layers. Each rule below holds for all columns at once: off the scratchpad every register is zero, and
/// every neuron is then either closed or adds zero.
extension FleqFields {
  private var onScratchpad: LinearForm { .row(scratchpad[0]) }

  /// Layer 1. The instruction is copied as it is; C_j takes part in an operand of w columns iff w − j ≥ 1.
  func fetch(into layer: inout LayerBuilder) {
    layer.attend(
      "fetch", query: [programCounter, rest], key: [position],
      copies: zip(code.all, current.all).map { (from: $0, to: $1) })
    for (columns, active) in zip(current.columns, isActive) {
      layer.step(.row(columns[0]) - laneNumber - 0.5, to: active[0])
    }
  }

  private var laneNumber: LinearForm {
    laneBits.rows.enumerated().reduce(LinearForm()) { $0 + Double(1 << $1.offset) * .row($1.element) }
  }

  /// Layer 2. A pointer cell's address is added to the direct pointer, one of the two being zero; then the adder
  /// adds j. Operands without a column j point at the zero cell (all bits −1) when read and nowhere when written.
  func address(into layer: inout LayerBuilder) {
    for (name, i) in [("a", 0), ("b", 1), ("c", 2)] {
      layer.attend(
        "address in \(name)", query: [current.pointerCell[i], rest], key: [position],
        copies: [(from: storedAddress, to: current.direct[i])])
      layer.addNumbers(current.direct[i], laneBits, openWhere: .row(isActive[i][0]), to: pointer[i])
      for row in pointer[i].rows {
        layer.relu(i == 2 ? .row(isActive[i][0]) : onScratchpad, to: row, times: -1)
      }
    }
    layer.attend(
      "read flag", kind: .selector,
      query: zip(current.flag.rows, rest.rows).map { .row($0) + .row($1) },
      key: position.rows.map { .row($0) },
      outputs: [(form: .row(value[0]), row: flag[0])])
  }

  /// Layer 3. Column j of a and b arrives in C_j; each function's input is laid out where that function looks.
  ///
  /// The flag becomes jump = 1 − σ(2^28 (x − tolerance)), by a head: unlike a difference of two ReLUs of large numbers,
  /// a saturated sigmoid is exact in every data type. Within ¼ of 0 or 1 for |x − tolerance| > 2^−27.
  func read(into layer: inout LayerBuilder) {
    layer.attend(
      "read a", query: [pointer[0], rest], key: [position],
      copies: [(from: value, to: operandA), (from: storedAddress, to: addressOfA)])
    layer.attend(
      "read b", query: [pointer[1], rest], key: [position], copies: [(from: value, to: operandB)])
    addSigmoid(
      0x1p28 * (.row(flag[0]) - FleqInterpreter.flagTolerance * onScratchpad), times: -1, to: jump[0],
      name: "sign of the flag", in: &layer)
    layer.relu(onScratchpad, to: jump[0])
    for i in 0..<blockSize {
      for r in 0..<blockSize {
        layer.add(
          .row(operandA[r]), gatedBy: -closed * .row(otherLane[i]), to: spread[i * blockSize + r])
      }
    }
    for function in FleqFunction.allCases where function.isElementwise {
      layer.add(.row(operandA[0]), gatedBy: -closed * other(function), to: argument[function.index])
    }
    for i in 0..<resultAddress.count {
      layer.add(.row(addressOfA[i]), gatedBy: -4 * other(.copy), to: resultAddress[i])
    }
    let increments = LinearForm.row(current.function[FleqFunction.increment.index])
    layer.addNumbers(addressOfA, carryIn: 1, openWhere: increments, to: resultAddress)
    for row in resultAddress.rows { layer.relu(increments, to: row, times: -1) }
  }

  /// More than any gated value: a closed gate subtracts it, an open one adds an exact zero.
  private var closed: Double { FleqNetwork.largestValue * FleqNetwork.largestValue * 4 }

  private func other(_ function: FleqFunction) -> LinearForm {
    .row(current.otherFunction[function.index])
  }

  /// Layer 4. Every function is computed; the result of the one in force is kept.
  func compute(
    into layer: inout LayerBuilder, approximations: [FleqFunction: SigmoidSum], productScale: Double
  ) {
    FleqProducts(scale: productScale).attend(in: &layer, fields: self)
    sumSigmoids(in: &layer, approximations: approximations)
    // All C_j share a key, so each attends to all equally; 1/d is exact, and so is d times the average.
    let offScratchpad = LinearForm.row(outside[0]) + .row(sink[0]) + .row(unit[0])
    layer.attend(
      "gather a", kind: .selector, query: [onScratchpad - offScratchpad], key: [onScratchpad - .row(sink[0])],
      outputs: zip(spread.rows, gathered.rows).map { (form: Double(blockSize) * .row($0), row: $1) })

    func keep(_ function: FleqFunction, _ form: LinearForm, gate: LinearForm = LinearForm(), row: Int) {
      layer.add(form, gatedBy: -closed * other(function) + gate, to: result[row])
    }
    for row in 0..<blockSize {
      let (a, b) = (LinearForm.row(operandA[row]), LinearForm.row(operandB[row]))
      keep(.copy, a, row: row)
      keep(.increment, a, row: row)
      keep(.add, a + b, row: row)
      keep(.subtract, a - b, row: row)
      keep(.multiply, .row(product[row]), row: row)
      let onLane = -closed * LinearForm.row(otherLane[row])
      keep(.diagonal, .row(gathered[row]), gate: onLane, row: row)
      keep(.scalarDiagonal, .row(gathered[0]), gate: onLane, row: row)
      for r in 0..<blockSize {
        // Row `row` of column j of aᵀ is row j of column `row` of a.
        keep(
          .transpose, .row(gathered[row * blockSize + r]), gate: -closed * .row(otherLane[r]), row: row)
      }
    }
    keep(.sigmoid, .row(sigmoids[0]), row: 0)
    for (function, sum) in approximations.sorted(by: { $0.key.index < $1.key.index }) {
      let inForce = LinearForm.row(current.function[function.index])
      let total = sum.terms.enumerated().reduce(sum.constant * inForce) {
        $0 + $1.element.coefficient * .row(sigmoids[$1.offset])
      }
      keep(function, total, row: 0)
    }
  }

  /// Head i computes σ(slope · x + offset) for the function in force.
  private func sumSigmoids(in layer: inout LayerBuilder, approximations: [FleqFunction: SigmoidSum]) {
    for i in 0..<FleqNetwork.sigmoidCount {
      var score = LinearForm()
      for (function, sum) in approximations {
        let term = sum.terms[i]
        score =
          score + term.slope * .row(argument[function.index])
          + term.offset * .row(current.function[function.index])
      }
      if i == 0 { score = score + .row(argument[FleqFunction.sigmoid.index]) }
      addSigmoid(score, times: 1, to: sigmoids[i], name: "sigmoid \(i)", in: &layer)
    }
  }

  /// Two keys compete, the unit column with the given score and the sink with score 0: the weight of the first is
  /// e^s / (e^s + 1), exactly.
  private func addSigmoid(
    _ score: LinearForm, times factor: Double, to row: Int, name: String, in layer: inout LayerBuilder
  ) {
    layer.attend(
      name, kind: .smooth, query: [score, onScratchpad],
      key: [.row(unit[0]), -excluded * .row(sink[0])],
      priority: excluded * (.row(sink[0]) - .row(outside[0]) - onScratchpad),
      outputs: [(form: factor * .row(unit[0]), row: row)])
  }

  /// A score so far below the others that e^score is 0 in every data type. Off the scratchpad the sink's score is
  /// this far *above* them, so that smooth heads read exact zeros there; on it, the two cancel to 0.
  var excluded: Double { 1024 }

  /// Layer 5. A cell reads from the C_j that points at it (priority 1), else from itself, and takes what it read.
  /// The program counter is chosen by a multiplexer that tolerates errors below ¼ and returns exact ±1.
  func write(into layer: inout LayerBuilder) {
    layer.attend(
      "write", query: [position, home], key: [position, pointer[2]], priority: scratchpad,
      copies: [
        (from: value, to: newValue), (from: result, to: newValue),
        (from: storedAddress, to: newAddress), (from: resultAddress, to: newAddress),
      ])
    layer.clear(value, storedAddress)
    for (new, old) in [(newValue, value), (newAddress, storedAddress)] {
      for i in 0..<new.count { layer.add(.row(new[i]), gatedBy: LinearForm(), to: old[i]) }
    }
    layer.clear(newValue, newAddress)
    for register in registers { layer.clear(register) }
    layer.clear(programCounter)
    for i in 0..<programCounter.count {
      let closes = onScratchpad - 1
      layer.step(0.5 * .row(current.target[i]) + .row(jump[0]) - 1 + closes, to: programCounter[i], times: 2)
      layer.step(0.5 * .row(current.next[i]) - .row(jump[0]) + closes, to: programCounter[i], times: 2)
      layer.relu(onScratchpad, to: programCounter[i], times: -1)
    }
  }
}

/// Matrix products by linearised softmax (Giannou et al. 2023, lemma on matrix multiplication).
///
/// With keys a_i, queries b_j, the sink scoring 0, and s_ij = a_i · b_j, the heads ±c have the weights
///
///     w±_ij = e^{±c s_ij} / D±_j,   D±_j = 1 + Σ_l e^{±c s_lj},   D = 1 + d
///
/// and t_ij = D/(2c) (w⁺_ij − w⁻_ij) = s_ij − (Σ_l s_lj)/D + O(c² s³): even powers of c cancel. As Σ_i t_ij =
/// (Σ_l s_lj)/D, adding the sum of the t restores s. All of it is linear in the weights, so it is in the values:
///
///     (aᵀ b)_ij = t_ij + Σ_l t_lj
///
/// Error: O(c² s³) from the expansion, O(u/c) from rounding at unit u; c ≈ u^⅓ balances the two for s ≈ 1.
public struct FleqProducts: Sendable {
  public let scale: Double
  public static let scaleForFloat64 = 0x1p-20
  public static let scaleForFloat32 = 0x1p-8

  func attend(in layer: inout LayerBuilder, fields f: FleqFields) {
    let d = f.blockSize
    let onScratchpad = LinearForm.row(f.scratchpad[0])
    for (name, sign) in [("product +", 1.0), ("product −", -1.0)] {
      let factor = sign * Double(1 + d) / (2 * scale)
      layer.attend(
        name, kind: .smooth,
        query: f.operandB.rows.map { LinearForm.row($0) } + [onScratchpad],
        key: f.operandA.rows.map { sign * scale * LinearForm.row($0) } + [-f.excluded * .row(f.sink[0])],
        priority: f.excluded * (.row(f.sink[0]) - .row(f.outside[0]) - .row(f.unit[0])),
        outputs: (0..<d).map { i in (form: factor * (.row(f.lane[i]) + onScratchpad), row: f.product[i]) })
    }
  }
}
