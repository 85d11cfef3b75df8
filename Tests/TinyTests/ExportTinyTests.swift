import Foundation
import Testing

@Suite struct ExportTinyTests {
  @Test(arguments: [("safetensors", 2), ("npz", 3), ("onnx", 2)]) func writesAProgram(
    format: String, files: Int
  ) throws {
    let folder = try TemporaryFolder()
    let path = folder.path("hello.\(format)")
    let outcome = try LoopedBinary.run(["export", "hello", "--to", path])
    #expect(outcome.status == 0 && outcome.errors.isEmpty)
    #expect(outcome.output.contains("3 layers"))
    let written = try FileManager.default.contentsOfDirectory(atPath: folder.url.path)
    #expect(written.count == files && written.contains("hello.json"))
  }

  @Test func refusesWithARemedy() throws {
    let folder = try TemporaryFolder()
    let wide = try LoopedBinary.run(
      ["export", "hello", "--to", folder.path("x.npz"), "--bits", "24", "--data-type", "f32"])
    #expect(wide.status == 1 && wide.errors.contains("hint: --data-type f64"))
    let nowhere = try LoopedBinary.run(["export", "hello", "--to", folder.path("absent/x.npz")])
    #expect(nowhere.status == 1 && nowhere.errors.hasPrefix("error: cannot write"))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).isEmpty)
  }
}
