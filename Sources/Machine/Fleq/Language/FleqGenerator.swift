/// Chooses places in memory and writes instructions.
///
/// Memory: the four fixed cells, then constants, data and the program's own variables in the order in which they are
/// met, then a stack for the variables of blocks and for intermediate results. One instruction per function of the
/// network; a condition is one subtraction and one jump; a jump back is part of the last instruction of the loop.
struct FleqGenerator {
  private typealias Elaboration = FleqElaboration
  private typealias Value = FleqElaboration.Value
  private typealias Label = Int

  /// Stack cells are numbered from here until it is known where the stack begins.
  private static let stackBase = 1 << 24
  private static let zero = FleqOperand(cell: FleqProgram.zeroCell)

  private let elaboration: FleqElaboration
  private let limits: FleqCompiler.Limits
  private let source: FleqSource
  private let blockSize: Int
  private var memory: [[Double]] = []
  private var pointers: [Int: Int] = [:]
  private var names: [Int: String] = [:]
  private var constants: [FleqMatrix: Int] = [:]
  /// Places of variables, once made.
  private var places: [Int: FleqOperand] = [:]
  /// Pointer cells that hold the first address of each list.
  private var starts: [Int] = []
  private var stackTop = 0
  private var stackSize = 1
  private var instructions: [FleqInstruction] = []
  private var operandNames: [FleqProgram.OperandNames] = []
  private var lines: [Int] = []
  private var labels: [Int] = []
  private var lastLabelled = -1
  private var line = 0

  /// - Throws: `SourceError` if code or memory exceed the limits.
  static func generate(
    _ elaboration: FleqElaboration, source: FleqSource, limits: FleqCompiler.Limits
  ) throws -> FleqProgram {
    var generator = FleqGenerator(elaboration, source: source, limits: limits)
    try generator.layOutData()
    try generator.run(elaboration.steps)
    return generator.program()
  }

  private init(_ elaboration: FleqElaboration, source: FleqSource, limits: FleqCompiler.Limits) {
    (self.elaboration, self.source, self.limits) = (elaboration, source, limits)
    blockSize = [1, 2, 4, 8].first { $0 >= elaboration.largestBlock } ?? FleqCompiler.largestBlock
    memory = Array(repeating: Array(repeating: 0, count: blockSize), count: FleqProgram.firstFreeCell)
    memory[FleqProgram.oneCell][0] = 1
    names = [FleqProgram.zeroCell: "0", FleqProgram.oneCell: "1", FleqProgram.discardCell: "–"]
  }

  /// Ends the program with a jump to itself, and puts labels and stack where they belong.
  private mutating func program() -> FleqProgram {
    line = 0
    append(
      .copy, Self.zero, Self.zero, FleqOperand(cell: FleqProgram.discardCell), FleqProgram.zeroCell,
      newLabel())
    labels[labels.count - 1] = instructions.count - 1
    let stackStart = memory.count
    func settle(_ cell: inout Int) { if cell >= Self.stackBase { cell += stackStart - Self.stackBase } }
    for i in instructions.indices {
      settle(&instructions[i].a.cell)
      settle(&instructions[i].b.cell)
      settle(&instructions[i].c.cell)
      settle(&instructions[i].flag)
      if instructions[i].flag != FleqProgram.oneCell {
        instructions[i].target = labels[instructions[i].target]
      }
    }
    for cell in 0..<stackSize {
      memory.append(Array(repeating: 0, count: blockSize))
      names[stackStart + cell] = "t\(cell)"
    }
    var shown: [FleqProgram.Variable] = []
    for (list, start) in zip(elaboration.lists, starts) where list.isWritten {
      // Its items side by side.
      shown.append(
        .init(
          name: list.name, cell: pointers[start]!, rows: list.shape.rows,
          columns: list.items.count * list.shape.columns))
    }
    for (number, variable) in elaboration.variables.enumerated() where variable.isGlobal {
      let shape = variable.shape
      shown.append(
        .init(name: variable.name, cell: places[number]!.cell, rows: shape.rows, columns: shape.columns))
    }
    return FleqProgram(
      blockSize: blockSize, memory: memory, pointers: pointers, instructions: instructions, variables: shown,
      lines: lines, cellNames: names, operandNames: operandNames)
  }

  // MARK: Memory

  private func tooLarge(_ what: String) -> SourceError {
    let offset = source.bytes.indices.lazy.filter { source.bytes[$0] == 10 }.dropFirst(max(0, line - 2)).first
    return source.error(
      what, at: line > 1 ? (offset ?? -1) + 1 : 0, hint: "the program is too large for one network")
  }

  private mutating func allocate(_ matrix: FleqMatrix, _ name: String) throws -> Int {
    let cell = memory.count
    guard cell + matrix.columns.count + stackSize <= limits.cells else {
      throw tooLarge("more than \(limits.cells) memory cells")
    }
    for (j, column) in matrix.columns.enumerated() {
      memory.append(column + Array(repeating: 0, count: blockSize - column.count))
      names[cell + j] = matrix.columns.count == 1 ? name : "\(name)[\(j)]"
    }
    return cell
  }

  private mutating func layOutData() throws {
    for list in elaboration.lists {
      let isWide = list.shape.columns > 1
      let first = memory.count
      for (i, item) in list.items.enumerated() {
        _ = try allocate(item, isWide ? "\(list.name).\(i)" : "\(list.name)[\(i)]")
      }
      let start = try allocate(FleqMatrix(0), "&\(list.name)")
      pointers[start] = first
      starts.append(start)
    }
  }

  private mutating func push(columns: Int) throws -> FleqOperand {
    let cell = Self.stackBase + stackTop
    stackTop += columns
    stackSize = max(stackSize, stackTop)
    guard memory.count + stackSize <= limits.cells else {
      throw tooLarge("more than \(limits.cells) memory cells")
    }
    return FleqOperand(cell: cell, columns: columns)
  }

  /// Where the constant is. All zeros need no cells of their own: columns that an operand lacks are zero.
  private mutating func constant(_ matrix: FleqMatrix) throws -> FleqOperand {
    if matrix.columns == [[1]] { return FleqOperand(cell: FleqProgram.oneCell) }
    if matrix.columns.allSatisfy({ $0.allSatisfy { $0 == 0 } }) { return Self.zero }
    let cell = try constants[matrix] ?? allocate(matrix, FleqProgram.text(matrix))
    constants[matrix] = cell
    return FleqOperand(cell: cell, columns: matrix.columns.count)
  }

  // MARK: Instructions

  /// Names for listings: operands' own, not those of the stack cells they happen to be in.
  private func name(_ operand: FleqOperand, _ value: Value?) -> String {
    if case .variable(let variable) = value { return elaboration.variables[variable].name }
    if case .constant(let matrix) = value { return FleqProgram.text(matrix) }
    if case .block(_, let result) = value { return name(operand, result) }
    if operand.cell >= Self.stackBase { return "t\(operand.cell - Self.stackBase)" }
    return names[operand.cell] ?? "cell \(operand.cell)"
  }

  private mutating func append(
    _ function: FleqFunction, _ a: FleqOperand, _ b: FleqOperand, _ c: FleqOperand, _ flag: Int,
    _ target: Label,
    names: FleqProgram.OperandNames = .init()
  ) {
    instructions.append(FleqInstruction(function, a: a, b: b, c: c, flag: flag, target: target))
    operandNames.append(names)
    lines.append(line)
  }

  private mutating func emit(
    _ function: FleqFunction, _ a: FleqOperand, _ b: FleqOperand = FleqGenerator.zero, to c: FleqOperand,
    names: FleqProgram.OperandNames
  ) throws {
    guard instructions.count < limits.instructions else {
      throw tooLarge("more than \(limits.instructions) instructions")
    }
    append(function, a, b, c, FleqProgram.oneCell, 0, names: names)
  }

  private mutating func newLabel() -> Label {
    labels.append(-1)
    return labels.count - 1
  }

  private mutating func place(_ label: Label) {
    labels[label] = instructions.count
    lastLabelled = instructions.count
  }

  /// A jump costs nothing if the instruction before it does not jump, and nobody jumps between the two.
  private mutating func jump(to label: Label) throws {
    if let last = instructions.last, last.flag == FleqProgram.oneCell, lastLabelled != instructions.count {
      instructions[instructions.count - 1].flag = FleqProgram.zeroCell
      instructions[instructions.count - 1].target = label
    } else {
      try test(Self.zero, "0", to: label)
    }
  }

  /// Jumps if the scalar is not above zero.
  private mutating func test(_ flag: FleqOperand, _ name: String, to label: Label) throws {
    try emit(.copy, Self.zero, to: FleqOperand(cell: FleqProgram.discardCell), names: .init(flag: name))
    instructions[instructions.count - 1].flag = flag.cell
    instructions[instructions.count - 1].target = label
  }

  // MARK: Values

  /// Where a value is; it is computed into a stack place if it is nowhere yet. The place may be one that the value
  /// is computed from: an instruction reads before it writes, and only the last one writes the place.
  private mutating func operand(_ value: Value, allColumns: Bool = false) throws -> FleqOperand {
    switch value {
    case .constant(let matrix):
      let place = try constant(matrix)
      if !allColumns || place.columns == matrix.columns.count { return place }
    case .variable(let variable): return places[variable]!
    case .block(let steps, .variable(let variable)):
      try run(steps)
      return places[variable]!
    case .apply, .block: break
    }
    let place = FleqOperand(cell: Self.stackBase + stackTop, columns: elaboration.shape(of: value).columns)
    let top = stackTop
    try store(value, in: place, name: name(place, nil))
    stackTop = top
    return try push(columns: place.columns)
  }

  private mutating func store(_ value: Value, in place: FleqOperand, name target: String) throws {
    switch value {
    case .constant, .variable:
      var source = try operand(value)
      source.columns = min(source.columns, place.columns)
      try emit(.copy, source, to: place, names: .init(a: name(source, value), c: target))
    case .apply(let function, let a, let b, _):
      let first = try operand(a, allColumns: function.isElementwise)
      let second = try b.map { try operand($0) } ?? Self.zero
      try emit(
        function, first, second, to: place,
        names: .init(a: name(first, a), b: b.map { name(second, $0) } ?? "", c: target))
    case .block(let steps, let result):
      try run(steps)
      try store(result, in: place, name: target)
    }
  }

  // MARK: Steps

  private mutating func run(_ steps: [FleqElaboration.Step]) throws {
    let outer = line
    defer { line = outer }
    for step in steps {
      line = step.line
      try run(step)
    }
  }

  /// The variables of a block live on the stack until it ends.
  private mutating func block(_ steps: [FleqElaboration.Step]) throws {
    let top = stackTop
    defer { stackTop = top }
    try run(steps)
  }

  private mutating func run(_ step: FleqElaboration.Step) throws {
    switch step.kind {
    case .declare(let number, let value):
      let variable = elaboration.variables[number]
      let columns = variable.shape.columns
      if variable.isGlobal {
        // A literal is in memory from the start.
        let empty = FleqMatrix(
          columns: Array(repeating: Array(repeating: 0, count: variable.shape.rows), count: columns))
        let cell = try allocate(value.literal ?? empty, variable.name)
        places[number] = FleqOperand(cell: cell, columns: columns)
        if value.literal != nil { return }
      } else {
        places[number] = try push(columns: columns)
      }
      try set(number, value)
    case .set(let number, let value): try set(number, value)
    case .branch(let condition, let then, let otherwise):
      let (elseLabel, end) = (newLabel(), newLabel())
      try jump(when: condition, is: false, to: elseLabel)
      try block(then)
      if !otherwise.isEmpty { try jump(to: end) }
      place(elseLabel)
      try block(otherwise)
      place(end)
    case .loop(let condition, let body):
      let (head, end) = (newLabel(), newLabel())
      place(head)
      try jump(when: condition, is: false, to: end)
      try block(body)
      try jump(to: head)
      place(end)
    case .repetition(let count, let body):
      let top = stackTop
      let counter = try push(columns: 1)
      try store(count, in: counter, name: "count")
      try countDown(counter, body)
      stackTop = top
    case .each(let elements, let body): try each(elements, body)
    }
  }

  private mutating func set(_ number: Int, _ value: Value) throws {
    let top = stackTop
    defer { stackTop = top }
    try store(value, in: places[number]!, name: elaboration.variables[number].name)
  }

  private mutating func countDown(
    _ counter: FleqOperand, _ body: [FleqElaboration.Step],
    advance: [(pointer: FleqOperand, columns: Int, name: String)] = []
  ) throws {
    let (head, end) = (newLabel(), newLabel())
    place(head)
    try test(counter, "count", to: end)
    try block(body)
    for (pointer, columns, name) in advance {
      for _ in 0..<columns {
        try emit(.increment, pointer, to: pointer, names: .init(a: "&\(name)", c: "&\(name)"))
      }
    }
    let one = FleqOperand(cell: FleqProgram.oneCell)
    try emit(.subtract, counter, one, to: counter, names: .init(a: "count", b: "1", c: "count"))
    try jump(to: head)
    place(end)
  }

  /// A pointer per list, set to its start, and moved on by the network's own adder.
  private mutating func each(
    _ elements: [(variable: Int, list: Int)], _ body: [FleqElaboration.Step]
  ) throws {
    let top = stackTop
    defer { stackTop = top }
    var advance: [(pointer: FleqOperand, columns: Int, name: String)] = []
    for (variable, list) in elements {
      let (name, columns) = (elaboration.variables[variable].name, elaboration.lists[list].shape.columns)
      let pointer = try push(columns: 1)
      try emit(
        .copy, FleqOperand(cell: starts[list]), to: pointer,
        names: .init(a: "&\(elaboration.lists[list].name)", c: "&\(name)"))
      places[variable] = FleqOperand(cell: pointer.cell, columns: columns, isIndirect: true)
      advance.append((pointer, columns, name))
    }
    let counter = try push(columns: 1)
    let count = Value.constant(FleqMatrix(Double(elaboration.lists[elements[0].list].items.count)))
    try store(count, in: counter, name: "count")
    try countDown(counter, body, advance: advance)
  }

  /// Jumps to `label` if the condition has the given value.
  private mutating func jump(when condition: FleqElaboration.Condition, is value: Bool, to label: Label)
    throws
  {
    switch condition {
    case .not(let inner): try jump(when: inner, is: !value, to: label)
    case .both(let left, let right):
      if value {
        let skip = newLabel()
        try jump(when: left, is: false, to: skip)
        try jump(when: right, is: true, to: label)
        place(skip)
      } else {
        try jump(when: left, is: false, to: label)
        try jump(when: right, is: false, to: label)
      }
    case .positive(let scalar):
      let top = stackTop
      var flag = try operand(scalar)
      if flag.isIndirect {
        let copy = try push(columns: 1)
        try emit(.copy, flag, to: copy, names: .init(a: name(flag, scalar), c: name(copy, nil)))
        flag = copy
      }
      let flagName = name(flag, scalar)
      stackTop = top
      guard value else { return try test(flag, flagName, to: label) }
      let skip = newLabel()
      try test(flag, flagName, to: skip)
      try jump(to: label)
      place(skip)
    }
  }
}
