/// FLEQ programs as people read them.
extension FleqProgram {
  /// What an instruction's operands are called in the source: a stack cell has many names in its life.
  public struct OperandNames: Equatable, Sendable {
    public var a = ""
    public var b = ""
    public var c = ""
    public var flag = ""
    public init(a: String = "", b: String = "", c: String = "", flag: String = "") {
      (self.a, self.b, self.c, self.flag) = (a, b, c, flag)
    }
  }

  /// One instruction, as arithmetic: `X = t0' · t1`, `if count ≤ 0 → 31`.
  public func describe(_ number: Int) -> String {
    let instruction = instructions[number]
    let given = operandNames.isEmpty ? nil : operandNames[number]
    func name(_ operand: FleqOperand, _ given: String?) -> String {
      if let given, !given.isEmpty { return given }
      return (operand.isIndirect ? "*" : "") + (cellNames[operand.cell] ?? "cell \(operand.cell)")
    }
    let (a, b) = (name(instruction.a, given?.a), name(instruction.b, given?.b))
    let result: String
    switch instruction.function {
    case .copy: result = a
    case .add: result = "\(a) + \(b)"
    case .subtract: result = "\(a) − \(b)"
    case .multiply: result = blockSize == 1 || Double(a) != nil ? "\(a) · \(b)" : "\(a)' · \(b)"
    case .transpose: result = "\(a)'"
    case .increment: result = "\(a) + 1"
    case .diagonal, .scalarDiagonal, .sigmoid, .reciprocal, .squareRoot, .exponential, .logarithm, .sine:
      result = "\(instruction.function)(\(a))"
    }
    let isDiscarded = instruction.c.cell == Self.discardCell && !instruction.c.isIndirect
    var parts = isDiscarded ? [] : ["\(name(instruction.c, given?.c)) = \(result)"]
    if onlyJumpsToItself(number) { return "halt" }
    if instruction.flag == Self.zeroCell {
      parts.append("→ \(instruction.target)")
    } else if instruction.flag != Self.oneCell {
      let flag = given.flatMap { $0.flag.isEmpty ? nil : $0.flag } ?? cellNames[instruction.flag]
      parts.append("if \(flag ?? "cell \(instruction.flag)") ≤ 0 → \(instruction.target)")
    }
    return parts.joined(separator: "; ")
  }

  /// Memory, then code with the source lines it came from.
  public func listing(source: String) -> String {
    let sourceLines = source.split(separator: "\n", omittingEmptySubsequences: false)
    func pad(_ number: Int) -> String {
      String(repeating: " ", count: max(0, 5 - String(number).count)) + String(number)
    }
    var text = "# \(memory.count) cells of \(blockSize), \(instructions.count) instructions\n# memory\n"
    for (cell, content) in memory.enumerated() {
      let name = cellNames[cell] ?? "–"
      let numbers = content.map(Self.text).joined(separator: " ")
      let address = pointers[cell].map { "  → \($0)" } ?? ""
      text +=
        "\(pad(cell))  \(name)\(String(repeating: " ", count: max(1, 16 - name.count)))\(numbers)\(address)\n"
    }
    text += "# code: instruction, memory[c] = f(memory[a], memory[b]), what it means\n"
    var line = 0
    for (number, instruction) in instructions.enumerated() {
      if lines[number] != line, lines[number] > 0, lines[number] <= sourceLines.count {
        text += "# line \(lines[number]): \(sourceLines[lines[number] - 1].drop { $0 == " " })\n"
      }
      line = lines[number]
      let (a, b, c) = (instruction.a, instruction.b, instruction.c)
      let code = "\(instruction.function) \(Self.text(a)) \(Self.text(b)) → \(Self.text(c))"
      text +=
        "\(pad(number))  \(code)\(String(repeating: " ", count: max(1, 34 - code.count)))\(describe(number))\n"
    }
    return text
  }

  /// `[12]`, `[12 13]` for a block of two cells, `*[12]` where cell 12 holds the address.
  private static func text(_ operand: FleqOperand) -> String {
    let first = String(operand.cell)
    if operand.isIndirect { return "*[\(first)]" + (operand.columns > 1 ? "×\(operand.columns)" : "") }
    return operand.columns > 1 ? "[\(first)–\(operand.cell + operand.columns - 1)]" : "[\(first)]"
  }

  static func text(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 0x1p53 ? String(Int(value)) : String(value)
  }

  static func text(_ matrix: FleqMatrix) -> String {
    matrix.shape == .scalar
      ? text(matrix.columns[0][0]) : "const \(matrix.shape.rows)×\(matrix.shape.columns)"
  }
}
