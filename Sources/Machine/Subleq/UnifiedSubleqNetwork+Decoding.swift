import Construction

extension UnifiedSubleqNetwork {
  /// How an export's reader finds memory, program counter, device and the end of the program in the state.
  public var decoding: StateDecoding {
    let layout = network.layout
    func flag(_ field: Field) -> StateDecoding.Flag {
      .init(row: field[addressBits], column: Self.scratchpad)
    }
    let memory = StateDecoding.Span(column(ofCell: 0), cells)
    let words = StateDecoding.Span(word.rows)
    guard let pointerA = layout["pointer a"], let pointerB = layout["pointer b"] else {
      preconditionFailure("the layout of \(network.name) has its pointers")
    }
    return StateDecoding(
      roles: [
        .init("scratchpad", .init(Self.scratchpad, 1)), .init("memory", memory),
        .init("device", .init(deviceColumn, 1)), .init("halt", .init(haltColumn, 1)),
      ],
      codes: [
        .init("memory", columns: memory, rows: words, isSigned: true),
        .init(
          "program counter", columns: .init(Self.scratchpad, 1),
          rows: .init(programCounter[0], addressBits), isSigned: false),
      ],
      halting: flag(programCounter),
      // The fetch layer decodes the pointers; nothing reads the device's word before.
      device: .init(
        column: deviceColumn, rows: words, layer: 0, reads: flag(pointerA), writes: flag(pointerB),
        endOfInput: dialect.endOfInput, negatesInput: dialect.input == .add))
  }
}
