import Construction

/// Graph-SUBLEQ: a Turing-complete machine of constant width (theorem: 11 layers, 3 heads, width O(1)).
///
/// `a b c` means mem[b] ← mem[b] − mem[a] in two's complement, then a jump to c if the result is ≤ 0. Giannou's machine
/// has addresses of log n bits; here a pointer is a position on the circle, two numbers, and a word is one number, so the
/// width does not grow with memory. Programs may modify themselves: instructions are words like all others.
/// Address −1 is the device: a = −1 reads, b = −1 writes, neither jumps. A jump to a negative target halts.
///
/// | layer | attention | feed-forward |
/// |---|---|---|
/// | fetch | read mem[pc], mem[pc + 1], mem[pc + 2]; the first also the position of pc + 3 | operands only in column 0 |
/// | decode | operands a, b, c become positions | device flags |
/// | subtract | read mem[a], mem[b] | the result and its sign test |
/// | write back | cell b receives the result (tie trick) | replace the word; pc ← target or next |
///
/// Decoding: of all columns k, 2vk − k² = v² − (v − k)² is largest where k = v, by 1 or more; one head turns the integer v
/// into the position of cell v. The device is column −1, the nearest to every negative v; as a jump target it stands
/// for the halt column, where `−1 −1 −1` copies the device onto itself for ever: a fixed point.
/// (Looking up pc + 1 … pc + 3 by neighbours' codes replaces the paper's rotation and rounding.)
public struct GraphSubleqNetwork: Sendable {
  public let network: ConstructedNetwork
  public let range: ExactRange
  /// Words are integers of so many bits, in two's complement.
  public let wordBits: Int
  public let theorem = PaperGraphNetwork.Theorem(layers: 11, heads: 3)

  let roles: Roles
  let word: Field
  let previous: Field
  let previousButOne: Field
  let nextInstruction: Field
  let targetCode: Field
  let number: Field
  let square: Field
  let programCounter: Field

  /// The largest word length of a range: sums reach 3·2^wordBits.
  public static func largestWordBits(_ range: ExactRange) -> Int { range.significandBits - 2 }

  /// The most cells of a range: 2vk must be an exact integer for v, k < cells, and circle codes distinct.
  public static func largestCellCount(_ range: ExactRange) -> Int {
    let exact = Int(Double(sign: .plus, exponent: range.significandBits - 1, significand: 1).squareRoot())
    return min(exact + 1, CircleCode.largestCount(range) - 2)
  }

  /// - Throws: `GraphSubleqError.unsupportedSize`. The weights depend on the word length, never on the memory.
  public init(wordBits: Int = 16, range: ExactRange = .float32) throws {
    guard (4...Self.largestWordBits(range)).contains(wordBits) else {
      throw GraphSubleqError.unsupportedSize(
        "in \(range.name) words have 4 to \(Self.largestWordBits(range)) bits, not \(wordBits)")
    }
    self.range = range
    self.wordBits = wordBits
    let bound = Double(sign: .plus, exponent: wordBits, significand: 1)
    var layout = ResidualLayout()
    roles = Roles(
      global: layout.add("scratchpad", rows: 1), local: layout.add("cell", rows: 1),
      code: layout.add("position", rows: 2))
    word = layout.add("word", rows: 1, bound: bound)
    previous = layout.add("position before", rows: 2)
    previousButOne = layout.add("position two before", rows: 2)
    nextInstruction = layout.add("position three after", rows: 2)
    targetCode = layout.add("position as target", rows: 2)
    number = layout.add("number", rows: 1, bound: bound)
    square = layout.add("square", rows: 1, bound: bound * bound)
    programCounter = layout.add("program counter", rows: 2)
    let registers = GraphSubleqRegisters(bound: bound, in: &layout)

    var fetch = LayerBuilder("fetch", layout: layout)
    for (name, key, outputs) in [
      ("a", roles.code, [(word, registers.a), (nextInstruction, registers.next)]),
      ("b", previous, [(word, registers.b)]), ("c", previousButOne, [(word, registers.c)]),
    ] {
      fetch.attend(
        "fetch \(name)", query: [programCounter, key], key: [key],
        copies: outputs.map { (from: $0.0, to: $0.1) })
    }
    registers.keepInScratchpad(
      [registers.a, registers.b, registers.c, registers.next], roles: roles, in: &fetch)

    var decode = LayerBuilder("decode", layout: layout)
    for (name, operand, source, target) in [
      ("a", registers.a, roles.code, registers.pointerA),
      ("b", registers.b, roles.code, registers.pointerB), ("c", registers.c, targetCode, registers.target),
    ] {
      decode.attend(
        "decode \(name)", kind: .selector, query: [2 * .row(operand[0]), -1 * .row(roles.global[0])],
        key: [.row(number[0]), .row(square[0])],
        outputs: (0..<2).map { (.row(source[$0]), target[$0]) })
    }
    registers.decode(in: &decode, roles: roles)

    var subtract = LayerBuilder("subtract", layout: layout)
    for (name, pointer, operand) in [
      ("a", registers.pointerA, registers.a), ("b", registers.pointerB, registers.b),
    ] {
      subtract.readNode(
        "read mem[\(name)]", at: pointer, code: roles.code, outputs: [(.row(word[0]), operand[0])])
    }
    registers.subtract(in: &subtract, roles: roles)
    subtract.clear(programCounter)

    var writeBack = LayerBuilder("write back", layout: layout)
    writeBack.sendToNode(
      "write mem[b]", at: [registers.pointerB], roles: roles,
      values: [
        (.row(roles.global[0]), registers.isWritten[0]), (registers.written, registers.received[0]),
      ])
    registers.writeBack(in: &writeBack, word: word, programCounter: programCounter)
    network = ConstructedNetwork(
      name: "Graph-SUBLEQ, \(wordBits)-bit words, \(range.name)", layout: layout,
      layers: [fetch.build(), decode.build(), subtract.build(), writeBack.build()])
  }

  public func column(ofCell cell: Int) -> Int { cell + 1 }

  /// The state before the first instruction. Columns: scratchpad, cells, device, halt.
  ///
  /// - Throws: `GraphSubleqError` or `PaperGraphError` if the memory cannot be exact.
  public func prelude<Scalar: BinaryFloatingPoint & Sendable>(
    _ words: [Int], cells: Int, attention: Attention, as scalar: Scalar.Type = Scalar.self
  ) throws -> (state: ResidualStream<Scalar>, circle: CircleCode) {
    guard Scalar.significandBitCount + 1 >= range.significandBits else {
      throw PaperGraphError.dataType(needed: range)
    }
    let most = min(Self.largestCellCount(range), 1 << (wordBits - 1))
    guard (3...most).contains(cells), words.count <= cells else {
      throw GraphSubleqError.unsupportedSize(
        "\(words.count) words, \(cells) cells: 3 to \(most) cells can be addressed exactly in \(range.name)")
    }
    let half = 1 << (wordBits - 1)
    if let address = words.firstIndex(where: { !(-half..<2 * half).contains($0) }) {
      throw GraphSubleqError.word(words[address], address: address, bits: wordBits)
    }
    let circle = try CircleCode(count: cells + 2, range: range, attention: attention)
    var state = ResidualStream<Scalar>(width: network.width, columnCount: cells + 3)
    func code(_ cell: Int) -> [Scalar] {
      (0..<(cells + 2)).contains(cell) ? circle[cell + 1].map { Scalar($0) } : [0, 0]
    }
    let (device, halt) = (cells, cells + 1)
    for cell in 0..<(cells + 2) {
      let column = column(ofCell: cell)
      state[roles.local[0], column] = 1
      state[roles.code, column] = code(cell)
      state[targetCode, column] = code(cell == device ? halt : cell)
      if cell < cells {
        state[word[0], column] = Scalar(cell < words.count ? wrap(words[cell]) : 0)
        if cell >= 1 { state[previous, column] = code(cell - 1) }
        if cell >= 2 { state[previousButOne, column] = code(cell - 2) }
        if cell + 3 < cells { state[nextInstruction, column] = code(cell + 3) }
      }
      let value = cell == halt ? 0 : cell == device ? -1 : cell
      state[number[0], column] = Scalar(value)
      state[square[0], column] = cell == halt ? 1 : Scalar(value * value)
    }
    for field in [previous, previousButOne, nextInstruction] {
      state[field, column(ofCell: halt)] = code(halt)
    }
    state[word[0], column(ofCell: halt)] = -1
    state[roles.global[0], 0] = 1
    state[square[0], 0] = 1
    state[programCounter, 0] = code(0)
    return (state, circle)
  }

  /// The low `wordBits` bits of `value` as two's complement.
  public func wrap(_ value: Int) -> Int {
    let shift = Int.bitWidth - wordBits
    return (value &<< shift) &>> shift
  }
}

/// Why a program cannot go on.
public enum GraphSubleqError: Error, Equatable, CustomStringConvertible {
  case unsupportedSize(String)
  case word(Int, address: Int, bits: Int)
  case address(Int, programCounter: Int, cells: Int)
  case jump(Int, programCounter: Int, cells: Int)
  case incompleteInstruction(programCounter: Int, cells: Int)

  public var description: String {
    switch self {
    case .unsupportedSize(let why): return why
    case .word(let word, let address, let bits):
      return "word \(word) at address \(address) does not fit into \(bits) bits"
    case .address(let address, let programCounter, let cells):
      return "the instruction at \(programCounter) uses address \(address), outside the \(cells) cells"
    case .jump(let target, let programCounter, let cells):
      return "the instruction at \(programCounter) jumps to \(target), outside the \(cells) cells"
    case .incompleteInstruction(let programCounter, let cells):
      return "no whole instruction is left at \(programCounter) in \(cells) cells"
    }
  }
}
