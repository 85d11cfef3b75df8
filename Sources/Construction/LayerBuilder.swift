/// Collects the heads and neurons of one layer, in the words of the construction.
///
/// The docstring of each gadget is its proof. All constants are dyadic, so that in exact arithmetic on bits (±1)
/// every sum below is exact in floating point, whatever the order of summation.
public struct LayerBuilder {
  public let layout: ResidualLayout
  public let name: String
  public private(set) var heads: [AttentionHead] = []
  public private(set) var neurons: [Neuron] = []

  public init(_ name: String, layout: ResidualLayout) {
    self.name = name
    self.layout = layout
  }

  public func build() -> ConstructedLayer { ConstructedLayer(name: name, heads: heads, neurons: neurons) }

  // MARK: Attention

  /// Adds a head. Element i of every field in `query` (likewise `key`) is summed into dimension i, so a column may
  /// be addressed by a pointer field or by its position code, whichever of the two is non-zero there.
  /// Each pair of `copies` adds the source field of the attended column to the destination field, row by row.
  public mutating func attend(
    _ name: String, kind: AttentionHead.Kind = .selector, query: [Field], key: [Field],
    priority: Field? = nil,
    mixing: GraphMixing? = nil, copies: [(from: Field, to: Field)]
  ) {
    func selection(_ fields: [Field]) -> SparseMatrix {
      precondition(Set(fields.map(\.count)).count == 1, "\(name): fields of one size are needed")
      let rows = (0..<fields[0].count).map { i in fields.map { Term(row: $0[i], coefficient: 1) } }
      return SparseMatrix(rows: rows, columnCount: layout.width)
    }
    var value = SparseMatrix(rows: Array(repeating: [], count: layout.width), columnCount: layout.width)
    for copy in copies {
      precondition(copy.from.count == copy.to.count, "\(name): \(copy.from.name) → \(copy.to.name)")
      for i in 0..<copy.from.count { value.rows[copy.to[i]].append(Term(row: copy.from[i], coefficient: 1)) }
    }
    heads.append(
      AttentionHead(
        name: name, kind: kind, query: selection(query), key: selection(key), value: value,
        priority: priority.map { [Term(row: $0[0], coefficient: 1)] } ?? [], mixing: mixing))
  }

  /// Adds a head given by its forms: Σ_d key_d(k)·query_d(j) + priority(k) are the scores, and the attended column's
  /// `outputs` are added to the rows named. Forms have no constants: a head has no biases.
  public mutating func attend(
    _ name: String, kind: AttentionHead.Kind, query: [LinearForm], key: [LinearForm],
    priority: LinearForm = LinearForm(), mixing: GraphMixing? = nil,
    neighborhood: AttentionHead.Neighborhood? = nil, outputs: [(form: LinearForm, row: Int)]
  ) {
    precondition(query.count == key.count, "\(name): \(query.count) queries, \(key.count) keys")
    precondition(
      (query + key + [priority] + outputs.map(\.form)).allSatisfy { $0.constant == 0 },
      "\(name): a head has no biases")
    var value = SparseMatrix(rows: Array(repeating: [], count: layout.width), columnCount: layout.width)
    for (form, row) in outputs { value.rows[row] += form.terms }
    heads.append(
      AttentionHead(
        name: name, kind: kind,
        query: SparseMatrix(rows: query.map(\.terms), columnCount: layout.width),
        key: SparseMatrix(rows: key.map(\.terms), columnCount: layout.width), value: value,
        priority: priority.terms, mixing: mixing, neighborhood: neighborhood))
  }

  // MARK: Feed-forward gadgets

  /// Adds `factor · ReLU(input)` to `row`.
  public mutating func relu(_ input: LinearForm, to row: Int, times factor: Double = 1) {
    neurons.append(Neuron(input: input, outputs: [Term(row: row, coefficient: factor)]))
  }

  /// Adds `factor · [x > 0]` to `row`, exact for |x| ≥ ¼ and robust: an error below ¼ in `x` changes nothing when
  /// x is a half-integer.
  ///
  ///     step(x) = ReLU(2x + ½) − ReLU(2x − ½)     x ≤ −¼: 0 − 0;   x ≥ ¼: (2x + ½) − (2x − ½) = 1
  public mutating func step(_ x: LinearForm, to row: Int, times factor: Double = 1) {
    relu(2 * x + 0.5, to: row, times: factor)
    relu(2 * x - 0.5, to: row, times: -factor)
  }

  /// Adds `factor · [x > 0]` to `row` where `indicator` is 1 and nothing where it is 0, provided the part of x that
  /// depends on rows stays ≤ `bound` there.
  ///
  /// The constant of x becomes a coefficient of the indicator, and so does the gate: the neurons see
  ///
  ///     (x − constant) + (constant + bound + 1)·indicator − (bound + 1)
  ///
  /// which is x where the indicator is 1, and at most −1 where it is 0: `step` is 0 there. A bias of the size of the
  /// constant would cost a significant bit more.
  public mutating func step(
    _ x: LinearForm, onlyWhere indicator: LinearForm, bound: Double, to row: Int, times factor: Double = 1
  ) {
    step(
      x - x.constant + (x.constant + bound + 1) * indicator - (bound + 1), to: row, times: factor)
  }

  /// Replaces every row of the fields by the nearest of −1, 0 and 1; exact for errors below ¼:
  ///
  ///     −x + step(x − ½) − step(−x − ½)
  ///
  /// Source: Giannou et al. 2023, error correction, with the constant ε = ¼ that makes 1/(1 − 2ε) exact.
  public mutating func roundToTernary(_ fields: Field...) {
    for field in fields {
      clear(field)
      for row in field.rows {
        step(.row(row) - 0.5, to: row)
        step(-.row(row) - 0.5, to: row, times: -1)
      }
    }
  }

  /// Sets every row of the fields to zero: −ReLU(x) + ReLU(−x) = −x, exactly.
  public mutating func clear(_ fields: Field...) {
    for row in fields.flatMap(\.rows) {
      relu(.row(row), to: row, times: -1)
      relu(-.row(row), to: row)
    }
  }

  /// Adds the sum of two binary numbers and `carryIn`, modulo 2^count, to `target` as 2·bit – so that a following −1
  /// makes a ±1 code – where `openWhere` is 1, and nothing where it is 0.
  ///
  /// - Parameters:
  ///   - code: a ±1 code, least significant bit first (0 where closed).
  ///   - bits: a shorter number of {0, 1} rows.
  ///
  /// Bit i is read off the sum of all contributions of weight ≤ 2^i (`bit`), which two numbers and a carry keep
  /// below 2^(i+2); a closed gate subtracts twice that.
  public mutating func addNumbers(
    _ code: Field, _ bits: Field? = nil, carryIn: Double = 0, openWhere: LinearForm, to target: Field
  ) {
    var sum = LinearForm(constant: carryIn)
    for i in 0..<code.count {
      let unit = Double(sign: .plus, exponent: i, significand: 1)
      sum = sum + 0.5 * unit * (.row(code[i]) + 1)
      if let bits, i < bits.count { sum = sum + unit * .row(bits[i]) }
      bit(i, of: sum, gatedBy: 8 * unit * (openWhere - 1), to: target[i], times: 2)
    }
  }

  /// Adds `source` to `row` where `gate` is 0, nothing where `gate` ≤ −bound:
  /// ReLU(source + gate) − ReLU(−source + gate).
  public mutating func add(_ source: LinearForm, gatedBy gate: LinearForm, to row: Int) {
    relu(source + gate, to: row)
    relu(-source + gate, to: row, times: -1)
  }

  /// Adds bit `index` (counted from 0, as {0, 1} times `factor`) of the non-negative integer whose low bits are
  /// `partialSum` = Σ_{j ≤ index} 2^j·(contributions), provided partialSum < 2^(index+2).
  ///
  /// The bit is 1 iff the sum lies in [2^i, 2^(i+1)) or [3·2^i, 2^(i+2)), hence three steps:
  ///
  ///     bit = [s ≥ 2^i] − [s ≥ 2^(i+1)] + [s ≥ 3·2^i]
  ///
  /// `gate` is added inside every step (0 = open, ≤ −2^(i+2) − 1 = closed).
  /// Source: Giannou et al. 2023, lemma on binary addition; the steps here keep errors below ¼ out of the result.
  public mutating func bit(
    _ index: Int, of partialSum: LinearForm, gatedBy gate: LinearForm, to row: Int, times factor: Double
  ) {
    let unit = Double(sign: .plus, exponent: index, significand: 1)
    step(partialSum - unit + 0.5 + gate, to: row, times: factor)
    step(partialSum - 2 * unit + 0.5 + gate, to: row, times: -factor)
    step(partialSum - 3 * unit + 0.5 + gate, to: row, times: factor)
  }
  /// The same bit where `indicator` is 1, nothing where it is 0: see `step(_:onlyWhere:bound:to:times:)`.
  public mutating func bit(
    _ index: Int, of partialSum: LinearForm, onlyWhere indicator: LinearForm, bound: Double, to row: Int,
    times factor: Double
  ) {
    let unit = Double(sign: .plus, exponent: index, significand: 1)
    for (threshold, sign) in [(unit, 1.0), (2 * unit, -1), (3 * unit, 1)] {
      step(
        partialSum - threshold + 0.5, onlyWhere: indicator, bound: bound, to: row, times: sign * factor)
    }
  }

  /// Adds 2(`fresh` − `stale`) to the rows of `stale` where `gate` is 0, and nothing where it is −4.
  ///
  /// After a head whose queries are its keys has averaged a new and an old value, ½(new + old), this turns the old
  /// value into the new one: old + 2(½(new + old) − old) = new. Elsewhere average and old value are equal, and
  /// exactly 0 is added. A closed gate subtracts 4, and no two bits differ by more than 2.
  ///
  /// Source: Giannou et al. 2023, read and write; C = 4 is the smallest power of two, which keeps the sums exact.
  public mutating func replace(
    _ stale: Field, byAverage fresh: Field, gatedBy gate: LinearForm
  ) {
    for i in 0..<stale.count {
      add(2 * (.row(fresh[i]) - .row(stale[i])), gatedBy: gate, to: stale[i])
    }
  }
}
