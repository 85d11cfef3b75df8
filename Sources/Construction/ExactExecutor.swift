import Looping

/// Runs the same weights as `DenseExecutor` with hard attention, bit for bit, at a cost per pass that does not grow
/// with the number of columns.
///
/// Five facts make it exact, not approximate:
///
/// 1. **Codes.** If every key and query of a selector head is a vector of ±1 (or all zero), and priorities lie in
///    [0, 2), then a key equal to the query scores L + priority, any other at most L − 2 + priority: the winners are
///    found in a table by the code of the query. A column that breaks the premise is an error, not a wrong answer.
/// 2. **Exclusion.** A key of a smooth head whose vector is zero scores its priority. Where that is more than 746
///    below the largest score, e^−746 is 0 in every data type, and the key takes no part.
/// 3. **Rest.** A column that came through every layer unchanged, attending to no column that may change, does so in
///    every later pass, until a column whose key matches its query changes. Only the others are recomputed.
/// 4. **Unique hard attention and graphs.** Where the leftmost of the largest scores takes all, it is found by a table of
///    codes, a tournament, or among few candidates; a graph head passes on only what is not zero. See `LeftmostSearch`.
/// 5. **Closed gates.** A neuron whose input cannot be positive where the scratchpad indicator is 0, given the bounds
///    of the layout, is skipped there.
///
/// See Documentation/ExactExecution.md for the proof.
public final class ExactExecutor<Scalar: BinaryFloatingPoint & Sendable>: LoopBody {
  public typealias State = ResidualStream<Scalar>

  /// Columns that differ from what they were before the last pass, in no particular order.
  public private(set) var changedColumns: [Int] = []

  let network: ConstructedNetwork
  /// What graph heads see.
  let graph: ColumnGraph?
  private var layers: [ExactLayer<Scalar>] = []
  var columnCount = 0
  /// Columns that the coming layer must recompute.
  var dirty: [Int32] = []
  var isDirty: ColumnFlags
  /// Dirty columns that changed, or attended to something that may change, in this pass.
  var isRestless: ColumnFlags
  /// Dirty columns whose keys or queries may differ from the ones in the tables.
  var hasNewCodes: ColumnFlags
  private var codesChanged: ColumnFlags
  var isActive: ColumnFlags
  private var isSaved: ColumnFlags
  private var saved: [Int32] = []
  private var savedStorage: [Scalar] = []
  private var results: [Scalar] = []
  private var attended: [Scalar] = []
  /// What a column passes on through a graph head.
  var passed: [Scalar] = []
  private var isCodeRow: [Bool] = []
  var winners: [Int32] = []
  var scores: [Scalar] = []

  /// - Parameter graph: needed if, and only if, the network has graph heads; as many columns as the state.
  public init(_ network: ConstructedNetwork, graph: ColumnGraph? = nil) {
    precondition(graph != nil || !network.needsGraph, "\(network.name) has graph heads, and needs a graph")
    self.network = network
    self.graph = graph
    isDirty = ColumnFlags(count: 0)
    isRestless = isDirty
    hasNewCodes = isDirty
    codesChanged = isDirty
    isActive = isDirty
    isSaved = isDirty
  }

  /// Applies every layer once. Amortised complexity: O((changed columns) · weights) per pass; the first pass on a
  /// new stream visits all columns.
  ///
  /// - Throws: `ExecutionError` if a key or query is not a ±1 code.
  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  public func apply(to state: inout State, loop: Int) throws -> Bool {
    prepare(for: state)
    if let touched = state.touched {
      for column in touched {
        markDirty(Int32(column))
        hasNewCodes[column] = true
      }
    } else {
      for column in 0..<columnCount {
        markDirty(Int32(column))
        hasNewCodes[column] = true
      }
    }
    state.touched = []
    saved.removeAll(keepingCapacity: true)
    savedStorage.removeAll(keepingCapacity: true)
    for column in dirty {
      isRestless[Int(column)] = false
      codesChanged[Int(column)] = false
    }
    try state.storage.withUnsafeMutableBufferPointer { x in
      for layer in layers { try apply(layer, x.baseAddress!) }
      settle(x.baseAddress!)
    }
    return !changedColumns.isEmpty
  }

  private func prepare(for state: State) {
    guard state.columnCount != columnCount || state.touched == nil else { return }
    columnCount = state.columnCount
    layers = network.layers.map { ExactLayer($0, layout: network.layout, columnCount: columnCount) }
    isCodeRow = Array(repeating: false, count: network.width)
    for head in network.layers.flatMap(\.heads) where head.neighborhood == nil {
      for term in head.query.rows.joined() { isCodeRow[term.row] = true }
      for term in head.key.rows.joined() { isCodeRow[term.row] = true }
      for term in head.priority { isCodeRow[term.row] = true }
    }
    isDirty = ColumnFlags(count: columnCount)
    isRestless = ColumnFlags(count: columnCount)
    hasNewCodes = ColumnFlags(count: columnCount)
    codesChanged = ColumnFlags(count: columnCount)
    isActive = ColumnFlags(count: columnCount)
    isSaved = ColumnFlags(count: columnCount)
    dirty = []
    attended = Array(repeating: 0, count: network.width)
    passed = attended
  }

  @inline(__always)
  func markDirty(_ column: Int32) {
    if !isDirty[Int(column)] {
      isDirty[Int(column)] = true
      dirty.append(column)
    }
  }

  /// After the last layer: finds what changed over the whole pass, and lets columns rest.
  @inline(__always)
  private func settle(_ x: UnsafeMutablePointer<Scalar>) {
    let width = network.width
    changedColumns.removeAll(keepingCapacity: true)
    savedStorage.withUnsafeBufferPointer { savedStorage in
      for (order, column) in saved.enumerated() {
        isSaved[Int(column)] = false
        if !isEqual(x + Int(column) * width, savedStorage.baseAddress! + order * width, width) {
          changedColumns.append(Int(column))
        }
      }
    }
    var kept = 0
    for column in dirty {
      hasNewCodes[Int(column)] = codesChanged[Int(column)]
      if isRestless[Int(column)] {
        dirty[kept] = column
        kept += 1
      } else {
        isDirty[Int(column)] = false
      }
    }
    dirty.removeLast(dirty.count - kept)
    if results.count > 4096 * width { results = [] }  // The first pass visits all columns.
  }

  @inline(__always)
  private func apply(_ layer: ExactLayer<Scalar>, _ x: UnsafeMutablePointer<Scalar>) throws {
    let width = network.width
    var active = dirty
    for column in active { isActive[Int(column)] = true }
    for head in layer.heads { try rekey(head, x, &active) }
    if layer.isMixing {
      for head in layer.mixingHeads { try passOn(head, x, &active) }
      for head in layer.mixingHeads { gather(head) }
    }
    if results.count < active.count * width { results = Array(repeating: 0, count: active.count * width) }
    try results.withUnsafeMutableBufferPointer { results in
      try attended.withUnsafeMutableBufferPointer { attended in
        let attended = attended.baseAddress!
        for (order, column) in active.enumerated() {
          let result = results.baseAddress! + order * width
          attended.update(from: x + Int(column) * width, count: width)
          for head in layer.heads {
            if head.isMixing {
              head.mixer!.add(to: column, head.weights, attended)
            } else {
              try attend(head, column, x, attended)
            }
          }
          result.update(from: attended, count: width)
          if let indicator = network.layout.indicator, attended[indicator] == 0 {
            layer.neuronsOffScratchpad.add(attended, to: result)
          } else {
            layer.neurons.add(attended, to: result)
          }
        }
      }
      if layer.isMixing { for head in layer.mixingHeads { head.mixer!.forget() } }
      for (order, column) in active.enumerated() {
        isActive[Int(column)] = false
        let result = results.baseAddress! + order * width
        let target = x + Int(column) * width
        guard !isEqual(result, target, width) else { continue }
        if !isSaved[Int(column)] {
          isSaved[Int(column)] = true
          saved.append(column)
          savedStorage.append(contentsOf: UnsafeBufferPointer(start: target, count: width))
        }
        markDirty(column)
        isRestless[Int(column)] = true
        if !codesChanged[Int(column)] && codesDiffer(result, target) {
          codesChanged[Int(column)] = true
          hasNewCodes[Int(column)] = true
        }
        target.update(from: result, count: width)
      }
    }
  }

  @inline(__always)
  private func codesDiffer(_ left: UnsafePointer<Scalar>, _ right: UnsafePointer<Scalar>) -> Bool {
    isCodeRow.withUnsafeBufferPointer { isCodeRow in
      for row in 0..<isCodeRow.count where isCodeRow[row] && left[row] != right[row] { return true }
      return false
    }
  }

  @inline(__always)
  private func isEqual(_ left: UnsafePointer<Scalar>, _ right: UnsafePointer<Scalar>, _ count: Int) -> Bool {
    for row in 0..<count where left[row] != right[row] { return false }
    return true
  }
}

/// One flag per column, by reference: no exclusivity checks in the inner loops.
final class ColumnFlags {
  private let flags: UnsafeMutablePointer<Bool>

  init(count: Int) {
    flags = .allocate(capacity: count)
    flags.initialize(repeating: false, count: count)
  }

  deinit { flags.deallocate() }

  subscript(column: Int) -> Bool {
    @inline(__always) get { flags[column] }
    @inline(__always) set { flags[column] = newValue }
  }
}

final class ExactLayer<Scalar: BinaryFloatingPoint & Sendable> {
  let heads: [ExactHead<Scalar>]
  let mixingHeads: [ExactHead<Scalar>]
  let isMixing: Bool
  let neurons: CompiledNeurons<Scalar>
  let neuronsOffScratchpad: CompiledNeurons<Scalar>

  init(_ layer: ConstructedLayer, layout: ResidualLayout, columnCount: Int) {
    var heads: [ExactHead<Scalar>] = []
    for (order, head) in layer.heads.enumerated() {
      let equal = layer.heads[..<order].firstIndex {
        $0.kind == head.kind && $0.query == head.query && $0.key == head.key && $0.priority == head.priority
          && $0.neighborhood == head.neighborhood
      }
      heads.append(
        ExactHead(
          head, layer: layer.name, columnCount: columnCount, search: equal.flatMap { heads[$0].search }))
    }
    self.heads = heads
    mixingHeads = heads.filter { $0.mixer != nil }
    isMixing = !mixingHeads.isEmpty
    neurons = CompiledNeurons(layer.neurons)
    let bounds = layout.bounds
    neuronsOffScratchpad = CompiledNeurons(
      layer.neurons.filter { $0.canFire(bounds: bounds, zeroRow: layout.indicator) })
  }
}

extension Neuron {
  /// Whether the input can be positive for rows within ±bounds, with `zeroRow` at 0.
  func canFire(bounds: [Double], zeroRow: Int?) -> Bool {
    var highest = input.constant
    for (row, coefficient) in input.coefficients where row != zeroRow {
      highest += abs(coefficient) * bounds[row]
    }
    return highest > 0
  }
}

/// Why the exact executor refuses a network.
public enum ExecutionError: Error, Equatable, CustomStringConvertible {
  case notACode(head: String, column: Int)
  case priorityOutOfRange(head: String, column: Int)
  case notExcluded(head: String, column: Int)
  case codesTooClose(head: String)
  case notAUnitQuery(head: String, column: Int)
  case smoothAlongEdges(head: String)

  public var description: String {
    let why =
      switch self {
      case .notACode(let head, let column):
        "head \(head): column \(column) has a key or query that is not a ±1 code"
      case .priorityOutOfRange(let head, let column):
        "head \(head): the priority of column \(column) is not in 0..<2, or it changed"
      case .notExcluded(let head, let column):
        "head \(head): for column \(column) a key without a vector is not negligible"
      case .codesTooClose(let head):
        "head \(head): rounding does not tell its codes apart in this data type"
      case .notAUnitQuery(let head, let column):
        "head \(head): the query of column \(column) is neither 0 nor 1"
      case .smoothAlongEdges(let head):
        "head \(head) is smooth, and attends along edges"
      }
    return why + "; the exact executor cannot run it – use the dense one"
  }
}
