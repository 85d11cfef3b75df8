/// Sparse rows of weights as flat arrays in the scalar type of the run. Raw memory, because a bounds check and a
/// reference count per weight would cost more than the arithmetic; immutable after `init`, hence Sendable.
final class CompiledRows<Scalar: BinaryFloatingPoint & Sendable>: @unchecked Sendable {
  let rowCount: Int
  /// Row i owns entries `starts[i] ..< starts[i + 1]`.
  let starts: UnsafeMutablePointer<Int32>
  let indices: UnsafeMutablePointer<Int32>
  let coefficients: UnsafeMutablePointer<Scalar>

  init(_ rows: [[Term]]) {
    rowCount = rows.count
    let count = rows.reduce(0) { $0 + $1.count }
    starts = .allocate(capacity: rows.count + 1)
    indices = .allocate(capacity: count)
    coefficients = .allocate(capacity: count)
    var entry = 0
    for (row, terms) in rows.enumerated() {
      (starts + row).initialize(to: Int32(entry))
      for term in terms {
        (indices + entry).initialize(to: Int32(term.row))
        (coefficients + entry).initialize(to: Scalar(term.coefficient))
        entry += 1
      }
    }
    (starts + rows.count).initialize(to: Int32(entry))
  }

  deinit {
    starts.deallocate()
    indices.deallocate()
    coefficients.deallocate()
  }

  @inline(__always)
  func dot(_ row: Int, _ column: UnsafePointer<Scalar>) -> Scalar {
    var sum: Scalar = 0
    for entry in Int(starts[row])..<Int(starts[row + 1]) {
      sum += coefficients[entry] * column[Int(indices[entry])]
    }
    return sum
  }
}

/// The neurons of one layer, sorted so that shared work is done once. The sum W₂ ReLU(W₁ x + b₁) is the same; only
/// the hidden units are renumbered.
///
/// - Rows that are cleared, −ReLU(x) + ReLU(−x), become ranges of plain subtractions.
/// - Pairs c·ReLU(s + b) − c·ReLU(−s − b) become c·(s + b): one of the two is zero, and negation is exact.
/// - Neurons whose inputs differ in sign and bias only share one sparse dot product.
final class CompiledNeurons<Scalar: BinaryFloatingPoint & Sendable>: @unchecked Sendable {
  /// Row ranges to clear: starts and ends, alternating.
  private let clears: [Int32]
  private let linearForms: CompiledRows<Scalar>
  private let linearBiases: [Scalar]
  private let linearOutputs: CompiledRows<Scalar>
  private let forms: CompiledRows<Scalar>
  /// Form i feeds neurons `firstNeuron[i] ..< firstNeuron[i + 1]`.
  private let firstNeuron: [Int32]
  private let signs: [Scalar]
  private let biases: [Scalar]
  private let outputs: CompiledRows<Scalar>

  init(_ neurons: [Neuron]) {
    var groups: [[Term]: [HiddenUnit]] = [:]
    var order: [[Term]] = []
    for neuron in neurons {
      let terms = neuron.input.terms
      let sign: Double = (terms.first?.coefficient ?? 1) < 0 ? -1 : 1
      let key = sign < 0 ? terms.negated : terms
      if groups[key] == nil { order.append(key) }
      groups[key, default: []].append(
        HiddenUnit(sign: sign, bias: neuron.input.constant, outputs: neuron.outputs))
    }
    var linear: [(terms: [Term], unit: HiddenUnit)] = []
    var cleared: [Int] = []
    for terms in order {
      var units = groups[terms]!
      while let (i, j) = units.indices.lazy.compactMap({ i in
        units[(i + 1)...].firstIndex { $0.cancels(units[i]) }.map { (i, $0) }
      }).first {
        let unit = units[i].sign > 0 ? units[i] : units[j]
        units.remove(at: j)
        units.remove(at: i)
        let row = terms.count == 1 && terms[0].coefficient == 1 ? terms[0].row : nil
        if let row, unit.bias == 0, unit.outputs == [Term(row: row, coefficient: -1)] {
          cleared.append(row)
        } else {
          linear.append((terms, unit))
        }
      }
      groups[terms] = units
    }
    var ranges: [Range<Int>] = []
    for row in cleared.sorted() {
      if ranges.last?.upperBound == row {
        ranges[ranges.count - 1] = ranges.last!.lowerBound..<(row + 1)
      } else {
        ranges.append(row..<(row + 1))
      }
    }
    clears = ranges.flatMap { [Int32($0.lowerBound), Int32($0.upperBound)] }
    linearForms = CompiledRows(linear.map(\.terms))
    linearBiases = linear.map { Scalar($0.unit.bias) }
    linearOutputs = CompiledRows(linear.map(\.unit.outputs))
    let rectified = order.filter { !groups[$0]!.isEmpty }
    forms = CompiledRows(rectified)
    var first: [Int32] = [0]
    for terms in rectified { first.append(first.last! + Int32(groups[terms]!.count)) }
    firstNeuron = first
    let sorted = rectified.flatMap { groups[$0]! }
    signs = sorted.map { Scalar($0.sign) }
    biases = sorted.map { Scalar($0.bias) }
    outputs = CompiledRows(sorted.map(\.outputs))
  }

  /// Adds W₂ ReLU(W₁ x + b₁) to `result`, which must not overlap `column`.
  @inline(__always)
  func add(_ column: UnsafePointer<Scalar>, to result: UnsafeMutablePointer<Scalar>) {
    clears.withUnsafeBufferPointer { clears in
      for range in stride(from: 0, to: clears.count, by: 2) {
        for row in Int(clears[range])..<Int(clears[range + 1]) { result[row] -= column[row] }
      }
    }
    linearBiases.withUnsafeBufferPointer { biases in
      for form in 0..<linearForms.rowCount {
        let sum = linearForms.dot(form, column) + biases[form]
        for entry in Int(linearOutputs.starts[form])..<Int(linearOutputs.starts[form + 1]) {
          result[Int(linearOutputs.indices[entry])] += linearOutputs.coefficients[entry] * sum
        }
      }
    }
    firstNeuron.withUnsafeBufferPointer { firstNeuron in
      signs.withUnsafeBufferPointer { signs in
        biases.withUnsafeBufferPointer { biases in
          for form in 0..<forms.rowCount {
            let sum = forms.dot(form, column)
            for neuron in Int(firstNeuron[form])..<Int(firstNeuron[form + 1]) {
              let activation = signs[neuron] * sum + biases[neuron]
              guard activation > 0 else { continue }
              for entry in Int(outputs.starts[neuron])..<Int(outputs.starts[neuron + 1]) {
                result[Int(outputs.indices[entry])] += outputs.coefficients[entry] * activation
              }
            }
          }
        }
      }
    }
  }
}

/// What remains of a neuron whose linear form is shared: ReLU(sign · form + bias).
private struct HiddenUnit {
  var sign: Double
  var bias: Double
  var outputs: [Term]

  func cancels(_ other: HiddenUnit) -> Bool {
    sign == -other.sign && bias == -other.bias && outputs == other.outputs.negated
  }
}

extension [Term] {
  fileprivate var negated: [Term] { map { Term(row: $0.row, coefficient: -$0.coefficient) } }
}

/// One head in the scalar type of the run.
final class CompiledHead<Scalar: BinaryFloatingPoint & Sendable>: @unchecked Sendable {
  let name: String
  let kind: AttentionHead.Kind
  let mixing: GraphMixing?
  let neighborhood: AttentionHead.Neighborhood?
  let query: CompiledRows<Scalar>
  let key: CompiledRows<Scalar>
  let priority: CompiledRows<Scalar>
  let hasPriority: Bool
  /// Destination rows and, row by row, what they read.
  let destinations: [Int32]
  let value: CompiledRows<Scalar>

  init(_ head: AttentionHead) {
    name = head.name
    kind = head.kind
    mixing = head.mixing
    neighborhood = head.neighborhood
    query = CompiledRows(head.query.rows)
    key = CompiledRows(head.key.rows)
    priority = CompiledRows([head.priority])
    hasPriority = !head.priority.isEmpty
    let used = head.value.rows.indices.filter { !head.value.rows[$0].isEmpty }
    destinations = used.map(Int32.init)
    value = CompiledRows(used.map { head.value.rows[$0] })
  }

  /// Adds `weight` times the values of the key column `source` to `target`.
  @inline(__always)
  func addValues(of source: UnsafePointer<Scalar>, weight: Scalar, to target: UnsafeMutablePointer<Scalar>) {
    destinations.withUnsafeBufferPointer { destinations in
      for i in 0..<destinations.count {
        target[Int(destinations[i])] += weight * value.dot(i, source)
      }
    }
  }
}
