import Construction

/// SUBLEQ on one memory that holds instructions and data – self-modifying programs, pointers and character I/O – in
/// three layers. One loop executes one instruction.
///
/// Columns: the scratchpad, one per memory cell, the device (address −1), and the halt cell, where a halted program
/// executes `-1 -1 -1` for ever: it copies the device onto itself, so the whole state is a fixed point.
///
/// | layer | attention | feed-forward |
/// |---|---|---|
/// | fetch | three heads read mem[pc], mem[pc+1], mem[pc+2]; the first also reads the address of pc+3 | decode pointers, device and halt bits |
/// | execute | two heads read mem[a], mem[b] | mem[b] − mem[a] and its sign test, straight from the operands |
/// | write back | cell b reads the result from the scratchpad | store it; choose the next program counter |
///
/// Three departures from Giannou et al. 2023 make it small. Reading is *direct*: pointers are queries but not keys,
/// so column j attends to itself alone and the scratchpad to the cell alone – no tie, no factor ½. The cells pc+1,
/// pc+2, pc+3 are not computed by an adder but looked up: every cell carries the addresses of its neighbours.
/// And the branch condition is read off the operands in the layer that subtracts them, by the sign of
/// the unwrapped difference. Derivation: Documentation/UnifiedSubleq.md.
public struct UnifiedSubleqNetwork: Sendable {
  public let cells: Int
  public let dialect: SubleqDialect
  public let network: ConstructedNetwork

  let word: Field
  let programCounter: Field
  let address: Field
  private let previous: Field
  private let previousButOne: Field
  private let successor: Field
  private let indicator: Field

  /// Address bits, without the device bit.
  public let addressBits: Int

  public static let scratchpad = 0
  public func column(ofCell cell: Int) -> Int { cell + 1 }
  public var deviceColumn: Int { cells + 1 }
  public var haltColumn: Int { cells + 2 }
  public var columnCount: Int { cells + 3 }

  /// - Throws: `MachineFault.unsupportedSize` for fewer than 3 cells, more than the words can address, or words not
  ///   of 4 to 48 bits.
  public init(cells: Int, dialect: SubleqDialect = SubleqDialect()) throws {
    guard (4...48).contains(dialect.wordBits) else {
      throw MachineFault.unsupportedSize("words have 4 to 48 bits, not \(dialect.wordBits)")
    }
    try MemoryImage(words: []).check(cells: cells, dialect: dialect)
    self.cells = cells
    self.dialect = dialect
    addressBits = BitCode.width(for: cells)
    let wordBits = dialect.wordBits
    let codeBits = addressBits + 1

    var layout = ResidualLayout()
    word = layout.add("word", rows: wordBits)
    address = layout.add("address", rows: codeBits)
    previous = layout.add("address before", rows: codeBits)
    previousButOne = layout.add("address two before", rows: codeBits)
    successor = layout.add("address three after", rows: codeBits)
    indicator = layout.addIndicator()
    programCounter = layout.add("program counter", rows: codeBits)
    let registers = Registers(
      pointerA: layout.add("pointer a", rows: codeBits), pointerB: layout.add("pointer b", rows: codeBits),
      target: layout.add("jump target", rows: codeBits), next: layout.add("next instruction", rows: codeBits),
      result: layout.add("result", rows: wordBits), jump: layout.add("jump", rows: 1),
      bufferA: layout.add("buffer a", rows: wordBits), bufferB: layout.add("buffer b", rows: wordBits),
      bufferC: layout.add("buffer c", rows: wordBits), bufferNext: layout.add("buffer next", rows: codeBits))
    let scratchpad = LinearForm.row(indicator[0])

    var fetch = LayerBuilder("fetch", layout: layout)
    for (name, key, copies) in [
      ("a", address, [(from: word, to: registers.bufferA), (from: successor, to: registers.bufferNext)]),
      ("b", previous, [(from: word, to: registers.bufferB)]),
      ("c", previousButOne, [(from: word, to: registers.bufferC)]),
    ] {
      fetch.attend("fetch \(name)", query: [programCounter, key], key: [key], copies: copies)
    }
    registers.decode(into: &fetch, scratchpad: scratchpad, dialect: dialect)

    var execute = LayerBuilder("execute", layout: layout)
    execute.attend(
      "read mem[a]", query: [registers.pointerA, address], key: [address],
      copies: [(from: word, to: registers.bufferA)])
    execute.attend(
      "read mem[b]", query: [registers.pointerB, address], key: [address],
      copies: [(from: word, to: registers.bufferB)])
    registers.subtract(into: &execute, scratchpad: scratchpad, dialect: dialect)

    var writeBack = LayerBuilder("write back", layout: layout)
    writeBack.attend(
      "write mem[b]", query: [address], key: [address, registers.pointerB], priority: indicator,
      copies: [(from: word, to: registers.bufferA), (from: registers.result, to: registers.bufferA)])
    for i in 0..<wordBits {
      // Cells only: the scratchpad's gate of −4 exceeds every difference of two bits.
      writeBack.add(
        .row(registers.bufferA[i]) - .row(word[i]), gatedBy: -4 * scratchpad, to: word[i])
    }
    registers.branch(into: &writeBack, programCounter: programCounter, scratchpad: scratchpad)

    network = ConstructedNetwork(
      name: "unified SUBLEQ, \(cells) cells of \(wordBits) bits", layout: layout,
      layers: [fetch.build(), execute.build(), writeBack.build()])
  }

  // MARK: Prelude and coda

  /// The widest words that stay exact in a data type. The largest number in a loop is the closed gate of a copying
  /// instruction in `subtract`: 2·4·2^(N−1) for two devices, doubled by `step`, to which ½ must still be added – so
  /// N + 3 bits before the point and one behind it, and one to spare for the sum. Float: 19 (20 was measured to fail
  /// after some ten thousand random instructions), Double: 48, Float16: 6.
  public static func largestWordBits<Scalar: BinaryFloatingPoint>(in scalar: Scalar.Type) -> Int {
    Scalar.significandBitCount - 4
  }

  /// - Throws: `MachineFault` if the words are too wide for the data type.
  public func checkWords<Scalar: BinaryFloatingPoint>(for scalar: Scalar.Type) throws {
    guard dialect.wordBits <= Self.largestWordBits(in: scalar) else {
      throw MachineFault.unsupportedSize(
        "\(scalar) is exact for words of up to \(Self.largestWordBits(in: scalar)) bits, not \(dialect.wordBits)"
          + "; hint: --data-type f64, or narrower words with --bits")
    }
  }

  /// The state before the first instruction: the punch card.
  ///
  /// - Throws: `MachineFault` if the image does not fit, or the words are too wide for the data type.
  public func prelude<Scalar: BinaryFloatingPoint & Sendable>(
    _ image: MemoryImage, as scalar: Scalar.Type = Scalar.self
  ) throws -> ResidualStream<Scalar> {
    try image.check(cells: cells, dialect: dialect)
    try checkWords(for: scalar)
    var state = ResidualStream<Scalar>(width: network.width, columnCount: columnCount)
    let device = 1 << addressBits
    func cellCode(_ cell: Int) -> Int { cell & (device - 1) }
    for cell in 0..<cells {
      let column = column(ofCell: cell)
      state.setCode(cell < image.words.count ? image.words[cell] : 0, in: word.rows, column: column)
      state.setCode(cellCode(cell), in: address.rows, column: column)
      state.setCode(cellCode(cell - 1), in: previous.rows, column: column)
      state.setCode(cellCode(cell - 2), in: previousButOne.rows, column: column)
      state.setCode(cellCode(cell + 3), in: successor.rows, column: column)
    }
    for (column, number, content) in [(deviceColumn, 2 * device - 1, 0), (haltColumn, device, -1)] {
      state.setCode(content, in: word.rows, column: column)
      for field in [address, previous, previousButOne, successor] {
        state.setCode(number, in: field.rows, column: column)
      }
    }
    state[indicator[0], Self.scratchpad] = 1
    state.setCode(0, in: programCounter.rows, column: Self.scratchpad)
    return state
  }

  /// The word of a column, or `nil` if the state is not exactly ±1 there (the network has lost precision).
  public func word<Scalar>(inColumn column: Int, of state: ResidualStream<Scalar>) -> Int? {
    state.code(in: word.rows, column: column).map(dialect.wrap)
  }

  /// Reads the program counter out of the state.
  public func decodeProgramCounter<Scalar>(_ state: ResidualStream<Scalar>) -> ProgramCounter? {
    guard let code = state.code(in: programCounter.rows, column: Self.scratchpad) else { return nil }
    return code >> addressBits == 1 ? .halted : .cell(code)
  }

  public enum ProgramCounter: Equatable, Sendable {
    case cell(Int)
    case halted
  }
}

/// The scratchpad's rows between the layers.
private struct Registers {
  let pointerA: Field
  let pointerB: Field
  let target: Field
  let next: Field
  let result: Field
  let jump: Field
  let bufferA: Field
  let bufferB: Field
  let bufferC: Field
  let bufferNext: Field

  /// row ← ±1 by `x > 0`, on the scratchpad only, where the row is 0 before and |x| ≤ `bound` off it.
  private func set(
    _ row: Int, where x: LinearForm, bound: Double, scratchpad: LinearForm, in layer: inout LayerBuilder
  ) {
    layer.step(x + (bound + 1) * (scratchpad - 1), to: row, times: 2)
    layer.relu(scratchpad, to: row, times: -1)
  }

  /// Pointers are the low bits of the words; their last bit is the device bit: all bits of the word are set.
  /// The target's last bit is the halt bit, and clears the others.
  func decode(into layer: inout LayerBuilder, scratchpad: LinearForm, dialect: SubleqDialect) {
    let wordBits = dialect.wordBits
    let addressBits = pointerA.count - 1
    func allSet(_ buffer: Field) -> LinearForm {
      buffer.rows.reduce(LinearForm(constant: 1 - Double(wordBits))) { $0 + .row($1) }
    }
    for (pointer, buffer) in [(pointerA, bufferA), (pointerB, bufferB)] {
      for i in 0..<addressBits {
        set(pointer[i], where: .row(buffer[i]), bound: 1, scratchpad: scratchpad, in: &layer)
      }
      set(pointer[addressBits], where: allSet(buffer), bound: 1, scratchpad: scratchpad, in: &layer)
    }
    let sign = LinearForm.row(bufferC[wordBits - 1])
    for i in 0..<addressBits {
      let bit = LinearForm.row(bufferC[i])
      switch dialect.addressing {
      case .signed:
        // 1 iff the bit is set and the sign is not: (bit − sign − 1)/2 ∈ {½, −½, −3/2}.
        set(target[i], where: 0.5 * (bit - sign - 1), bound: 1.5, scratchpad: scratchpad, in: &layer)
      case .unsigned:
        set(target[i], where: bit, bound: 1, scratchpad: scratchpad, in: &layer)
        layer.step(allSet(bufferC) + 2 * (scratchpad - 1), to: target[i], times: -2)
      }
    }
    set(
      target[addressBits], where: dialect.addressing == .signed ? sign : allSet(bufferC), bound: 1,
      scratchpad: scratchpad, in: &layer)
    for i in 0..<next.count {
      set(next[i], where: .row(bufferNext[i]), bound: 1, scratchpad: scratchpad, in: &layer)
    }
    layer.clear(bufferA, bufferB, bufferC, bufferNext)
  }

  /// result ← B − A mod 2^N as B + ¬A + 1, or A alone where the instruction copies (device);
  /// jump ← [wrapped B − A ≤ 0], from the unwrapped difference Δ in (−2^N, 2^N):
  ///
  ///     wrapped ≤ 0   iff   −2^(N−1) ≤ Δ ≤ 0  or  Δ ≥ 2^(N−1)
  func subtract(into layer: inout LayerBuilder, scratchpad: LinearForm, dialect: SubleqDialect) {
    let wordBits = dialect.wordBits
    func isSet(_ row: Int) -> LinearForm { 0.5 * (.row(row) + 1) }
    let outputs = isSet(pointerB[pointerB.count - 1])
    let copies = dialect.input == .store ? outputs + isSet(pointerA[pointerA.count - 1]) : outputs
    func gate(_ strength: Double) -> LinearForm { strength * (scratchpad - 1) - strength * copies }

    var sum = LinearForm(constant: 1)
    var difference = LinearForm()
    for i in 0..<wordBits {
      let unit = Double(sign: .plus, exponent: i, significand: 1)
      let (a, b) = (isSet(bufferA[i]), isSet(bufferB[i]))
      sum = sum + unit * (b - a + 1)
      difference = difference + (i == wordBits - 1 ? -unit : unit) * (b - a)
      layer.bit(i, of: sum, gatedBy: gate(4 * unit), to: result[i], times: 2)
      // Copied: A's bit set (2) and at least one device (1, 2): 2 + 1 − 5/2 > 0, but 2 + 0 and 0 + 2 are not.
      layer.step(2 * a + copies - 2.5 + 4 * (scratchpad - 1), to: result[i], times: 2)
      layer.relu(scratchpad, to: result[i], times: -1)
    }
    let half = Double(sign: .plus, exponent: wordBits - 1, significand: 1)
    let closed = gate(4 * half)
    layer.step(-difference + 0.5 + closed, to: jump[0])
    layer.step(-difference - half - 0.5 + closed, to: jump[0], times: -1)
    layer.step(difference - half + 0.5 + closed, to: jump[0])
    layer.clear(bufferA, bufferB)
  }

  /// program counter ← jump ? target : next, cleaned to exactly ±1, and every register cleared.
  func branch(into layer: inout LayerBuilder, programCounter: Field, scratchpad: LinearForm) {
    let jumps = LinearForm.row(jump[0])
    for i in 0..<programCounter.count {
      layer.step(0.5 * .row(target[i]) + jumps - 1 + (scratchpad - 1), to: programCounter[i], times: 2)
      layer.step(0.5 * .row(next[i]) - jumps + (scratchpad - 1), to: programCounter[i], times: 2)
      layer.relu(scratchpad, to: programCounter[i], times: -1)
    }
    layer.clear(programCounter, pointerA, pointerB, target, next, result, jump, bufferA)
  }
}
