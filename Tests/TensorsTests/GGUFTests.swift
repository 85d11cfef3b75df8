import Foundation
import Tensors
import TestSupport
import Testing

/// A GGUF file byte by byte, so that tests can write what a writer never would.
struct RawGGUF {
  var bytes = Array("GGUF".utf8)

  init(version: UInt32 = 3, tensors: UInt64 = 0, metadata: UInt64 = 0) {
    number(version)
    number(tensors)
    number(metadata)
  }

  mutating func number<Number: FixedWidthInteger>(_ value: Number) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }
  mutating func string(_ text: String) {
    number(UInt64(text.utf8.count))
    bytes += Array(text.utf8)
  }
  mutating func tensor(_ name: String, shape: [UInt64], type: UInt32 = 0, offset: UInt64 = 0) {
    string(name)
    number(UInt32(shape.count))
    for extent in shape { number(extent) }
    number(type)
    number(offset)
  }
  mutating func data(_ count: Int, alignment: Int = 32) {
    bytes += Array(repeating: 0, count: (alignment - bytes.count % alignment) % alignment + count)
  }
}

@Suite struct GGUFTests {
  static let metadata: [(key: String, value: GGUFValue)] = [
    ("general.architecture", .string("llama")), ("a.u8", .uint8(.max)), ("a.i8", .int8(.min)),
    ("a.u16", .uint16(.max)), ("a.i16", .int16(.min)), ("a.u32", .uint32(.max)), ("a.i32", .int32(.min)),
    ("a.u64", .uint64(.max)), ("a.i64", .int64(.min)), ("a.f32", .float32(1e-6)), ("a.f64", .float64(.pi)),
    ("a.yes", .bool(true)), ("a.no", .bool(false)), ("a.text", .string("loop \u{1F501}\n")),
    ("a.empty", .string("")),
    ("a.strings", .array(GGUFArray(["Ġt", "", "é"]))),
    ("a.numbers", .array(GGUFArray([-1, 3, 1] as [Int32]))),
    ("a.floats", .array(GGUFArray([0.5, -2] as [Float]))), ("a.none", .array(GGUFArray([] as [String]))),
    ("a.nested", .array(GGUFArray(.arrays([GGUFArray([1] as [Int32]), GGUFArray(["x"])])))),
  ]
  static let tensors = [
    GGUFWriter.Tensor("w", type: .f32, shape: [2, 3]), GGUFWriter.Tensor("q", type: .q41, shape: [3, 64]),
    GGUFWriter.Tensor("empty", type: .f16, shape: [0, 7]),
    GGUFWriter.Tensor("scalar", type: .bf16, shape: []),
    GGUFWriter.Tensor("k", type: .q6K, shape: [2, 2, 256]),
  ]

  static func bytes(of tensor: GGUFWriter.Tensor) -> [UInt8] {
    (0..<tensor.byteCount).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ tensor.name.utf8.count) }
  }

  static func write(_ path: String, alignment: Int = 32) throws {
    let writer = try GGUFWriter(path: path, metadata: metadata, tensors: tensors, alignment: alignment)
    for tensor in tensors {
      // In pieces, as a converter writes.
      let bytes = bytes(of: tensor)
      try bytes.prefix(5).withUnsafeBytes { try writer.write($0) }
      try bytes.dropFirst(5).withUnsafeBytes { try writer.write($0) }
    }
    try writer.finish()
  }

  static func valid() throws -> [UInt8] {
    let folder = try TemporaryFolder()
    try write(folder.file("m.gguf"))
    return [UInt8](try #require(FileManager.default.contents(atPath: folder.file("m.gguf"))))
  }

  static func problem(_ bytes: [UInt8]) -> GGUFError.Problem? {
    do { _ = try GGUFFile(bytes: .copy(bytes)) } catch let error as GGUFError { return error.problem } catch {
    }
    return nil
  }

  @Test(arguments: [32, 64, 8, 1]) func readsWhatWasWritten(alignment: Int) throws {
    let folder = try TemporaryFolder()
    let path = folder.file("m.gguf")
    try Self.write(path, alignment: alignment)
    let file = try GGUFFile(path: path)
    #expect(file.alignment == alignment && file.version == 3)
    for (key, value) in Self.metadata { #expect(file[key: key] == value) }
    #expect(file.metadata.count == Self.metadata.count + (alignment == 32 ? 0 : 1))
    #expect(file.entries.map(\.name) == Self.tensors.map(\.name))
    for tensor in Self.tensors {
      let entry = try #require(file[tensor.name])
      #expect(entry.shape == tensor.shape && entry.type == tensor.type)
      let bytes = try file.bytes(of: tensor.name)
      #expect(Array(bytes.buffer) == Self.bytes(of: tensor))
      #expect(bytes.isMapped || alignment < 4 || bytes.count == 0)
    }
    #expect(throws: GGUFError(file: path, offset: nil, problem: .noTensor(named: "x"))) {
      try file.bytes(of: "x")
    }
    #expect(file[key: "a.u64"]?.integer == nil && file[key: "a.i64"]?.integer == .min)
    #expect(file[key: "a.numbers"]?.integers == [-1, 3, 1] && file[key: "a.f32"]?.integer == nil)
    #expect(file[key: "a.u8"]?.number == 255 && file[key: "a.strings"]?.strings == ["Ġt", "", "é"])
  }

  @Test func aWriterThatStopsLeavesNothing() throws {
    let folder = try TemporaryFolder()
    try Data("old".utf8).write(to: URL(fileURLWithPath: folder.file("m.gguf")))
    do {
      let writer = try GGUFWriter(path: folder.file("m.gguf"), metadata: [], tensors: Self.tensors)
      try [UInt8](repeating: 0, count: 24).withUnsafeBytes { try writer.write($0) }
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["m.gguf"])
    #expect(FileManager.default.contents(atPath: folder.file("m.gguf")) == Data("old".utf8))
    #expect(throws: AtomicFile.Failure.self) {
      try GGUFWriter(path: folder.file("absent/m.gguf"), metadata: [], tensors: [])
    }
  }

  @Test func refusesEveryTruncation() throws {
    let file = try Self.valid()
    for count in 0..<file.count where count < file.count - 31 {
      #expect(Self.problem(Array(file.prefix(count))) != nil, "\(count) bytes")
    }
    // What follows the last tensor is no harm.
    #expect(Self.problem(file + [1, 2, 3]) == nil)
  }

  @Test func refusesWhatIsNoGGUF() {
    #expect(Self.problem([]) == .notGGUF)
    #expect(Self.problem(Array("GGML".utf8) + Array(repeating: 0, count: 40)) == .notGGUF)
    #expect(Self.problem(RawGGUF(version: 1).bytes) == .version(1))
    #expect(Self.problem(RawGGUF(version: 3 << 24).bytes) == .bigEndian)
    #expect(Self.problem(RawGGUF(version: 2).bytes) == nil)
    #expect(throws: GGUFError.self) { try GGUFFile(path: "/absent/model.gguf") }
    #expect(throws: GGUFError.self) { try GGUFFile(path: "/") }
  }

  @Test func refusesCountsBeyondTheFile() {
    #expect(
      Self.problem(RawGGUF(tensors: .max).bytes) == .tooMany(what: "tensors", claimed: .max, possible: 0))
    #expect(
      Self.problem(RawGGUF(metadata: 1 << 40).bytes)
        == .tooMany(what: "metadata", claimed: 1 << 40, possible: 0))
    var file = RawGGUF(metadata: 1)
    file.number(UInt64.max)
    file.data(64)
    guard case .tooMany(_, .max, _) = Self.problem(file.bytes) else { return #expect(Bool(false)) }
    for kind in GGUFValue.Kind.allCases {
      var file = RawGGUF(metadata: 1)
      file.string("k")
      file.number(GGUFValue.Kind.array.rawValue)
      file.number(kind.rawValue)
      file.number(UInt64(1) << 60)
      file.data(64)
      guard case .tooMany("elements of k", 1 << 60, _) = Self.problem(file.bytes) else {
        Issue.record("\(kind)")
        continue
      }
    }
  }

  @Test func refusesDeepNesting() {
    func nested(_ depth: Int) -> [UInt8] {
      // Each array but the innermost holds one array.
      var bytes = RawGGUF(metadata: 1)
      bytes.string("k")
      bytes.number(GGUFValue.Kind.array.rawValue)
      for level in 0..<depth {
        bytes.number(level == depth - 1 ? GGUFValue.Kind.uint8.rawValue : GGUFValue.Kind.array.rawValue)
        bytes.number(UInt64(1))
      }
      bytes.number(UInt8(7))
      return bytes.bytes
    }
    #expect(Self.problem(nested(GGUFFile.deepestArray)) == nil)
    #expect(Self.problem(nested(GGUFFile.deepestArray + 1)) == .nestedTooDeep(key: "k"))
    #expect(Self.problem(nested(100_000)) == .nestedTooDeep(key: "k"))
  }

  @Test func refusesBadValues() {
    func value(_ type: UInt32, _ bytes: [UInt8], key: String = "k") -> GGUFError.Problem? {
      var file = RawGGUF(metadata: 1)
      file.string(key)
      file.number(type)
      file.bytes += bytes
      return Self.problem(file.bytes)
    }
    #expect(value(13, [0, 0, 0, 0]) == .unknownValueType(key: "k", type: 13))
    #expect(value(7, [2]) == .invalidBool(key: "k", value: 2))
    #expect(value(8, [1, 0, 0, 0, 0, 0, 0, 0, 0xff]) == .invalidText(what: "the value of k"))
    #expect(value(4, [0, 0, 0]) == .truncated(what: "k"))
    #expect(value(4, [3, 0, 0, 0], key: "general.alignment") == .alignment("3"))
    #expect(value(4, [0, 0, 0, 0], key: "general.alignment") == .alignment("0"))
    #expect(value(4, [0, 0, 0, 0x80], key: "general.alignment") == .alignment("2147483648"))
    #expect(value(7, [1], key: "general.alignment") == .alignment("no number"))
    var twice = RawGGUF(metadata: 2)
    for _ in 0..<2 {
      twice.string("k")
      twice.number(UInt32(0))
      twice.number(UInt8(1))
    }
    #expect(Self.problem(twice.bytes) == .duplicateKey("k"))
  }

  @Test func refusesBadTensors() {
    func tensors(_ count: UInt64 = 1, data: Int = 64, _ write: (inout RawGGUF) -> Void) -> GGUFError.Problem?
    {
      var file = RawGGUF(tensors: count)
      write(&file)
      file.data(data)
      return Self.problem(file.bytes)
    }
    #expect(tensors { $0.tensor("a", shape: [4, 4]) } == nil)
    #expect(tensors { $0.tensor("a", shape: [4, 5]) } == .outOfRange(tensor: "a", end: 80, dataBytes: 64))
    #expect(
      tensors { $0.tensor("a", shape: [4], offset: 8) } == .misaligned(tensor: "a", offset: 8, alignment: 32))
    #expect(
      tensors { $0.tensor("a", shape: [4], offset: .max - 31) }
        == .outOfRange(tensor: "a", end: .max - 15, dataBytes: 64))
    #expect(
      tensors { $0.tensor("a", shape: [40], offset: .max - 31) }
        == .outOfRange(tensor: "a", end: .max, dataBytes: 64))
    #expect(tensors { $0.tensor("a", shape: [1 << 32, 1 << 32]) } == .shapeTooLarge(tensor: "a"))
    #expect(tensors { $0.tensor("a", shape: [.max]) } == .shapeTooLarge(tensor: "a"))
    #expect(tensors { $0.tensor("a", shape: [1, 1, 1, 1, 1]) } == .rank(tensor: "a", dimensions: 5))
    #expect(
      tensors { $0.tensor("a", shape: [48], type: 2) }
        == .partialBlock(tensor: "a", columns: 48, blockSize: 32))
    #expect(
      tensors { $0.tensor("a", shape: [], type: 12) }
        == .partialBlock(tensor: "a", columns: 1, blockSize: 256))
    #expect(
      tensors { $0.tensor("a", shape: [256], type: 13) } == .unknownTensorType(tensor: "a", type: "Q5_K (13)")
    )
    #expect(
      tensors { $0.tensor("a", shape: [256], type: 99) } == .unknownTensorType(tensor: "a", type: "number 99")
    )
    #expect(
      tensors(2) {
        $0.tensor("a", shape: [4])
        $0.tensor("a", shape: [4], offset: 32)
      } == .duplicateTensor("a"))
    #expect(
      tensors(2) {
        $0.tensor("a", shape: [4], offset: 32)
        $0.tensor("b", shape: [12])
      } == .overlap(tensor: "a", with: "b"))
  }

  @Test func errorsNameFilePlaceAndRemedy() {
    var file = RawGGUF(tensors: 1)
    file.tensor("a", shape: [256], type: 13)
    file.data(64)
    do { _ = try GGUFFile(bytes: .copy(file.bytes), file: "m.gguf") } catch {
      #expect(
        "\(error)" == """
          m.gguf: error: byte 45: tensor a has elements of type Q5_K (13); known are F32 F16 Q4_0 Q4_1 Q8_0 Q4_K Q6_K BF16
          hint: quantise the original model to one of the known types
          """)
      return
    }
    Issue.record("accepted")
  }

  @Test func survivesRandomBytes() throws {
    let valid = try Self.valid()
    try Fuzzing.mutate(valid, keep: 4, cases: 20_000) { bytes in
      guard let file = try? GGUFFile(bytes: .copy(bytes)) else { return }
      for entry in file.entries {
        let count = try file.bytes(of: entry.name).count
        #expect(count == entry.range.count)
      }
    }
  }
}
