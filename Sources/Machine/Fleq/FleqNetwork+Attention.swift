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
  /// - Complexity: one dense pass.
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
    return network.attention(
      before: state, by: dense, isShown: { !$0.name.hasPrefix("sigmoid") },
      query: { $0 == network.layers.count - 1 ? written : 0 }, name: name)
  }
}
