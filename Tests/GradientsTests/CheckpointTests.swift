import Foundation
import Gradients
import Layers
import Tensors
import Testing

@Suite struct CheckpointTests {
  /// A folder that is gone when the test is done.
  final class Folder {
    let path = NSTemporaryDirectory() + "looped-\(UInt64.random(in: 0 ... .max))"
    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(atPath: path) }
  }

  /// A run: model, trainer and data.
  struct Run {
    let model = LoopedTrainingTests.model()
    let trainer: Trainer
    var data = LoopedTrainingTests.prompts()

    init() {
      trainer = Trainer(
        model.parameters, rate: LearningRate(peak: 3e-3, shape: .cosine, steps: 20), clipping: 1)
    }

    mutating func train(_ steps: Int) throws -> [Double] {
      try (0..<steps).map { _ in
        let (prompts, targets) = data.next()
        let loops = Curriculum(start: 2, end: 5, increment: 1, interval: 3).at(trainer.step)
        return try trainer.train { _ in
          model.loss(prompts, targets: targets, window: LoopWindow(loops: loops, window: 2))
        }.loss
      }
    }

    var values: [[Float]] { model.parameters.map(\.value.values) }
  }

  @Test func aResumedRunIsTheSameBitByBit() throws {
    let folder = try Folder()
    let path = folder.path + "/run.safetensors"
    var whole = Run()
    let losses = try whole.train(12)
    var first = Run()
    let before = try first.train(5)
    // A stream with a word left over has more than its counter to remember.
    var odd = RandomStream(seed: 9)
    _ = odd.next()
    try Checkpoint.save(
      first.trainer, streams: ["data": first.data.random, "odd": odd], notes: ["recipe": "a: 1\n\"b\""],
      to: path)
    var second = Run()
    _ = try second.train(3)  // Any other state: all of it is replaced.
    let checkpoint = try Checkpoint.resume(second.trainer, from: path)
    #expect(checkpoint.step == 5 && checkpoint.notes == ["recipe": "a: 1\n\"b\""])
    second.data.random = RandomStream(state: checkpoint.streams["data"]!)
    var oddAgain = RandomStream(state: checkpoint.streams["odd"]!)
    #expect((0..<3).map { _ in odd.next() } == (0..<3).map { _ in oddAgain.next() })
    #expect(try before + second.train(7) == losses)
    #expect(second.values == whole.values && second.trainer.step == 12)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["run.safetensors"])
  }

  @Test func aDamagedCheckpointIsRefusedByNameAndChangesNothing() throws {
    let folder = try Folder()
    let path = folder.path + "/run.safetensors"
    var run = Run()
    _ = try run.train(2)
    try Checkpoint.save(run.trainer, to: path)
    let good = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    let other = Run()
    let before = other.values
    func expectRefusal(_ bytes: [UInt8], _ what: String) throws {
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      do {
        _ = try Checkpoint.resume(other.trainer, from: path)
        Issue.record("\(what): not refused")
      } catch {
        #expect("\(error)".contains(path), "\(what)")
        #expect(error is SafetensorsError || error is CheckpointError, "\(what): \(error)")
      }
    }
    // One bit anywhere among the numbers.
    let start = 8 + Int(good[0..<8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    for place in [start, start + 1001, (start + good.count) / 2, good.count - 1] {
      var bytes = good
      bytes[place] ^= 4
      try expectRefusal(bytes, "bit in byte \(place)")
    }
    for length in [0, 7, 8, 100, start, good.count / 2, good.count - 1] {
      try expectRefusal(Array(good[..<length]), "cut at \(length)")
    }
    try expectRefusal(good + [0], "a byte more")
    try expectRefusal(Array(repeating: 255, count: 64), "noise")
    func edited(_ from: String, _ to: String) -> [UInt8] {
      let header = String(decoding: good[8..<start], as: UTF8.self).replacingOccurrences(of: from, with: to)
      return withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) } + Array(header.utf8)
        + good[start...]
    }
    try expectRefusal(edited("looped-checkpoint-1", "looped-checkpoint-9"), "another format")
    try expectRefusal(edited("\"step\":\"2\"", "\"step\":\"-2\""), "a negative step")
    try expectRefusal(edited("\"step\":\"2\"", "\"step\":\"3\""), "a step that was not made")
    try expectRefusal(edited("\"step\":\"2\"", "\"step\":\"\(Int.max)\""), "a step beyond counting")
    try expectRefusal(edited("\"adam.steps\":\"2\"", "\"adam.steps\":\"two\""), "no number")
    try expectRefusal(edited("model.readIn.weight", "model.readIn.wait"), "another name")
    try expectRefusal(edited("[16,3]", "[3,16]"), "another shape")
    #expect(other.values == before && other.trainer.step == 0)
    try Data(good).write(to: URL(fileURLWithPath: path))
    #expect(try Checkpoint.resume(other.trainer, from: path).step == 2)
    #expect(other.values == run.values)
    #expect(throws: SafetensorsError.self) {
      try Checkpoint.resume(other.trainer, from: folder.path + "/none.safetensors")
    }
  }

  @Test func stateDictsGoOutAndIn() throws {
    let folder = try Folder()
    let path = folder.path + "/model.safetensors"
    let (one, two) = (LoopedTrainingTests.model(seed: 1), LoopedTrainingTests.model(seed: 2))
    try StateDict.save(one.parameters, to: path)
    try StateDict.load(into: two.parameters, from: path)
    #expect(one.parameters.map(\.value.values) == two.parameters.map(\.value.values))
    // Of another model, or without a training run's metadata: refused.
    let wide = LoopedTrainingTests.model(injection: .scaled)
    let error = #expect(throws: CheckpointError.self) {
      try StateDict.load(into: wide.parameters, from: path)
    }
    #expect(error?.problem == .missing("injectionScale") && error?.file == path)
    #expect(throws: CheckpointError.self) {
      try Checkpoint.resume(Trainer(one.parameters, rate: .init(peak: 1)), from: path)
    }
  }

  @Test func logLinesAndResumedLogs() throws {
    let folder = try Folder()
    let path = folder.path + "/log.jsonl"
    func entry(_ step: Int) -> LogEntry {
      LogEntry(step: step, [("loss", 0.5 / Double(step)), ("rate", 1e-4)])
    }
    #expect(entry(3).line == "step=3 loss=0.166667 rate=0.0001")
    #expect(LogEntry(step: 1, [("loss", .nan)]).json == "{\"step\":1,\"loss\":null}")
    let log = try JSONLinesLog(path: path)
    for step in 1...6 { try log.write(entry(step)) }
    try log.close()
    var text = try String(contentsOfFile: path, encoding: .utf8)
    #expect(text.split(separator: "\n").count == 6)
    // Killed in the middle of a line, then resumed from the checkpoint of step 4.
    try (text + "{\"step\":7,\"lo").write(toFile: path, atomically: true, encoding: .utf8)
    let again = try JSONLinesLog(path: path, resumingAfter: 4)
    try again.write(entry(5))
    try again.close()
    text = try String(contentsOfFile: path, encoding: .utf8)
    #expect(text == (1...5).map { entry($0).json + "\n" }.joined())
    // A file that is no log is not kept, line for line.
    try Data([0xFF, 0x0A, 0x7B, 0x0A]).write(to: URL(fileURLWithPath: path))
    try JSONLinesLog(path: path, resumingAfter: 4).close()
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)).isEmpty)
    #expect(throws: (any Error).self) { try JSONLinesLog(path: folder.path + "/none/log.jsonl") }
    #expect(throws: (any Error).self) { try EventFile(folder: path + "/below-a-file") }
  }

  /// Every record's checks, computed here bit by bit; TensorBoard itself reads such a file in Conformance/.
  @Test func eventFilesHaveTheRecordsOfTensorBoard() throws {
    func crc(_ bytes: [UInt8]) -> UInt32 {
      var crc = UInt32.max
      for byte in bytes {
        for bit in 0..<8 {
          let feedback = (crc ^ UInt32(byte >> UInt8(bit))) & 1
          crc = (crc >> 1) ^ (feedback == 1 ? 0x82F6_3B78 : 0)
        }
      }
      return ~crc
    }
    #expect(crc(Array("123456789".utf8)) == 0xE306_9283)  // The check value of the catalogue of CRCs.
    let folder = try Folder()
    let file = try EventFile(folder: folder.path + "/runs")
    try file.write(LogEntry(step: 300, [("loss", 0.25), ("rate", 1e-4)]))
    try file.close()
    #expect(try EventFile(folder: folder.path + "/runs").path != file.path)
    var rest = [UInt8](try Data(contentsOf: URL(fileURLWithPath: file.path)))
    var messages: [[UInt8]] = []
    func masked(_ bytes: [UInt8]) -> [UInt8] {
      let value = crc(bytes)
      return withUnsafeBytes(of: ((value >> 15 | value << 17) &+ 0xA282_EAD8).littleEndian) { Array($0) }
    }
    while rest.count >= 12 {
      let length = Int(rest[0]) | Int(rest[1]) << 8
      #expect(Array(rest[8..<12]) == masked(Array(rest[..<8])))
      messages.append(Array(rest[12..<12 + length]))
      #expect(Array(rest[(12 + length)..<(16 + length)]) == masked(messages.last!))
      rest.removeFirst(16 + length)
    }
    #expect(messages.count == 2 && rest.isEmpty)
    #expect(String(decoding: messages[0], as: UTF8.self).hasSuffix("brain.Event:2"))
    // Field 2, varint 300; then the summary with the tag "loss".
    #expect(Array(messages[1][9..<12]) == [0x10, 0xAC, 0x02])
    #expect(String(decoding: messages[1], as: UTF8.self).contains("loss"))
  }
}
