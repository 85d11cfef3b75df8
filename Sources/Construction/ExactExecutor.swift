import Looping

/// Runs the same weights as `DenseExecutor` with hard attention, bit for bit, at a cost per pass that does not grow
/// with the number of columns.
///
/// Three facts make it exact, not approximate:
///
/// 1. **Codes.** If every key and query is a vector of ±1 (or all zero), and priorities lie in [0, 2), then a key
///    equal to the query scores L + priority, any other at most L − 2 + priority: the winners are found in a table
///    by the code of the query. A column that breaks the premise is an error, not a wrong answer.
/// 2. **Rest.** A column that came through every layer unchanged, attending to no column that may change, does so in
///    every later pass, until a column whose key matches its query changes. Only the others are recomputed.
/// 3. **Closed gates.** A neuron whose input cannot be positive where the scratchpad indicator is 0, given the bounds
///    of the layout, is skipped there.
///
/// See Documentation/ExactExecution.md for the proof.
public final class ExactExecutor<Scalar: BinaryFloatingPoint & Sendable>: LoopBody {
  public typealias State = ResidualStream<Scalar>

  /// Columns that differ from what they were before the last pass, in no particular order.
  public private(set) var changedColumns: [Int] = []

  private struct Head {
    let weights: CompiledHead<Scalar>
    let sharesCodes: Bool
    var keys: HeadIndex
    var queries: HeadIndex
    var priorities: [Scalar]
    var preferred: [Int32] = []
  }

  private struct Layer {
    let name: String
    var heads: [Head]
    let neurons: CompiledNeurons<Scalar>
    let neuronsOffScratchpad: CompiledNeurons<Scalar>
  }

  private let network: ConstructedNetwork
  private var layers: [Layer] = []
  private var columnCount = 0
  private var isDirty: [Bool] = []
  private var dirty: [Int32] = []
  private var isActive: [Bool] = []
  /// Dirty columns that changed, or attended to something that may change, in this pass.
  private var isRestless: [Bool] = []
  private var saved: [Int32] = []
  private var isSaved: [Bool] = []
  private var savedStorage: [Scalar] = []
  private var attended: [Scalar] = []
  private var result: [Scalar] = []
  private var winners: [Int32] = []

  public init(_ network: ConstructedNetwork) {
    self.network = network
  }

  /// Applies every layer once. Amortised complexity: O((changed columns) · weights) per pass; the first pass on a
  /// new stream visits all columns.
  ///
  /// - Throws: `ExecutionError` if a key or query is not a ±1 code.
  public func apply(to state: inout State, loop: Int) throws -> Bool {
    prepare(for: state)
    if let touched = state.touched {
      for column in touched { markDirty(Int32(column)) }
    } else {
      for column in 0..<columnCount { markDirty(Int32(column)) }
    }
    state.touched = []
    saved.removeAll(keepingCapacity: true)
    savedStorage.removeAll(keepingCapacity: true)
    for column in dirty { isRestless[Int(column)] = false }
    try state.storage.withUnsafeMutableBufferPointer { x in
      for index in layers.indices { try apply(layer: index, x.baseAddress!) }
    }
    settle(state)
    return !changedColumns.isEmpty
  }

  private func prepare(for state: State) {
    guard state.columnCount != columnCount || state.touched == nil else { return }
    columnCount = state.columnCount
    let off = network.layout.indicator
    layers = network.layers.map { layer in
      Layer(
        name: layer.name,
        heads: layer.heads.map { head in
          let index = HeadIndex(columnCount: columnCount, dimension: head.key.rowCount)
          return Head(
            weights: CompiledHead(head), sharesCodes: head.query == head.key, keys: index, queries: index,
            priorities: Array(repeating: 0, count: columnCount))
        },
        neurons: CompiledNeurons(layer.neurons),
        neuronsOffScratchpad: CompiledNeurons(
          layer.neurons.filter { $0.canFire(bounds: network.layout.bounds, zeroRow: off) }))
    }
    isDirty = Array(repeating: false, count: columnCount)
    isActive = isDirty
    isSaved = isDirty
    isRestless = isDirty
    dirty = []
  }

  @inline(__always)
  private func markDirty(_ column: Int32) {
    if !isDirty[Int(column)] {
      isDirty[Int(column)] = true
      dirty.append(column)
    }
  }

  private func save(_ column: Int32, _ x: UnsafeMutablePointer<Scalar>) {
    guard !isSaved[Int(column)] else { return }
    isSaved[Int(column)] = true
    saved.append(column)
    let width = network.width
    savedStorage.append(contentsOf: UnsafeBufferPointer(start: x + Int(column) * width, count: width))
  }

  /// After the last layer: finds what changed over the whole pass, and lets columns rest.
  private func settle(_ state: State) {
    let width = network.width
    changedColumns.removeAll(keepingCapacity: true)
    for (order, column) in saved.enumerated() {
      isSaved[Int(column)] = false
      let base = Int(column) * width
      if (0..<width).contains(where: { state.storage[base + $0] != savedStorage[order * width + $0] }) {
        changedColumns.append(Int(column))
      }
    }
    dirty.removeAll { column in
      if isRestless[Int(column)] { return false }
      isDirty[Int(column)] = false
      return true
    }
  }

  private func apply(layer index: Int, _ x: UnsafeMutablePointer<Scalar>) throws {
    let width = network.width
    var active = dirty
    for column in active { isActive[Int(column)] = true }
    for head in layers[index].heads.indices { try rekey(index, head, x, &active) }

    attended.removeAll(keepingCapacity: true)
    for column in active {
      attended.append(contentsOf: UnsafeBufferPointer(start: x + Int(column) * width, count: width))
    }
    attended.withUnsafeMutableBufferPointer { attended in
      for head in layers[index].heads.indices {
        for (order, column) in active.enumerated() {
          attend(index, head, column, x, attended.baseAddress! + order * width)
        }
      }
    }
    result.removeAll(keepingCapacity: true)
    result.append(contentsOf: attended)
    let indicator = network.layout.indicator
    for order in active.indices {
      attended.withUnsafeBufferPointer { attended in
        result.withUnsafeMutableBufferPointer { result in
          let source = attended.baseAddress! + order * width
          if let indicator, source[indicator] == 0 {
            layers[index].neuronsOffScratchpad.add(source, to: result.baseAddress! + order * width)
          } else {
            layers[index].neurons.add(source, to: result.baseAddress! + order * width)
          }
        }
      }
    }
    for (order, column) in active.enumerated() {
      isActive[Int(column)] = false
      let target = x + Int(column) * width
      if (0..<width).contains(where: { result[order * width + $0] != target[$0] }) {
        save(column, x)
        markDirty(column)
        isRestless[Int(column)] = true
        for row in 0..<width { target[row] = result[order * width + row] }
      }
    }
  }

  /// Refreshes the codes of dirty columns, and activates resting columns that attend, or attended, to one of them.
  private func rekey(_ layer: Int, _ head: Int, _ x: UnsafeMutablePointer<Scalar>, _ active: inout [Int32])
    throws
  {
    func activateColumns(querying code: UInt64) {
      guard code != HeadIndex.none else { return }
      var column =
        layers[layer].heads[head].sharesCodes
        ? layers[layer].heads[head].keys.first(code) : layers[layer].heads[head].queries.first(code)
      while column >= 0 {
        if !isActive[Int(column)] {
          isActive[Int(column)] = true
          active.append(column)
        }
        column =
          layers[layer].heads[head].sharesCodes
          ? layers[layer].heads[head].keys.after(column) : layers[layer].heads[head].queries.after(column)
      }
    }
    for column in dirty {
      let source = UnsafePointer(x) + Int(column) * network.width
      let key = try pack(layers[layer].heads[head].weights.key, source, layer, head, column)
      let old = layers[layer].heads[head].keys.codes[Int(column)]
      if key != old {
        activateColumns(querying: old)
        layers[layer].heads[head].keys.update(Int(column), to: key)
      }
      if !layers[layer].heads[head].sharesCodes {
        let query = try pack(layers[layer].heads[head].weights.query, source, layer, head, column)
        layers[layer].heads[head].queries.update(Int(column), to: query)
      }
      let priority = layers[layer].heads[head].weights.priority.dot(0, source)
      if priority != layers[layer].heads[head].priorities[Int(column)] {
        guard priority >= 0 && priority < 2 else {
          throw ExecutionError.priorityOutOfRange(
            network: network.name, head: name(layer, head), column: Int(column))
        }
        layers[layer].heads[head].priorities[Int(column)] = priority
        layers[layer].heads[head].preferred.removeAll { $0 == column }
        if priority > 0 { layers[layer].heads[head].preferred.append(column) }
      }
    }
    for column in dirty { activateColumns(querying: layers[layer].heads[head].keys.codes[Int(column)]) }
  }

  private func name(_ layer: Int, _ head: Int) -> String {
    "\(layers[layer].name) / \(layers[layer].heads[head].weights.name)"
  }

  @inline(__always)
  private func pack(
    _ rows: CompiledRows<Scalar>, _ column: UnsafePointer<Scalar>, _ layer: Int, _ head: Int, _ number: Int32
  ) throws -> UInt64 {
    var code: UInt64 = 0
    var zeros = 0
    for i in 0..<rows.rowCount {
      let entry = rows.dot(i, column)
      if entry == 1 {
        code |= 1 << UInt64(i)
      } else if entry == 0 {
        zeros += 1
      } else if entry != -1 {
        throw ExecutionError.notACode(network: network.name, head: name(layer, head), column: Int(number))
      }
    }
    if zeros == rows.rowCount { return HeadIndex.none }
    guard zeros == 0 else {
      throw ExecutionError.notACode(network: network.name, head: name(layer, head), column: Int(number))
    }
    return code
  }

  /// Adds the head's output for one query column to `target`.
  private func attend(
    _ layer: Int, _ head: Int, _ column: Int32, _ x: UnsafeMutablePointer<Scalar>,
    _ target: UnsafeMutablePointer<Scalar>
  ) {
    let settled = findWinners(layer, head, column)
    if isDirty[Int(column)] && (!settled || winners.contains { $0 != column && isDirty[Int($0)] }) {
      isRestless[Int(column)] = true
    }
    let weights = layers[layer].heads[head].weights
    let share = 1 / Scalar(winners.count)
    for winner in winners {
      let source = UnsafePointer(x) + Int(winner) * network.width
      for i in 0..<weights.destinations.count {
        target[Int(weights.destinations[i])] += share * weights.value.dot(i, source)
      }
    }
  }

  /// Puts the columns with the largest score into `winners`.
  /// - Returns: whether they were found in the table, so that only a change of a matching key can change them.
  private func findWinners(_ layer: Int, _ head: Int, _ column: Int32) -> Bool {
    winners.removeAll(keepingCapacity: true)
    let query =
      layers[layer].heads[head].sharesCodes
      ? layers[layer].heads[head].keys.codes[Int(column)]
      : layers[layer].heads[head].queries.codes[Int(column)]
    if query != HeadIndex.none {
      var candidate = layers[layer].heads[head].keys.first(query)
      var highest = -Scalar.infinity
      while candidate >= 0 {
        let priority = layers[layer].heads[head].priorities[Int(candidate)]
        if priority > highest {
          highest = priority
          winners.removeAll(keepingCapacity: true)
        }
        if priority == highest { winners.append(candidate) }
        candidate = layers[layer].heads[head].keys.after(candidate)
      }
      if !winners.isEmpty { return true }
    } else if layers[layer].heads[head].preferred.count == 1 {
      // A zero query scores 0 everywhere: priority alone decides.
      winners.append(layers[layer].heads[head].preferred[0])
      return false
    }
    scanForWinners(layers[layer].heads[head], query)
    return false
  }

  /// The definition, for queries that no key equals. Complexity: O(n).
  private func scanForWinners(_ head: Head, _ query: UInt64) {
    let dimension = head.weights.key.rowCount
    var highest = -Scalar.infinity
    for key in 0..<columnCount {
      let code = head.keys.codes[key]
      let matching =
        code == HeadIndex.none || query == HeadIndex.none ? 0 : dimension - 2 * (code ^ query).nonzeroBitCount
      let score = Scalar(matching) + head.priorities[key]
      if score > highest {
        highest = score
        winners.removeAll(keepingCapacity: true)
      }
      if score == highest { winners.append(Int32(key)) }
    }
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
  case notACode(network: String, head: String, column: Int)
  case priorityOutOfRange(network: String, head: String, column: Int)

  public var description: String {
    switch self {
    case .notACode(let network, let head, let column):
      return "\(network), head \(head): column \(column) has a key or query that is not a ±1 code; "
        + "the exact executor cannot run it – use the dense one"
    case .priorityOutOfRange(let network, let head, let column):
      return "\(network), head \(head): the priority of column \(column) is not in 0..<2"
    }
  }
}
