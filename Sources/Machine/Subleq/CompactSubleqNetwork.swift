import Construction

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// The paper's machine in four layers: the same input matrix, the same tie, fewer steps. One loop executes
/// `mem[b] ← mem[b] − mem[a]; if mem[b] ≤ 0 goto c`.
///
/// | layer | attention | feed-forward |
/// |---|---|---|
/// | fetch | scratchpad ↔ instruction at the program counter | pointers ← it, cleaned; next ← program counter + 1 |
/// | subtract | two heads: scratchpad ↔ mem[a], ↔ mem[b] | result ← mem[b] − mem[a], straight from the buffers |
/// | write | scratchpad ↔ mem[b] | mem[b] ← result; flag ← [result ≤ 0] |
/// | branch | – | program counter ← flag ? c : next, cleaned; memory cleaned; registers cleared |
///
/// What makes it shorter than the paper's ten layers (`PaperSubleqNetwork`):
///
/// - Registers are cleared at the end of a loop, so a read finds ½(new + 0) in its buffer: no old value to replace.
/// - Subtraction is one addition, B + ¬A + 1, read off the buffers in the layer that fills them.
/// - What only needs the same inputs shares a layer: program counter + 1 with fetch, flag with write.
///
/// What makes it sturdier: every value that the next attention depends on goes through a `step`, which returns an
/// exact bit for any error below ¼, so that softmax errors neither grow from loop to loop nor from layer to layer.
///
/// Derivation and measured limits: Documentation/SeparateSubleq.md.
public struct CompactSubleqNetwork: SeparateSubleqNetwork {
  public let card: PunchCard
  public let network: ConstructedNetwork
  public let buffers: [Field]

  public init(cells: Int, instructions: Int, wordBits: Int) throws {
    try PunchCard.check(cells: cells, instructions: instructions, wordBits: wordBits)
    let pointerBits = PunchCard.positionBits(cells: cells, instructions: instructions)
    var layout = ResidualLayout()
    let rows = CompactRows(&layout, pointerBits: pointerBits, wordBits: wordBits)
    card = PunchCard(
      cells: cells, instructions: instructions, wordBits: wordBits, commandA: rows.command[0],
      commandB: rows.command[1], commandC: rows.command[2], memory: rows.memory,
      programCounter: rows.programCounter, position: rows.position, indicator: rows.indicator)
    buffers = rows.buffers
    var layers: [ConstructedLayer] = []
    func layer(_ name: String, _ build: (inout LayerBuilder) -> Void) {
      var builder = LayerBuilder(name, layout: layout)
      build(&builder)
      layers.append(builder.build())
    }
    layer("fetch", rows.fetch)
    layer("subtract", rows.subtract)
    layer("write", rows.write)
    layer("branch", rows.branch)
    network = ConstructedNetwork(
      name: "compact SUBLEQ, \(cells) data cells of \(wordBits) bits, \(instructions) instructions",
      layout: layout, layers: layers)
  }

  /// A step doubles its argument and looks at halves of it: 2·3·2^(wordBits − 1) in steps of ½.
  public static func largestWordBits<Scalar: BinaryFloatingPoint>(in scalar: Scalar.Type) -> Int {
    Scalar.significandBitCount - 2
  }

  /// The temperature at which softmax attention provably stays exact, in exact arithmetic: λ ≥ ½(N ln 2 + ln 6n).
  ///
  /// All columns but the two that tie score at least 2 less, so they get ℓ < ½ n e^−2λ of the attention between them,
  /// and a buffer errs by less than 3ℓ/2. The adder weighs two buffers with Σ 2^i < 2^N, hence by less than
  /// 3ℓ·2^N < 3/2 · n e^−2λ · 2^N, and its steps tolerate ¼.
  public static func sufficientInverseTemperature(wordBits: Int, columns: Int) -> Double {
    0.5 * (Double(wordBits) * log(2) + log(6 * Double(columns)))
  }
}

private struct CompactRows {
  let command: [Field]
  let memory: Field
  let result: Field
  /// p_a, p_b, p_c of the instruction in force.
  let pointer: [Field]
  let next: Field
  let flag: Field
  let programCounter: Field
  let position: Field
  /// One block of rows, cut as each layer needs it.
  let pointerBuffer: [Field]
  let bufferA: Field
  let bufferB: Field
  let buffers: [Field]
  let indicator: Field

  init(_ layout: inout ResidualLayout, pointerBits: Int, wordBits: Int) {
    let names = ["a", "b", "c"]
    command = names.map { layout.add("command \($0)", rows: pointerBits) }
    memory = layout.add("memory", rows: wordBits)
    programCounter = layout.add("program counter", rows: pointerBits)
    pointer = names.map { layout.add("pointer \($0)", rows: pointerBits) }
    result = layout.add("result", rows: wordBits)
    flag = layout.add("flag", rows: 1)
    next = layout.add("next instruction", rows: pointerBits)
    position = layout.add("position", rows: pointerBits)
    let buffer = layout.add("buffer", rows: max(3 * pointerBits, 2 * wordBits))
    pointerBuffer = names.enumerated().map {
      buffer.part($0.element, from: $0.offset * pointerBits, rows: pointerBits)
    }
    bufferA = buffer.part("mem[a]", from: 0, rows: wordBits)
    bufferB = buffer.part("mem[b]", from: wordBits, rows: wordBits)
    buffers = [buffer]
    indicator = layout.addIndicator()
  }

  private var onScratchpad: LinearForm { .row(indicator[0]) }

  // MARK: The layers

  /// The registers being clear, a buffer holds ½·(bit of the instruction): its sign is the bit.
  func fetch(_ layer: inout LayerBuilder) {
    layer.attend(
      "read instruction", query: [programCounter, position], key: [programCounter, position],
      copies: zip(command, pointerBuffer).map { (from: $0, to: $1) })
    for (pointer, buffer) in zip(pointer, pointerBuffer) {
      for i in 0..<pointer.count {
        setCode(pointer[i], in: &layer) { layer, row in
          layer.step(.row(buffer[i]), onlyWhere: onScratchpad, bound: 1, to: row, times: 2)
        }
      }
      layer.clear(buffer)
    }
    var sum = LinearForm(constant: 1)
    for i in 0..<next.count {
      let unit = Double(sign: .plus, exponent: i, significand: 1)
      sum = sum + unit / 2 * (.row(programCounter[i]) + 1)
      setCode(next[i], in: &layer) { layer, row in
        // Off the scratchpad the program counter is zero, and so is the sum.
        layer.bit(i, of: sum, onlyWhere: onScratchpad, bound: 0, to: row, times: 2)
      }
    }
  }

  /// B − A = B + ¬A + 1. A buffer holds ½b for a bit b of ±1, so B's bit is buffer + ½ and ¬A's is ½ − buffer:
  ///
  ///     s_i = 1 + Σ_{j ≤ i} 2^j (1 + bufferB_j − bufferA_j)
  ///
  /// Off the scratchpad both buffers hold the column's own bits, halved where it is pointed at: they differ by ½ at
  /// most, so the sum is below 2^i there.
  func subtract(_ layer: inout LayerBuilder) {
    for (name, pointer, buffer) in [("a", pointer[0], bufferA), ("b", pointer[1], bufferB)] {
      layer.attend(
        "read mem[\(name)]", query: [pointer, position], key: [pointer, position],
        copies: [(from: memory, to: buffer)])
    }
    var sum = LinearForm(constant: 1)
    for i in 0..<result.count {
      let unit = Double(sign: .plus, exponent: i, significand: 1)
      sum = sum + unit * (.row(bufferB[i]) - .row(bufferA[i]) + 1)
      setCode(result[i], in: &layer) { layer, row in
        layer.bit(i, of: sum, onlyWhere: onScratchpad, bound: unit, to: row, times: 2)
      }
    }
    layer.clear(bufferA, bufferB)
  }

  /// The data column pointed at takes the result, as in `PaperSubleqNetwork`.
  ///
  /// flag ← [result ≤ 0] = ReLU(sign bit) + ReLU(1 − N − Σ bits): the number is negative, or all its bits are −1.
  func write(_ layer: inout LayerBuilder) {
    layer.attend(
      "write mem[b]", query: [pointer[1], position], key: [pointer[1], position],
      copies: [(from: memory, to: bufferA), (from: result, to: bufferA)])
    layer.replace(memory, byAverage: bufferA, gatedBy: -4 * onScratchpad)
    let sum = result.rows.reduce(LinearForm()) { $0 + .row($1) }
    layer.relu(.row(result[result.count - 1]), to: flag[0])
    layer.relu((1 - Double(result.count)) * onScratchpad - sum, to: flag[0])
    layer.clear(bufferA)
  }

  /// A multiplexer: of p_c/2 + flag − 1 and next/2 − flag, both ±½ where chosen and below −¼ where not, two steps make
  /// the bit; so an error below ¼ in any input changes nothing.
  func branch(_ layer: inout LayerBuilder) {
    let jumps = LinearForm.row(flag[0])
    layer.clear(programCounter)
    for i in 0..<programCounter.count {
      setCode(programCounter[i], in: &layer) { layer, row in
        layer.step(
          0.5 * .row(pointer[2][i]) + jumps - 1, onlyWhere: onScratchpad, bound: 0, to: row, times: 2)
        layer.step(0.5 * .row(next[i]) - jumps, onlyWhere: onScratchpad, bound: 0, to: row, times: 2)
      }
    }
    layer.clear(pointer[0], pointer[1], pointer[2], result, flag, next)
    layer.roundToTernary(memory)
  }

  /// row ← 2·bit − 1 on the scratchpad, where it was 0 before: `bit` adds the first part, this the −1.
  private func setCode(
    _ row: Int, in layer: inout LayerBuilder, bit: (inout LayerBuilder, Int) -> Void
  ) {
    bit(&layer, row)
    layer.relu(onScratchpad, to: row, times: -1)
  }
}
