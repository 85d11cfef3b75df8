import Machine
import Testing

@Suite struct AssemblerTests {
  func words(_ source: String) throws -> [Int] { try SubleqAssembler.assemble(source, file: "t.asq").words }

  @Test(arguments: [
    ("a a b; a:1 b:2 -1", [3, 3, 4, 1, 1, 6]),  // 2 -1 is one expression
    ("5", [5, 5, 3]),  // one item
    ("5 6", [5, 6, 3]),  // two items
    ("1 2 3 4", [1, 2, 3, 4]),
    (". 1 2", [1, 2]),
    (". a: ? b: ?+1 a-b 2*3-4 (-(2+3)) 'A' '\\n' 0x1f", [0, 2, -1, 2, -5, 65, 10, 31]),
    (". \"A\\\"\u{e9}\" [3] # \"no\"\n. 7", [65, 34, 0xc3, 0xa9, 0, 0, 0, 7]),
    ("x:\n. 1\n. y: z: 2\n. x y z end\nend:", [1, 2, 0, 1, 1, 6]),
    ("a (-1)\n\n;;\n. a:9", [3, -1, 3, 9]),
    ("\t0\r\n", [0, 0, 3]),
  ]) func assembles(source: String, expected: [Int]) throws {
    #expect(try words(source) == expected)
  }

  @Test(arguments: [
    ("a b c", 1, 1, "no label named 'a'"),
    ("x: 1 1\nx: 2 2", 2, 1, "the label 'x' is defined twice"),
    (". (1", 1, 5, "')' is missing"),
    (". 1 +", 1, 6, "the expression ends too early"),
    (". \"abc", 1, 3, "the string does not end on its line"),
    (". '", 1, 4, "a character is missing"),
    ("\"x\"", 1, 1, "strings and blocks are data"),
    (". 99999999999999999999", 1, 3, "not a number, or one above 2^48"),
    (". 12ab", 1, 3, "not a number, or one above 2^48"),
    (". [70000]", 1, 3, "the program has more than 65536 words"),
    (". 281474976710656*281474976710656", 1, 3, "the value overflows 64 bits"),
    ("ok ok\n  ok: 1 \u{1}", 2, 9, "byte 1 does not start an expression"),
    (". '\\q'", 1, 4, "an unknown escape"),
  ]) func refuses(source: String, line: Int, column: Int, message: String) throws {
    let error = #expect(throws: SourceError.self) { try words(source) }
    #expect(error?.line == line && error?.column == column && error?.message == message)
  }

  @Test func errorsPointAtTheirPlace() {
    let error = #expect(throws: SourceError.self) { try words("count: 0 0\n  one cuont") }
    #expect(
      error?.description
        == "t.asq:2:3: error: no label named 'one'\n    one cuont\n    ^")
  }

  @Test func limitsHold() throws {
    let deep = ". " + String(repeating: "(", count: 100_000)
    #expect(throws: SourceError.self) { try words(deep) }
    #expect(throws: SourceError.self) { try words(". " + String(repeating: "-", count: 100_000) + "1") }
    #expect(throws: SourceError.self) { try words(String(repeating: "x", count: 300) + ": 1 1") }
    #expect(throws: SourceError.self) { try words(String(repeating: "1 2 3\n", count: 30_000)) }
    // A long chain is fine: it needs no recursion.
    #expect(try words(". 1" + String(repeating: "+1", count: 50_000)) == [50_001])
    #expect(throws: SourceError.self) {
      try SubleqAssembler.assemble([UInt8](repeating: 65, count: 17 << 20), file: "big")
    }
  }

  @Test func anyBytesEndInAnErrorOrAnImage() {
    var random = SplitMix64(state: 3)
    for _ in 0..<2000 {
      let alphabet = Array("ab01:;.?#\"'()+-*[] \n\\".utf8) + [0, 200, 255]
      let source = (0..<Int.random(in: 0..<60, using: &random)).map { _ in
        alphabet.randomElement(using: &random)!
      }
      _ = try? SubleqAssembler.assemble(source, file: "fuzz")
      _ = try? ImageFile.read(source, file: "fuzz")
      _ = try? SeparateProgramFile.read(source, file: "fuzz")
    }
  }

  @Test func imagesComeBackAsTheyWere() throws {
    let image = try #require(try ProgramLibrary["factorial"]?.assemble())
    #expect(try ImageFile.read(Array(ImageFile.text(image).utf8), file: "f.sq").words == image.words)
    #expect(try ImageFile.read(Array("1, 2,3\n# no\n-4\t5".utf8), file: "f.dec").words == [1, 2, 3, -4, 5])
  }

  @Test(arguments: [
    ("", 1, "the image holds no words"), ("1 2\n3 x 4", 2, "not a whole number, or one beyond 2^48"),
    ("-9223372036854775808", 1, "not a whole number, or one beyond 2^48"),
    ("1\u{0}2", 1, "not a whole number, or one beyond 2^48"),
  ]) func imagesAreRefused(text: String, line: Int, message: String) {
    let error = #expect(throws: SourceError.self) { try ImageFile.read(Array(text.utf8), file: "f.sq") }
    #expect(error?.line == line && error?.message == message)
  }

  @Test func theCSVOfThePaperIsRead() throws {
    let text = "a,b,c,mem\n0,1,1,5\n1,1,1, -7\r\n,,,9\n"
    let program = try SeparateProgramFile.read(Array(text.utf8), file: "p.csv")
    #expect(
      program
        == SeparateProgram(
          instructions: [.init(a: 0, b: 1, c: 1), .init(a: 1, b: 1, c: 1)], data: [5, -7, 9]))
    #expect(try SeparateProgramFile.read(Array(SeparateProgramFile.text(program).utf8), file: "p") == program)
    for bad in ["", "1,2", "0,0,9,1", "0,0,0,x", "0,0,0,1,2", "a,b,c,mem"] {
      #expect(throws: SourceError.self) { try SeparateProgramFile.read(Array(bad.utf8), file: "p.csv") }
    }
  }

  @Test func listingsSeparateCodeFromData() throws {
    let image = try SubleqAssembler.assemble("loop: one n (-1)\nZ Z loop\n. Z:0 one:1 n:3", file: "t")
    let text = Disassembler(image, dialect: SubleqDialect()).listing(image)
    #expect(
      text == """
        0     loop:         7 8 -1                  n -= one; ≤ 0 → halt
        3                   6 6 0                   Z = 0; → loop
        6     Z:            0
        7     one:          1
        8     n:            3

        """)
  }
}
