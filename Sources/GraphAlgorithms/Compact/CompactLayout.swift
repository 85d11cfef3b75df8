import Construction

/// The columns, the rows and the gadgets that the compact graph networks share.
///
/// Columns: 0 is the *sink*, 1 the *scratchpad*, 2 + v is node v.
///
/// The sink is there to be attended to when there is nothing to read. Unique hard attention gives a query of zeros, for
/// which all scores are equal, to the leftmost column; that is the sink, whose rows are zero but for its indicator. So a
/// head whose query is non-zero on some columns only does nothing on the others.
struct CompactLayout {
  static let sinkColumn = 0
  static let scratchpadColumn = 1
  static let firstNode = 2

  /// Larger than any number a run computes with (`CompactLimits.largestSum`); powers of two, in the range of float32.
  enum Magnitude {
    /// The distance of unreached nodes where distances are real numbers.
    static let far = 0x1p96
    /// Below every score of an available node, above `closed`: the sink's, so that "nobody" wins if nobody is left.
    static let nobody = 0x1p98
    /// Subtracted from the score of a node that must not be extracted.
    static let closed = 0x1p100
    /// The priority of columns that take no part in a comparison.
    static let excluded = 0x1p102
    /// Closes a gate for integers; integers below it are added and subtracted exactly in float32.
    static let integerGate = 0x1p23
    /// Closes a gate for real numbers.
    static let gate = 0x1p97
  }

  var layout = ResidualLayout()
  let sink: Field
  let scratchpad: Field
  let node: Field
  /// The node's dials; zero elsewhere.
  let address: Field
  /// The node's number plus 1; 0 means none.
  let index: Field
  /// The dials of the node just extracted; zero between loops.
  let pointer: Field
  /// Its index, 1, and how many nodes were extracted so far.
  let current: Field
  let found: Field
  let time: Field
  /// The index of the node that the last loop extracted, 0 if there was none.
  let extracted: Field

  init() {
    sink = layout.add("sink indicator", rows: 1)
    scratchpad = layout.add("scratchpad indicator", rows: 1)
    node = layout.add("node indicator", rows: 1)
    address = layout.add("address", rows: 4)
    index = layout.add("index", rows: 1, bound: Magnitude.integerGate)
    pointer = layout.add("pointer", rows: 4)
    current = layout.add("current index", rows: 1, bound: Magnitude.integerGate)
    found = layout.add("found", rows: 1)
    time = layout.add("time", rows: 1, bound: Magnitude.integerGate)
    extracted = layout.add("extracted", rows: 1, bound: Magnitude.integerGate)
  }

  /// Adds a one-row field of flags or integers.
  mutating func integer(_ name: String) -> Field {
    layout.add(name, rows: 1, bound: Magnitude.integerGate)
  }
  /// Adds a one-row field of real numbers.
  mutating func real(_ name: String) -> Field { layout.add(name, rows: 1, bound: Magnitude.far) }

  func builder(_ name: String) -> LayerBuilder { LayerBuilder(name, layout: layout) }

  // MARK: Attention

  /// Extract-min in one head: the scratchpad attends to the node with the largest score, the lowest of equal ones.
  ///
  ///     score(k) = score_k         for nodes        nobody + |score| < closed, so closed nodes score below the sink
  ///              = −nobody         for the sink
  ///              = −closed         for the scratchpad
  ///
  /// Unique hard attention has one winner, whose weight is 1: address, index and whatever else is read are copied bit for
  /// bit. If every node is closed the sink wins, and zeros are read: pointer 0, found 0, and the loop changes nothing.
  func extract(
    _ layer: inout LayerBuilder, largest score: LinearForm, reading: [(from: Field, to: Field)] = [],
    nobody: Double = Magnitude.nobody
  ) {
    var outputs: [(form: LinearForm, row: Int)] = (0..<4).map { (.row(address[$0]), pointer[$0]) }
    outputs += [(.row(index[0]), current[0]), (.row(node[0]), found[0])]
    outputs += reading.map { (.row($0.from[0]), $0.to[0]) }
    layer.attend(
      "extract", kind: .leftmost, query: [.row(scratchpad[0])],
      key: [score - nobody * .row(sink[0]) - Magnitude.closed * .row(scratchpad[0])], outputs: outputs)
    layer.clear(extracted)
  }

  /// "Am I the node that the scratchpad points to?", asked by every node at once.
  ///
  /// Node i asks with its address. Its own key is its address, the scratchpad's key is the pointer. If both are the same
  /// bits, both have the same score, and the scratchpad is further left; otherwise the node's own key scores more by the
  /// gap of `DialCode`, and other nodes' keys score less. So the extracted node reads the scratchpad, the others read
  /// themselves – zeros, if `outputs` are made of rows that are zero on nodes. With `mixing`, the graph passes on what
  /// the extracted node read to its neighbours, and the sum over neighbours has one term that is not zero.
  func notify(
    _ name: String, _ layer: inout LayerBuilder, mixing: GraphMixing? = nil,
    outputs: [(form: LinearForm, row: Int)]
  ) {
    layer.attend(
      name, kind: .leftmost, query: (0..<4).map { .row(address[$0]) },
      key: (0..<4).map { .row(address[$0]) + .row(pointer[$0]) }, mixing: mixing, outputs: outputs)
  }

  /// Exact comparison of two numbers of one column: `outputs` are read from the scratchpad where a < b, from the sink
  /// (zeros) where a ≥ b. No tolerance: −a is the score of the scratchpad, −b the sink's, and the leftmost wins a tie.
  ///
  /// Nodes take no part, as their priority is −excluded. On the sink and the scratchpad themselves a and b must be 0.
  func compare(
    _ name: String, _ layer: inout LayerBuilder, _ a: LinearForm, isLessThan b: LinearForm,
    outputs: [(form: LinearForm, row: Int)]
  ) {
    layer.attend(
      name, kind: .leftmost, query: [-b, -a], key: [.row(sink[0]), .row(scratchpad[0])],
      priority: -Magnitude.excluded * .row(node[0]), outputs: outputs)
  }

  // MARK: Feed-forward

  /// After the last use of the pointer: shows the extracted node for the next loop's observers, and clears.
  func finish(_ layer: inout LayerBuilder, clearing fields: Field...) {
    layer.relu(.row(current[0]), to: extracted[0])
    for field in [pointer, current, found] + fields { layer.clear(field) }
  }

  /// Counts extractions; in the layer that extracts.
  func tick(_ layer: inout LayerBuilder) { layer.relu(.row(found[0]), to: time[0]) }

  // MARK: Prelude

  func stream<Scalar: BinaryFloatingPoint & Sendable>(nodeCount: Int) -> ResidualStream<Scalar> {
    let dials = DialCode(nodeCount: nodeCount)
    var state = ResidualStream<Scalar>(width: layout.width, columnCount: Self.firstNode + nodeCount)
    state[sink[0], Self.sinkColumn] = 1
    state[scratchpad[0], Self.scratchpadColumn] = 1
    for v in 0..<nodeCount {
      let column = Self.firstNode + v
      state[node[0], column] = 1
      state[index[0], column] = Scalar(v + 1)
      for (i, entry) in dials.code(v).enumerated() { state[address[i], column] = Scalar(entry) }
    }
    return state
  }
}

extension LayerBuilder {
  /// Adds `value`, an integer form, to `row` where it is positive and `closed` is 0; nothing where `closed` ≥ 1. Exact in
  /// any order of summation, as all terms are integers below 2^24.
  mutating func addInteger(
    _ value: LinearForm, unless closed: LinearForm, to row: Int, times factor: Double = 1
  ) {
    relu(value - CompactLayout.Magnitude.integerGate * closed, to: row, times: factor)
  }

  /// `row` ← 0 where the flag `kept` is 0, unchanged where it is 1.
  ///
  ///     −ReLU(x − Ω·kept) + ReLU(−x − Ω·kept)      kept = 0: −x, exactly, as Ω·0 = 0;   kept = 1: 0 − 0, as Ω > |x|
  mutating func clear(_ row: Int, unless kept: Field) {
    let gate = CompactLayout.Magnitude.gate * LinearForm.row(kept[0])
    relu(.row(row) - gate, to: row, times: -1)
    relu(-.row(row) - gate, to: row)
  }

  /// Adds `source` to `row` – which a layer before has cleared – where `kept` is 0. The two steps of a replacement are
  /// two layers, as x + new − x would round.
  mutating func add(_ source: Field, unless kept: Field, to row: Int) {
    add(.row(source[0]), gatedBy: -CompactLayout.Magnitude.gate * LinearForm.row(kept[0]), to: row)
  }

  /// Sets a flag that rests at 1 on nodes back to 1.
  mutating func restore(_ flag: Field, on node: Field) {
    relu(.row(node[0]) - .row(flag[0]), to: flag[0])
  }
}
