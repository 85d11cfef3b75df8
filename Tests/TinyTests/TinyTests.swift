import Foundation
import Testing

/// The whole outside behaviour once, in ten seconds: `swift test --filter Tiny`.
@Suite struct TinyTests {
  @Test func aProgramRunsOnTheNetwork() throws {
    let result = try LoopedBinary.run(["run", "hello", "-v"])
    #expect(result.output == "Hello, world!\n" && result.status == 0)
    #expect(result.errors.contains("halted after 55 instructions"))
  }

  @Test func theSameProgramRunsByTheMeansOfGraphNetworks() throws {
    let result = try LoopedBinary.run(["run", "calculator", "--network", "graph"], input: "7*6\n")
    #expect(result.output == "42\n" && result.status == 0)
    #expect(try LoopedBinary.run(["run", "hello", "--network", "paper"]).status == 1)
  }

  @Test func programsReadTheirInput() throws {
    #expect(try LoopedBinary.run(["run", "calculator"], input: "12*12\n").output == "144\n")
  }

  @Test func assembleThenRun() throws {
    let folder = try TemporaryFolder()
    let source = try folder.write("loop: text (-1)\n Z Z (-1)\n. Z: 0 text: 'x'\n", to: "x.asq")
    #expect(try LoopedBinary.run(["asm", source, "-o", folder.path("x.sq")]).status == 0)
    let result = try LoopedBinary.run(["run", folder.path("x.sq"), "--executor", "dense"])
    #expect(result.output == "x" && result.status == 0)
  }

  @Test func mistakesAreShownWhereTheyAre() throws {
    let folder = try TemporaryFolder()
    let source = try folder.write("count: 0 0\n  one coutn\n. one: 1\n", to: "bad.asq")
    let result = try LoopedBinary.run(["run", source])
    #expect(result.status == 1 && result.output.isEmpty)
    #expect(
      result.errors == "\(source):2:7: error: no label named 'coutn'\n    one coutn\n        ^\n"
        + "hint: did you mean 'count'?\n")
  }

  @Test func tracesAreForPeopleAndMachines() throws {
    let folder = try TemporaryFolder()
    let trace = folder.path("trace.jsonl")
    let shown = try LoopedBinary.run(["run", "multiply", "--trace", "--trace-to", trace, "--limit", "3"])
    #expect(shown.status == 3 && shown.output.split(separator: "\n").count == 3)
    let lines = try String(contentsOfFile: trace, encoding: .utf8).split(separator: "\n")
    #expect(lines.count == 5)
    for line in lines {
      _ = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }
  }

  @Test func machinesGetJSON() throws {
    let result = try LoopedBinary.run(["run", "factorial", "--json"])
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
    #expect(object["output"] as? String == "5040\n" && object["end"] as? String == "halted")
  }

  @Test func garbageOfAnySizeIsRefusedInBoundedMemory() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("garbage.asq")
    #expect(FileManager.default.createFile(atPath: path, contents: nil))
    let file = try #require(FileHandle(forWritingAtPath: path))
    try file.truncate(atOffset: 100 << 20)  // A hole of zeros takes no disk.
    try file.close()
    let result = try LoopedBinary.run(["asm", path])
    #expect(result.status == 1 && result.errors.contains("has more than 16 MiB"))
  }

  @Test(arguments: ["paper", "compact"]) func thePapersProgramsRunOnBothNetworks(network: String) throws {
    let folder = try TemporaryFolder()
    let program = try folder.write("a,b,c,mem\n2,3,1,0\n0,1,1,-1\n,,,5\n,,,3\n", to: "x.csv")
    let result = try LoopedBinary.run([
      "run", program, "--network", network, "--data-type", "f16", "--bits", "8",
    ])
    #expect(result.output == "data: 0 -1 5 -2\n" && result.status == 0)
    let wide = try LoopedBinary.run([
      "run", program, "--network", network, "--data-type", "f32", "--bits", "23",
    ])
    #expect(wide.status == 1 && wide.errors.contains("in f32, not 23"))
  }

  @Test func precisionIsMeasuredAndPlotted() throws {
    let folder = try TemporaryFolder()
    let result = try LoopedBinary.run(
      [
        "precision", "--fleq", "--graph", "--quick", "--json", "--svg", folder.path("x.svg"), "--html",
        folder.path("x.html"),
      ])
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
    #expect((object["fleq"] as? [[String: Any]])?.isEmpty == false && object["subleq"] == nil)
    #expect((object["graph"] as? [[String: Any]])?.isEmpty == false)
    for name in ["x.svg", "x.html"] {
      #expect(try String(contentsOfFile: folder.path(name), encoding: .utf8).contains("f64, bound"))
    }
  }

  @Test func theDoctorKnowsTheMachine() throws {
    let result = try LoopedBinary.run(["doctor"])
    #expect(result.status == 0 && result.output.contains("cores"))
    let object = try #require(
      try JSONSerialization.jsonObject(
        with: Data(LoopedBinary.run(["doctor", "--json"]).output.utf8)) as? [String: Any])
    let (used, available) = (object["kernels"] as? String, object["availableKernels"] as? [String])
    #expect(used.map { available?.contains($0) ?? false } == true && available?.first == "scalar")
    #expect((object["memoryGBPerSecond"] as? Double ?? 0) > 0)
  }

  /// Every verb shows how it is used.
  @Test func helpAnswersByExample() throws {
    let help = try LoopedBinary.run(["--help"]).output
    #expect(help.contains("looped run primes --trace"))
    let verbs = help.split(separator: "\n").filter { $0.hasPrefix("  ") && !$0.hasPrefix("   ") }
      .compactMap { $0.split(separator: " ").first.map(String.init) }
      .filter { !$0.hasPrefix("-") && $0 != "looped" }
    #expect(verbs.count > 20)
    // `serve` answers with the server's own help, where that is built.
    for verb in Set(verbs).subtracting(["serve", "See"]) {
      let lines = try LoopedBinary.run([verb, "--help"]).output.split(separator: "\n")
      #expect(lines.contains { $0.hasPrefix("  ") && $0.contains("looped \(verb)") }, "\(verb)")
    }
  }
}
