/// Sparse rows of weights as flat arrays in the scalar type of the run.
struct CompiledRows<Scalar: BinaryFloatingPoint & Sendable>: Sendable {
  /// Row i owns entries `starts[i] ..< starts[i + 1]`.
  var starts: [Int32] = [0]
  var indices: [Int32] = []
  var coefficients: [Scalar] = []

  init(_ rows: [[Term]]) {
    for row in rows {
      for term in row {
        indices.append(Int32(term.row))
        coefficients.append(Scalar(term.coefficient))
      }
      starts.append(Int32(indices.count))
    }
  }

  var rowCount: Int { starts.count - 1 }

  @inline(__always)
  func dot(_ row: Int, _ column: UnsafePointer<Scalar>) -> Scalar {
    var sum: Scalar = 0
    for entry in Int(starts[row])..<Int(starts[row + 1]) {
      sum += coefficients[entry] * column[Int(indices[entry])]
    }
    return sum
  }
}

/// The neurons of one layer. Neurons that differ only in their bias share one linear form, so a gadget of six
/// neurons costs one sparse dot product.
struct CompiledNeurons<Scalar: BinaryFloatingPoint & Sendable>: Sendable {
  let forms: CompiledRows<Scalar>
  /// Form i feeds neurons `firstNeuron[i] ..< firstNeuron[i + 1]`.
  let firstNeuron: [Int32]
  let biases: [Scalar]
  let outputs: CompiledRows<Scalar>

  init(_ neurons: [Neuron]) {
    var groups: [[Term]: [Neuron]] = [:]
    var order: [[Term]] = []
    for neuron in neurons {
      let terms = neuron.input.terms
      if groups[terms] == nil { order.append(terms) }
      groups[terms, default: []].append(neuron)
    }
    let grouped = order.map { groups[$0]! }
    forms = CompiledRows(order)
    var first: [Int32] = [0]
    for group in grouped { first.append(first.last! + Int32(group.count)) }
    firstNeuron = first
    let sorted = grouped.flatMap { $0 }
    biases = sorted.map { Scalar($0.input.constant) }
    outputs = CompiledRows(sorted.map(\.outputs))
  }

  /// Adds W₂ ReLU(W₁ x + b₁) to `result`.
  @inline(__always)
  func add(_ column: UnsafePointer<Scalar>, to result: UnsafeMutablePointer<Scalar>) {
    for form in 0..<forms.rowCount {
      let sum = forms.dot(form, column)
      for neuron in Int(firstNeuron[form])..<Int(firstNeuron[form + 1]) {
        let activation = sum + biases[neuron]
        guard activation > 0 else { continue }
        for entry in Int(outputs.starts[neuron])..<Int(outputs.starts[neuron + 1]) {
          result[Int(outputs.indices[entry])] += outputs.coefficients[entry] * activation
        }
      }
    }
  }
}

/// One head in the scalar type of the run.
struct CompiledHead<Scalar: BinaryFloatingPoint & Sendable>: Sendable {
  let name: String
  let kind: AttentionHead.Kind
  let query: CompiledRows<Scalar>
  let key: CompiledRows<Scalar>
  let priority: CompiledRows<Scalar>
  /// Destination rows and, row by row, what they read.
  let destinations: [Int32]
  let value: CompiledRows<Scalar>

  init(_ head: AttentionHead) {
    name = head.name
    kind = head.kind
    query = CompiledRows(head.query.rows)
    key = CompiledRows(head.key.rows)
    priority = CompiledRows([head.priority])
    let used = head.value.rows.indices.filter { !head.value.rows[$0].isEmpty }
    destinations = used.map(Int32.init)
    value = CompiledRows(used.map { head.value.rows[$0] })
  }
}
