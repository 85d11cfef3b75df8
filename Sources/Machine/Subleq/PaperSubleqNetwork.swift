import Construction

/// The SUBLEQ machine of Giannou et al. 2023 (section 4) as the paper builds it, with constant weights: ten layers,
/// of at most two heads. One loop executes `mem[b] ← mem[b] − mem[a]; if mem[b] ≤ 0 goto c`.
///
/// | layer | attention | feed-forward |
/// |---|---|---|
/// | read instruction | scratchpad ↔ instruction at the program counter | current instruction ← it |
/// | read operands | two heads: scratchpad ↔ mem[a], ↔ mem[b] | A ← mem[a], B ← mem[b] |
/// | flip | – | ¬A |
/// | negate | – | −A = ¬A + 1 |
/// | add | – | B ← B + (−A) |
/// | write | scratchpad ↔ mem[b] | mem[b] ← B |
/// | flag | – | flag ← [B ≤ 0] |
/// | increment | – | program counter ← program counter + 1 |
/// | select | – | program counter ← c where the flag is 1 |
/// | correct errors | – | memory, pointers and program counter ← the nearest of −1, 0, 1 |
///
/// **The tie.** A head's queries are its keys: pointer rows plus position rows. The scratchpad's is the pointer p,
/// its position being zero; column j's is its position p_j. Scores are p·p_j = L for the column pointed at and
/// ≤ L − 2 for all others – and p·p = L for the scratchpad itself. So the scratchpad and the column pointed at
/// attend to each other and themselves, half and half, everybody else to itself alone. A read and a write are the
/// same attention; which it is, the gate of the feed-forward network says (`LayerBuilder.replace`).
///
/// **Biases.** Every bias that the paper gives the scratchpad column alone is a coefficient of the indicator row
/// here, so that the feed-forward network is the same for all columns: off the scratchpad it sees zeros only.
///
/// The paper counts nine layers: these without the error correction, which the authors' code adds.
/// Derivation and measured limits: Documentation/SeparateSubleq.md.
public struct PaperSubleqNetwork: SeparateSubleqNetwork {
  public let card: PunchCard
  public let network: ConstructedNetwork
  public let buffers: [Field]

  public init(cells: Int, instructions: Int, wordBits: Int) throws {
    try self.init(cells: cells, instructions: instructions, wordBits: wordBits, correctsErrors: true)
  }

  /// - Parameter correctsErrors: the tenth layer; without it small errors grow from loop to loop.
  /// - Throws: `MachineFault.unsupportedSize`.
  public init(cells: Int, instructions: Int, wordBits: Int, correctsErrors: Bool) throws {
    try PunchCard.check(cells: cells, instructions: instructions, wordBits: wordBits)
    let pointerBits = PunchCard.positionBits(cells: cells, instructions: instructions)
    var layout = ResidualLayout()
    let rows = PaperRows(&layout, pointerBits: pointerBits, wordBits: wordBits)
    card = PunchCard(
      cells: cells, instructions: instructions, wordBits: wordBits, commandA: rows.command.a,
      commandB: rows.command.b, commandC: rows.command.c, memory: rows.memory,
      programCounter: rows.programCounter, position: rows.position, indicator: rows.indicator)
    buffers = rows.buffers
    var layers: [ConstructedLayer] = []
    func layer(_ name: String, _ build: (inout LayerBuilder) -> Void) {
      var builder = LayerBuilder(name, layout: layout)
      build(&builder)
      layers.append(builder.build())
    }
    layer("read instruction", rows.readInstruction)
    layer("read operands", rows.readOperands)
    layer("flip", rows.flip)
    layer("negate", rows.negate)
    layer("add", rows.add)
    layer("write", rows.write)
    layer("flag", rows.setFlag)
    layer("increment", rows.increment)
    layer("select", rows.select)
    if correctsErrors { layer("correct errors", rows.correctErrors) }
    network = ConstructedNetwork(
      name: "the paper's SUBLEQ, \(cells) data cells of \(wordBits) bits, \(instructions) instructions",
      layout: layout, layers: layers)
  }

  /// The adder adds up to 2·3·2^(wordBits − 1) to a row that holds an odd number, and takes it off again.
  public static func largestWordBits<Scalar: BinaryFloatingPoint>(in scalar: Scalar.Type) -> Int {
    Scalar.significandBitCount - 1
  }
}

/// The rows of the paper's input matrix, in the paper's order: 8L + 3N + max(3L, 2N) + 1.
private struct PaperRows {
  typealias Pointers = (a: Field, b: Field, c: Field)

  let command: Pointers
  let memory: Field
  /// mem[a]; later, in its sign bit's row, the flag.
  let operandA: Field
  /// mem[b]; later mem[b] − mem[a].
  let operandB: Field
  /// The instruction in force; keeps its value until the next is read.
  let current: Pointers
  let programCounter: Field
  let position: Field
  /// One block of rows, cut as each layer needs it.
  let instructionBuffer: Pointers
  let bufferA: Field
  let bufferB: Field
  let buffers: [Field]
  let indicator: Field

  init(_ layout: inout ResidualLayout, pointerBits: Int, wordBits: Int) {
    func pointers(_ name: String) -> Pointers {
      (
        layout.add("\(name) a", rows: pointerBits), layout.add("\(name) b", rows: pointerBits),
        layout.add("\(name) c", rows: pointerBits)
      )
    }
    command = pointers("command")
    memory = layout.add("memory", rows: wordBits)
    operandA = layout.add("operand a", rows: wordBits)
    operandB = layout.add("operand b", rows: wordBits)
    current = pointers("current")
    programCounter = layout.add("program counter", rows: pointerBits)
    position = layout.add("position", rows: pointerBits)
    let buffer = layout.add("buffer", rows: max(3 * pointerBits, 2 * wordBits))
    instructionBuffer = (
      buffer.part("a", from: 0, rows: pointerBits),
      buffer.part("b", from: pointerBits, rows: pointerBits),
      buffer.part("c", from: 2 * pointerBits, rows: pointerBits)
    )
    bufferA = buffer.part("mem[a]", from: 0, rows: wordBits)
    bufferB = buffer.part("mem[b]", from: wordBits, rows: wordBits)
    buffers = [buffer]
    indicator = layout.addIndicator()
  }

  private var onScratchpad: LinearForm { .row(indicator[0]) }
  /// The gate of a read: open on the scratchpad only.
  private var reading: LinearForm { 4 * (onScratchpad - 1) }
  /// The gate of a write: closed on the scratchpad only.
  private var writing: LinearForm { -4 * onScratchpad }

  // MARK: The layers

  func readInstruction(_ layer: inout LayerBuilder) {
    let registers = zip([command.a, command.b, command.c], [current.a, current.b, current.c])
    let buffers = [instructionBuffer.a, instructionBuffer.b, instructionBuffer.c]
    layer.attend(
      "read instruction", query: [programCounter, position], key: [programCounter, position],
      copies: zip(registers, buffers).flatMap { [(from: $0.0, to: $1), (from: $0.1, to: $1)] })
    for (register, buffer) in zip([current.a, current.b, current.c], buffers) {
      layer.replace(register, byAverage: buffer, gatedBy: reading)
      layer.clear(buffer)
    }
  }

  /// The only layer that needs two heads: two pointers, two buffers.
  func readOperands(_ layer: inout LayerBuilder) {
    for (name, pointer, register, buffer) in [
      ("a", current.a, operandA, bufferA), ("b", current.b, operandB, bufferB),
    ] {
      layer.attend(
        "read mem[\(name)]", query: [pointer, position], key: [pointer, position],
        copies: [(from: memory, to: buffer), (from: register, to: buffer)])
      layer.replace(register, byAverage: buffer, gatedBy: reading)
      layer.clear(buffer)
    }
  }

  /// Buffer a ← ¬A = 2 ReLU(−A) − 1.
  func flip(_ layer: inout LayerBuilder) {
    for i in 0..<operandA.count {
      layer.relu(-.row(operandA[i]), to: bufferA[i], times: 2)
      layer.relu(onScratchpad, to: bufferA[i], times: -1)
    }
  }

  /// Buffer b ← ¬A + 1 = −A mod 2^N.
  func negate(_ layer: inout LayerBuilder) {
    addBinary([bufferA], carryIn: 1, to: bufferB, in: &layer)
  }

  /// B ← B + (−A) mod 2^N.
  func add(_ layer: inout LayerBuilder) {
    layer.clear(operandB)
    addBinary([operandB, bufferB], carryIn: 0, to: operandB, in: &layer)
    layer.clear(operandA, bufferA, bufferB)
  }

  /// The same attention as a read, with the gate the other way round: now the data column takes what is new to it.
  func write(_ layer: inout LayerBuilder) {
    layer.attend(
      "write mem[b]", query: [current.b, position], key: [current.b, position],
      copies: [(from: memory, to: bufferA), (from: operandB, to: bufferA)])
    layer.replace(memory, byAverage: bufferA, gatedBy: writing)
    layer.clear(bufferA)
  }

  /// flag ← [B ≤ 0] = ReLU(sign bit) + ReLU(1 − N − Σ bits): the number is negative, or all its bits are −1.
  func setFlag(_ layer: inout LayerBuilder) {
    let sum = operandB.rows.reduce(LinearForm()) { $0 + .row($1) }
    layer.relu(.row(operandB[operandB.count - 1]), to: flag)
    layer.relu((1 - Double(operandB.count)) * onScratchpad - sum, to: flag)
    layer.clear(operandB)
  }

  private var flag: Int { operandA[operandA.count - 1] }

  func increment(_ layer: inout LayerBuilder) {
    layer.clear(programCounter)
    addBinary([programCounter], carryIn: 1, to: programCounter, in: &layer)
  }

  /// Of p_c − (1 − flag) and p_{PC+1} − flag, in both signs, ReLU lets only the chosen one through:
  ///
  ///     R(p_c − 1 + f) − R(−p_c − 1 + f) + R(p_{PC+1} − f) − R(−p_{PC+1} − f)
  func select(_ layer: inout LayerBuilder) {
    layer.clear(programCounter)
    for i in 0..<programCounter.count {
      layer.add(.row(current.c[i]), gatedBy: .row(flag) - onScratchpad, to: programCounter[i])
      layer.add(.row(programCounter[i]), gatedBy: -.row(flag), to: programCounter[i])
    }
    layer.relu(.row(flag), to: flag, times: -1)
    layer.relu(-.row(flag), to: flag)
  }

  func correctErrors(_ layer: inout LayerBuilder) {
    layer.roundToTernary(memory, current.a, current.b, current.c, programCounter)
  }

  /// The paper's binary addition: adds the ±1 code of (Σ numbers + carryIn) mod 2^N to `target`, on the scratchpad.
  ///
  /// Let s_i be the sum of all contributions of the bits up to i, u = 2^i: two numbers and a carry keep s_i < 4u. Bit i
  /// is set iff s_i ∈ [u, 2u) ∪ [3u, 4u), and the six neurons count [s ≥ u] + [s < 2u] + [s ≥ 3u], which is 2 where
  /// it is set and 1 where it is not:
  ///
  ///     2 (R(s−u+1) − R(s−u) + R(2u−s) − R(2u−1−s) + R(s−3u+1) − R(s−3u)) − 3
  ///
  /// A bit b of ±1 contributes 2^i (b + 1)/2. Constants are coefficients of the indicator: off the scratchpad s = 0.
  private func addBinary(
    _ numbers: [Field], carryIn: Double, to target: Field, in layer: inout LayerBuilder
  ) {
    var sum = carryIn * onScratchpad
    for i in 0..<target.count {
      let unit = Double(sign: .plus, exponent: i, significand: 1)
      for number in numbers { sum = sum + unit / 2 * (.row(number[i]) + onScratchpad) }
      func atLeast(_ threshold: Double) {
        layer.relu(sum + (1 - threshold) * onScratchpad, to: target[i], times: 2)
        layer.relu(sum - threshold * onScratchpad, to: target[i], times: -2)
      }
      atLeast(unit)
      layer.relu(2 * unit * onScratchpad - sum, to: target[i], times: 2)
      layer.relu((2 * unit - 1) * onScratchpad - sum, to: target[i], times: -2)
      atLeast(3 * unit)
      layer.relu(onScratchpad, to: target[i], times: -3)
    }
  }
}
