import Construction
import Looping

/// Where the heads look while one instruction is executed, for traces.
extension FleqNetwork {
  /// The dense passes that this costs are made for so many columns and loops at most.
  public static let attentionLimits = (columns: 300, loops: 200)

  /// Every head but the sums of sigmoids, from C_0 – the write from the first cell that is written –, with the
  /// columns that get more than a thousandth, at most four, largest first.
  ///
  /// - Parameter state: the state before the loop.
  /// - Complexity: O(heads) dense passes.
  public func attention<Scalar>(
    before state: ResidualStream<Scalar>, by dense: DenseExecutor<Scalar>, instruction number: Int,
    of program: FleqProgram
  ) -> [TraceStep.Attention] {
    let target = program.instructions[number].c
    let address = BitCode.decode(state[fields.storedAddress, column(ofCell: target.cell)])
    let written = column(ofCell: target.isIndirect ? address ?? FleqProgram.discardCell : target.cell)
    func name(_ column: Int) -> String {
      switch column {
      case ..<blockSize: "scratchpad \(column)"
      case sinkColumn: "sink"
      case unitColumn: "unit"
      case ..<self.column(ofInstruction: 0):
        "cell \(column - blockSize)" + (program.cellNames[column - blockSize].map { " \($0)" } ?? "")
      default: "instruction \(column - self.column(ofInstruction: 0))"
      }
    }
    return network.layers.enumerated().flatMap { index, layer in
      layer.heads.enumerated().compactMap { number, head -> TraceStep.Attention? in
        guard !head.name.hasPrefix("sigmoid") else { return nil }
        let query = index == network.layers.count - 1 ? written : 0
        let attended = dense.attentionWeights(layer: index, head: number, query: query, in: state)
          .enumerated().filter { $0.element > 0.001 }.sorted { $0.element > $1.element }.prefix(4)
        return TraceStep.Attention(
          head: "\(layer.name) / \(head.name)", query: name(query), columns: attended.map { name($0.offset) },
          weights: attended.map { Double($0.element) })
      }
    }
  }
}
