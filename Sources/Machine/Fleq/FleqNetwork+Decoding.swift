import Construction

extension FleqNetwork {
  /// How an export's reader finds memory, program counter and the program's variables in the state. A program ends
  /// at its fixed point: an instruction that only jumps to itself.
  ///
  /// - Parameter variables: of those with one name, the last counts.
  public func decoding(of variables: [FleqProgram.Variable] = []) -> StateDecoding {
    let named = Dictionary(variables.map { ($0.name, $0) }) { _, last in last }
    return StateDecoding(
      roles: [
        .init("scratchpad", .init(0, blockSize)), .init("memory", .init(column(ofCell: 0), cells)),
        .init("instructions", .init(column(ofInstruction: 0), instructions)),
        .init("sink", .init(sinkColumn, 1)), .init("unit", .init(unitColumn, 1)),
      ],
      // Columns are counted from the first cell: instruction i is at position cells + i.
      codes: [
        .init(
          "position of the instruction", columns: .init(0, 1), rows: .init(fields.programCounter.rows),
          isSigned: false)
      ],
      values: [.init("memory", columns: .init(column(ofCell: 0), cells), rows: .init(fields.value.rows))]
        // Column j of a matrix is in its cell j.
        + named.values.sorted { $0.name < $1.name }.map {
          .init(
            "variable \($0.name)", columns: .init(column(ofCell: $0.cell), $0.columns),
            rows: .init(fields.value.rows.lowerBound, $0.rows))
        })
  }
}
