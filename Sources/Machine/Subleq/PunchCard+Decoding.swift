import Construction

extension PunchCard {
  /// How an export's reader finds data and program counter in the state. A program ends at its fixed point.
  public var decoding: StateDecoding {
    let data = StateDecoding.Span(column(ofCell: 0), cells)
    return StateDecoding(
      roles: [
        .init("scratchpad", .init(Self.scratchpad, 1)), .init("data", data),
        .init("instructions", .init(column(ofInstruction: 0), instructions)),
      ],
      codes: [
        .init("data", columns: data, rows: .init(memory.rows), isSigned: true),
        // Instruction i is column cells + 1 + i.
        .init(
          "column of the instruction", columns: .init(Self.scratchpad, 1), rows: .init(programCounter.rows),
          isSigned: false),
      ])
  }
}
