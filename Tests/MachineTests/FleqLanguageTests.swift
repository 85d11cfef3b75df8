import Construction
import Foundation
import Looping
import Machine
import Testing

@Suite struct FleqLanguageTests {
  func compile(_ source: String) throws -> FleqProgram { try FleqCompiler.compile(source, file: "t.fleq") }

  /// Runs on the interpreter, for what the language means.
  func variables(_ source: String, limit: Int = 100_000) throws -> [String: [[Double]]] {
    let program = try compile(source)
    var interpreter = try FleqInterpreter(program)
    var count = 0
    while !interpreter.hasHalted && count < limit {
      try interpreter.step()
      count += 1
    }
    #expect(interpreter.hasHalted)
    return Dictionary(
      uniqueKeysWithValues: program.variables.map { variable in
        let rows = (0..<variable.rows).map { i in
          (0..<variable.columns).map { interpreter.memory[variable.cell + $0][i] }
        }
        return (variable.name, rows)
      })
  }

  func number(_ expression: String, _ declarations: String = "") throws -> Double {
    try #require(try variables("\(declarations)\nlet result = \(expression)")["result"])[0][0]
  }

  @Test(arguments: [
    ("1 + 2 * 3", 7.0), ("(1 + 2) * 3", 9), ("2 - 3 - 4", -5), ("-2 * -3", 6), ("8 / 2 / 2", 2), ("50%", 0.5),
    ("200 * 15%", 30), ("[1, 2]' * [3, 4]", 11), ("1e1 + 0.5e-1", 10.05), ("x - -x", 6), ("-(x + 1)", -4),
    ("x * (x + 1)\n", 12), ("1 +\n 2", 3), ("(1\n+ 2)", 3), ("x'", 3), ("sigmoid(0)", 0.5), ("abs(-x)", 3),
    ("max(x, 4) - min(x, 4)", 1), ("norm([3, 4])", 5), ("[1, 1]' * ([3, 4] .* [5, 6])", 39),
  ]) func evaluates(expression: String, expected: Double) throws {
    #expect(abs(try number(expression, "let x = 3") - expected) < 1e-9)
  }

  /// The standard functions on the whole range they promise; with the true functions, so what is tested is the
  /// reduction of the range.
  @Test func standardFunctionsReduceTheirRange() throws {
    let functions: [(String, (Double) -> Double, [Double])] = [
      ("reciprocal", { 1 / $0 }, [0.5, 1, 3, 700, 1e-4, -2, -0.01, 1e6]),
      ("sqrt", { $0.squareRoot() }, [0.25, 1, 2, 3, 700, 1e-4, 1e6]),
      ("exp", exp, [0, 1, -1, 0.5, 5.3, -7.7, 10]),
      ("log", log, [0.5, 1, 3, 700, 1e-4, 1e6]),
      ("sin", sin, [0, 1, -3, 3.2, 10, -20]), ("cos", cos, [0, 1, -3, 3.2, 10]), ("tan", tan, [0.5, -1]),
      ("tanh", tanh, [0, 0.5, -3]),
    ]
    for (name, function, arguments) in functions {
      for x in arguments {
        let found = try number("\(name)(x)", "let x = \(x)")
        #expect(abs(found - function(x)) <= 1e-9 * max(1, abs(function(x))), "\(name)(\(x))")
      }
    }
    for name in ["reciprocal", "sqrt", "log"] { #expect(try number("\(name)(x)", "let x = 0") == 0) }
    #expect(try number("sqrt(x)", "let x = -4") == 0)
  }

  /// The same on the network: what the sums of sigmoids add.
  @Test func standardFunctionsHoldOnTheNetwork() throws {
    let functions: [(String, (Double) -> Double, ClosedRange<Double>, Double)] = [
      ("reciprocal", { 1 / $0 }, 0.1...50, 1e-7), ("sqrt", { $0.squareRoot() }, 0.1...50, 1e-7),
      ("exp", exp, -3...3, 2e-5), ("log", log, 0.1...50, 2e-5), ("sin", sin, -10...10, 2e-5),
    ]
    for (name, function, range, tolerance) in functions {
      let list = (0..<12).map { range.lowerBound + (range.upperBound - range.lowerBound) * Double($0) / 11 }
      let text = list.map { "\($0)" }.joined(separator: ", ")
      let program = try compile("data xs = \(text)\nfor x in xs { x = \(name)(x) }")
      let run = try FleqLibraryTests.run(program, tolerance: 1e-3)
      for (i, x) in list.enumerated() {
        let error = abs(run.memory[FleqProgram.firstFreeCell + i][0] - function(x))
        #expect(error <= tolerance * max(1, abs(function(x))), "\(name)(\(x)): \(error)")
      }
    }
  }

  /// In single precision products are good to some 10⁻⁴, and so is everything made of them.
  @Test func theCalculatorWorksInSinglePrecision() throws {
    let program = try #require(FleqLibrary["pocket-calculator"]).compile()
    let network = try FleqNetwork(for: program, productScale: FleqProducts.scaleForFloat32)
    var machine = try FleqMachine(program, network: network, body: ExactExecutor<Float>(network.network))
    var interpreter = try FleqInterpreter(program)
    while !interpreter.hasHalted { try interpreter.step() }
    #expect(try machine.run(limit: 1000).ended)
    for variable in program.variables {
      let (found, expected) = (machine.memory[variable.cell][0], interpreter.memory[variable.cell][0])
      #expect(abs(found - expected) < 2e-3 * max(1, abs(expected)), "\(variable.name)")
    }
  }

  @Test(arguments: [
    ("x > 3", false), ("x >= 3", true), ("x < 3", false), ("x <= 3", true), ("x == 3", true),
    ("x != 3", false),
    ("x > 2 and x < 4", true), ("x > 3 or x < 3", false), ("x > 5 or x == 3", true), ("not x > 3", true),
    ("not (x > 2 and x < 4)", false), ("x * x == 9 and not x == 4", true), ("x > 0", true), ("0 < x", true),
    ("x < 0", false), ("abs(-x) == abs(x)", true), ("abs(-x) == abs(x + 1)", false),
  ]) func decides(condition: String, expected: Bool) throws {
    let text =
      "let x = 3\nvar y = 0\nif \(condition) { y = 1 } else { y = 2 }\nvar z = 0\nif \(condition) { z = 1 }"
    let found = try variables(text)
    #expect(found["y"] == [[expected ? 1 : 2]] && found["z"] == [[expected ? 1 : 0]])
  }

  @Test func loopsAndBlocksWork() throws {
    let found = try variables(
      """
      var n = 5; var product = 1
      while n > 0 { product = n * product; n = n - 1 }
      var fib = [0, 1]
      repeat 6 { fib = [[0, 1], [1, 1]] * fib }
      var sign = 7
      if product < 100 { sign = -1 } else if product == 120 { sign = 0 } else { sign = 1 }
      var total = 0
      repeat 2 { repeat 3 { let two = 2; let four = two * two; total = total + four } }
      repeat 0 { total = -1 }
      while total < 0 { total = 0 }
      """)
    #expect(found["product"] == [[120]] && found["fib"] == [[8], [13]])
    #expect(found["sign"] == [[0]] && found["total"] == [[24]])
  }

  @Test func dataIsReadAndWrittenThroughPointers() throws {
    let text = """
      data blocks = [[1, 2], [3, 4]], [[5, 6], [7, 8]]
      data scales = 2, 3
      var sum = zeros(2, 2)
      repeat 2 {
        for block in blocks, scale in scales {
          block = scale * block
          sum = sum + block
        }
      }
      """
    let found = try variables(text)
    let sum = try #require(found["sum"])
    #expect(found["blocks"] == [[4, 8, 45, 54], [12, 16, 63, 72]] && found["scales"] == nil)
    #expect(sum == [[66, 84], [102, 120]])
    _ = try FleqLibraryTests.run(try compile(text), tolerance: 1e-4)
  }

  @Test func functionsAreTemplates() throws {
    let found = try variables(
      """
      func square(x) { return x' * x }
      func twice(x) { let y = x + x; return y }
      let a = square(twice(3))
      let b = twice(square([1, 2, 3]))
      var x = 2
      x = twice(x) - x * twice(twice(x))
      func reciprocal(x) { return 17 }
      func sin(x) { return 2 * cos(x) }
      let c = reciprocal(0)
      let d = 1 / x
      let e = sin(0)
      """)
    #expect(found["a"] == [[36]] && found["b"] == [[28]] && found["x"] == [[-12]] && found["c"] == [[17]])
    // The program's own functions do not change what operators and standard functions mean.
    let (d, e) = (try #require(found["d"])[0][0], try #require(found["e"])[0][0])
    #expect(abs(d + 1.0 / 12) < 1e-9 && abs(e - 2) < 1e-9)
  }

  @Test(arguments: [
    ("x = 1", 1, 1, "no variable named x"), ("let a = b", 1, 9, "no variable named b"),
    ("let a = 1\na = 2", 2, 1, "a cannot change"), ("let a = 1; let a = 2", 1, 12, "a is declared twice"),
    ("let a = [1, 2] + 3", 1, 16, "cannot add 2 × 1 and a number"),
    ("let a = [1, 2] * [1, 2]", 1, 16, "cannot multiply 2 × 1 by 2 × 1"),
    ("let a = [[1, 2], [3]]", 1, 18, "this row has 1 entries, the first 2"),
    ("var a = 1\na = [1, 2]", 2, 5, "a is a number; this is 2 × 1"),
    ("let a = 1 / 0", 1, 13, "division by zero"),
    ("let a = 1 +", 1, 12, "a value expected, not the end of the line"),
    ("let a = (1", 1, 11, "')' expected, not the end of the line"),
    ("if 1 { }", 1, 4, "a condition is needed"),
    ("let a = 1 < 2", 1, 11, "a condition is not a value"),
    ("let a = 1 < 2 < 3", 1, 15, "a condition is not a value"),
    ("while 1 > 0 {", 1, 14, "a statement expected, not the end of the text"),
    ("let if = 1", 1, 5, "a name expected, not 'if'"), ("let a = f(1)", 1, 9, "no function named f"),
    ("let a = sqrt([1, 2])", 1, 9, "sqrt takes a number; this is 2 × 1"),
    ("let a = sqrt(1, 2)", 1, 9, "sqrt takes 1 argument, not 2"),
    ("func f(x) { return f(x) }\nlet a = f(1)", 1, 20, "f calls itself"),
    ("func f(x) { let y = x }", 1, 23, "function f returns nothing"),
    ("return 1", 1, 1, "return outside of a function"), ("for x in y { }", 1, 10, "no variable named y"),
    ("data a = 1, 2\ndata b = 1\nfor x in a, y in b { }", 3, 18, "b has 1 items, a has 2"),
    ("data a = 1, [2, 3]", 1, 13, "this item is 2 × 1, the first is a number"),
    ("data a = 1\nlet b = a", 2, 9, "a is a list, not a value"),
    ("let a = 1 $ 2", 1, 11, "'$' means nothing here"),
    ("let a = 99999999999", 1, 9, "the network holds numbers up to 2^26"),
    ("let a = 12x", 1, 9, "not a number"), ("let \u{e9} = 1", 1, 5, "byte 195 means nothing here"),
    ("let a = ones(17)", 1, 14, "a size is a literal from 1 to 16"),
    ("if 1 > 0 { let a = 1 }\nlet b = a", 2, 9, "no variable named a"),
    ("let a = diagonal(ones(2, 2))", 1, 9, "a diagonal is made of a column vector, not of 2 × 2"),
    ("else { }", 1, 1, "'else' does not start a statement"),
  ]) func refuses(source: String, line: Int, column: Int, message: String) throws {
    let error = #expect(throws: SourceError.self) { try compile(source) }
    #expect(error?.message == message, "\(error?.description ?? "")")
    #expect(error?.line == line && error?.column == column, "\(error?.description ?? "")")
  }

  @Test func errorsInFunctionsSayWhereTheyWereCalled() {
    let error = #expect(throws: SourceError.self) {
      try compile("func add(x, y) {\n  return x + y\n}\n\nlet a = add(1, [1, 2])")
    }
    #expect(
      error?.description
        == "t.fleq:2:12: error: cannot add a number and 2 × 1\n    return x + y\n             ^\nhint: in add, called in line 5"
    )
  }

  @Test func limitsHold() throws {
    func refused(_ source: String, _ message: String) {
      let error = #expect(throws: SourceError.self) { try compile(source) }
      #expect(error?.message.contains(message) ?? false, "\(error?.message ?? "")")
    }
    let many = 100_000
    refused("let a = " + String(repeating: "(", count: many), "levels of nesting")
    refused("let a = " + String(repeating: "-", count: many) + "1", "levels of nesting")
    refused("let a = 1" + String(repeating: "+1", count: many), "levels of nesting")
    refused("let a = 1" + String(repeating: "'", count: many), "levels of nesting")
    refused(String(repeating: "if 1 > 0 {", count: many), "levels of nesting")
    refused("if 1 > 0 {}" + String(repeating: " else if 1 > 0 {}", count: many / 2), "levels of nesting")
    refused("let a = " + String(repeating: "f(", count: many), "levels of nesting")
    refused("if " + String(repeating: "not ", count: many), "levels of nesting")
    refused("let a = [" + String(repeating: "[", count: many), "a number expected")
    refused("let a = [1" + String(repeating: ",1", count: many) + "]", "at most 16 rows")
    refused("let " + String(repeating: "x", count: 300) + " = 1", "more than 64 characters")
    refused("let a = " + String(repeating: "1", count: many), "not a number")
    refused("data a = 1" + String(repeating: ",1", count: many), "memory cells")
    refused("var a = 1\n" + String(repeating: "a = a + 1\n", count: 20_000), "more than 8192 instructions")
    refused(String(repeating: " ", count: 2 << 20), "bytes")
    // Functions that double the code at every level: 2^40 calls.
    var text = "func f0(x) { return x + x }\n"
    for i in 1...40 { text += "func f\(i)(x) { return f\(i - 1)(x) + f\(i - 1)(x) }\n" }
    refused(text + "let a = f40(1)", "too large")
    // As deep as allowed, on the small stack of a test's thread.
    let deep = 30
    text =
      "let a = 1\nvar b = " + String(repeating: "(a + ", count: deep) + "a"
      + String(repeating: ")", count: deep)
    #expect(try variables(text)["b"] == [[Double(deep + 1)]])
  }

  @Test func anyTextEndsInAnErrorOrAProgram() throws {
    var random = SplitMix64(state: 11)
    let words = [
      "let", "var", "data", "func", "return", "if", "else", "while", "repeat", "for", "in", "and", "or",
      "not", "a",
      "b", "x", "sqrt", "ones", "1", "2.5", "[1, 2]", "[[1, 2], [3, 4]]", "+", "-", "*", "/", ".*", "'", "%",
      "(",
      ")", "[", "]", "{", "}", ",", ":", ";", "\n", "=", "==", "<", ">=", "#", "\u{0}", "é", "\"",
    ]
    for _ in 0..<4000 {
      let count = Int.random(in: 0..<40, using: &random)
      let text = (0..<count).map { _ in words.randomElement(using: &random)! }.joined(separator: " ")
      _ = try? FleqCompiler.compile(text, file: "fuzz")
    }
    // Every program of the library, cut off anywhere, and with any byte changed.
    for program in FleqLibrary.all {
      for length in stride(from: 0, to: program.source.count, by: 7) {
        _ = try? FleqCompiler.compile(Array(program.source.prefix(length)), file: "cut")
      }
      for _ in 0..<200 {
        var source = program.source
        source[Int.random(in: 0..<source.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
        if let compiled = try? FleqCompiler.compile(source, file: "changed") { try compiled.validate() }
      }
    }
  }

  @Test func listingsReadLikeTheSource() throws {
    let source = "var x = 2\nwhile x < 10 {\n  x = x * x\n}"
    let text = try compile(source).listing(source: source)
    #expect(
      text == """
        # 7 cells of 1, 4 instructions
        # memory
            0  0               0
            1  1               1
            2  –               0
            3  –               0
            4  x               2
            5  10              10
            6  t0              0
        # code: instruction, memory[c] = f(memory[a], memory[b]), what it means
        # line 2: while x < 10 {
            0  subtract [5] [4] → [6]            t0 = 10 − x
            1  copy [0] [0] → [2]                if t0 ≤ 0 → 3
        # line 3: x = x * x
            2  multiply [4] [4] → [4]            x = x · x; → 0
            3  copy [0] [0] → [2]                halt

        """)
  }
}
