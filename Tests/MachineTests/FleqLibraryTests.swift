import Construction
import Foundation
import Looping
import Machine
import Testing

/// Every program of the library, on the network, loop by loop against plain double precision with the true functions
/// – and its result against the truth.
@Suite struct FleqLibraryTests {
  /// The largest difference that an entry of the memory may have from the interpreter's, after any instruction.
  /// Products and sums alone stay within 10⁻⁷; the sums of sigmoids are good to 10⁻⁵, before they are sharpened.
  static let tolerances = [
    "pocket-calculator": 2e-5, "matrix-product": 1e-7, "transpose": 1e-7, "matrix-inverse": 1e-7,
    "power-iteration": 2e-5, "linear-regression": 1e-7, "backpropagation": 1e-6,
  ]

  typealias Machine = FleqMachine<ExactExecutor<Double>, Double>

  struct Run {
    var program: FleqProgram
    var memory: [[Double]]
    var worst: Double
    var instructions: Int

    func rows(_ name: String) throws -> [[Double]] {
      let variable = try #require(program.variables.first { $0.name == name })
      return (0..<variable.rows).map { i in (0..<variable.columns).map { memory[variable.cell + $0][i] } }
    }
    func column(_ name: String) throws -> [Double] { try rows(name).map { $0[0] } }
    func number(_ name: String) throws -> Double { try rows(name)[0][0] }
  }

  /// Runs network and interpreter side by side: counters and addresses equal, memory within `tolerance`.
  static func run(
    _ program: FleqProgram, tolerance: Double, limit: Int = 100_000,
    observe: (Int, Machine) throws -> Void = { _, _ in }
  ) throws -> Run {
    let network = try FleqNetwork(for: program)
    let digest = network.network.digest
    var machine = try Machine(program, network: network, body: ExactExecutor(network.network))
    var interpreter = try FleqInterpreter(program)
    var worst = 0.0
    var count = 0
    while !interpreter.hasHalted && count < limit {
      let number = interpreter.programCounter
      try observe(number, machine)
      try interpreter.step()
      try machine.step()
      count += 1
      try #require(machine.programCounter == interpreter.programCounter)
      let memory = machine.memory
      for cell in memory.indices {
        try #require(try machine.address(inCell: cell) == interpreter.pointers[cell])
        for (found, expected) in zip(memory[cell], interpreter.memory[cell]) {
          worst = max(worst, abs(found - expected))
        }
      }
      try #require(worst <= tolerance, "instruction \(number): \(program.describe(number))")
    }
    #expect(try machine.hasHalted)
    #expect(network.network.digest == digest)
    return Run(program: program, memory: machine.memory, worst: worst, instructions: count)
  }

  static func run(_ name: String) throws -> Run {
    let run = try run(#require(FleqLibrary[name]).compile(), tolerance: #require(tolerances[name]))
    print("\(name): \(run.instructions) instructions, largest difference \(run.worst)")
    return run
  }

  func expect(_ found: [[Double]], _ expected: [[Double]], within tolerance: Double) {
    #expect(found.count == expected.count && found.map(\.count) == expected.map(\.count))
    for (found, expected) in zip(found.joined(), expected.joined()) {
      #expect(abs(found - expected) <= tolerance)
    }
  }

  @Test func everyProgramHasATolerance() {
    #expect(Set(Self.tolerances.keys) == Set(FleqLibrary.all.map(\.name)))
    #expect(Set(FleqLibrary.all.map(\.name)).isDisjoint(with: ProgramLibrary.all.map(\.name)))
  }

  @Test func thePocketCalculatorCalculates() throws {
    let run = try Self.run("pocket-calculator")
    let (a, b) = (12.5, 0.4)
    for (name, expected, tolerance) in [
      ("sum", a + b, 0), ("difference", a - b, 0), ("product", a * b, 1e-8), ("quotient", a / b, 1e-7),
      ("discount", a * 0.15, 1e-8), ("root", a.squareRoot(), 1e-7), ("power", exp(b), 1e-5),
      ("logarithm", log(a), 1e-5), ("sine", sin(a), 1e-5),
    ] { #expect(abs(try run.number(name) - expected) <= tolerance, "\(name)") }
  }

  @Test func matricesAreMultipliedAndTransposed() throws {
    let product = try Self.run("matrix-product")
    expect(try product.rows("C"), [[-1, 7.5], [-1, 18]], within: 1e-8)
    expect(try product.rows("w"), [[-8.5], [-19]], within: 1e-8)
    expect(try product.rows("inner"), [[10.5]], within: 1e-8)
    expect(try product.rows("outer"), [[-8.5, -19], [8.5, 19]], within: 1e-8)
    let transpose = try Self.run("transpose")
    expect(try transpose.rows("T"), [[1, 4], [2, 5], [3, 6]], within: 0)
    expect(try transpose.rows("same"), [[1, 2, 3], [4, 5, 6]], within: 0)
    expect(try transpose.rows("symmetric"), [[17, 22, 27], [22, 29, 36], [27, 36, 45]], within: 1e-7)
  }

  @Test func theInverseIsTheInverse() throws {
    let run = try Self.run("matrix-inverse")
    // Cofactors over the determinant, 18.
    let inverse = [[5.0, -2, 1], [-2, 8, -4], [1, -4, 11]].map { $0.map { $0 / 18 } }
    expect(try run.rows("X"), inverse, within: 1e-9)
    expect(try run.rows("missing"), [[0, 0, 0], [0, 0, 0], [0, 0, 0]], within: 1e-8)
  }

  @Test func theEigenvectorIsOne() throws {
    let run = try Self.run("power-iteration")
    let b = try run.column("b")
    let a = [[2.0, 1, 0], [1, 3, 1], [0, 1, 1]]
    // The characteristic polynomial is x³ − 6x² + 9x − 3; its largest root by Newton's method.
    var root = 4.0
    for _ in 0..<20 {
      root -= (((root - 6) * root + 9) * root - 3) / ((3 * root - 12) * root + 9)
    }
    #expect(abs(try run.number("eigenvalue") - root) < 1e-7)
    for i in 0..<3 { #expect(abs((0..<3).reduce(0) { $0 + a[i][$1] * b[$1] } - root * b[i]) < 5e-5) }
    #expect(abs(b.reduce(0) { $0 + $1 * $1 } - 1) < 1e-7)
  }

  @Test func theLineIsTheLeastSquaresLine() throws {
    let run = try Self.run("linear-regression")
    // Ages are symmetric around 0, so offset and slope are independent.
    let (ages, heights) = ([-1, -0.5, 0, 0.5, 1], [-1.1, 0.2, 0.9, 2.1, 2.9])
    let offset = heights.reduce(0, +) / 5
    let slope = zip(ages, heights).reduce(0) { $0 + $1.0 * $1.1 } / ages.reduce(0) { $0 + $1 * $1 }
    expect(try run.rows("w"), [[offset], [slope]], within: 0.01)
  }

  /// Each step down the gradient of the cross-entropy of one example, against finite differences.
  @Test func backpropagationFindsTheGradientAndLearns() throws {
    let program = try #require(FleqLibrary["backpropagation"]).compile()
    let names = ["W", "b", "v", "c"]
    func parameters(_ memory: [[Double]]) throws -> [Double] {
      try names.flatMap { name in
        let variable = try #require(program.variables.first { $0.name == name })
        return (0..<variable.columns).flatMap { j in (0..<variable.rows).map { memory[variable.cell + j][$0] }
        }
      }
    }
    func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
    func loss(_ p: [Double], _ x: [Double], _ target: Double) -> Double {
      let hidden = (0..<3).map { sigmoid(p[$0] * x[0] + p[3 + $0] * x[1] + p[6 + $0]) }
      let output = sigmoid((0..<3).reduce(p[12]) { $0 + p[9 + $1] * hidden[$1] })
      return -(target * log(output) + (1 - target) * log(1 - output))
    }
    let examples = [([0.0, 0], 0.0), ([0, 1], 1), ([1, 0], 1), ([1, 1], 0)]
    // The first instruction of the loop's line "let hidden" begins an example.
    let text = String(decoding: try #require(FleqLibrary["backpropagation"]).source, as: UTF8.self)
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let line = try #require(lines.firstIndex { $0.contains("let hidden") }) + 1
    let start = try #require(program.lines.firstIndex(of: line))
    var states: [[Double]] = []
    let run = try Self.run(program, tolerance: #require(Self.tolerances["backpropagation"])) {
      number, machine in
      if number == start { states.append(try parameters(machine.memory)) }
    }
    print("backpropagation: \(run.instructions) instructions, largest difference \(run.worst)")
    #expect(states.count == 640)
    for step in [0, 1, 2, 3, 150, 639 - 1] {
      let (x, target) = examples[step % 4]
      for i in states[step].indices {
        var (up, down) = (states[step], states[step])
        up[i] += 1e-5
        down[i] -= 1e-5
        let slope = (loss(up, x, target) - loss(down, x, target)) / 2e-5
        #expect(abs((states[step][i] - states[step + 1][i]) / 2 - slope) < 1e-7)
      }
    }
    for (name, target) in [("false_false", 0.0), ("false_true", 1), ("true_false", 1), ("true_true", 0)] {
      #expect(abs(try run.number(name) - target) < 0.1)
    }
  }
}
