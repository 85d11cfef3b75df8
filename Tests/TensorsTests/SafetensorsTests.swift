import Foundation
import Tensors
import TestSupport
import Testing

/// A folder of its own for one test.
struct TemporaryFolder: ~Copyable {
  let path = NSTemporaryDirectory() + "looped-\(UInt64.random(in: 0 ... .max))"
  init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
  deinit { try? FileManager.default.removeItem(atPath: path) }
  func file(_ name: String) -> String { path + "/" + name }
}

@Suite struct SafetensorsTests {
  static let tensors = [
    StoredTensor("bytes", shape: [3], [1, 2, 3] as [UInt8]),
    StoredTensor(
      "layers.0.w \"1\"\n\u{1F501}", shape: [2, 3],
      [0, -1, 2.5, .infinity, .leastNonzeroMagnitude, 6] as [Float]),
    StoredTensor("scalar", shape: [], [.pi] as [Double]),
    StoredTensor("empty", shape: [0, 7], [] as [Int32]),
    StoredTensor("numbers", shape: [2], [.min, .max] as [Int64]),
  ]
  static let metadata = ["program": "a \\ b", "é": "ü"]

  static var file: [UInt8] {
    Array(SafetensorsFile.parts(tensors, metadata: metadata).joined())
  }

  /// A file of this header and so many bytes of data.
  static func file(_ header: String, data: Int = 0) -> [UInt8] {
    let header = Array(header.utf8)
    return (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) } + header
      + Array(repeating: 0, count: data)
  }

  static func problem(_ bytes: [UInt8]) -> SafetensorsError.Problem? {
    do { _ = try SafetensorsFile(bytes: bytes) } catch let error as SafetensorsError {
      return error.problem
    } catch {}
    return nil
  }

  @Test func readsWhatWasWritten() throws {
    let file = try SafetensorsFile(bytes: Self.file)
    #expect(file.metadata == Self.metadata)
    #expect(Set(file.entries.map(\.name)) == Set(Self.tensors.map(\.name)))
    for tensor in Self.tensors {
      #expect(try file.tensor(tensor.name) == tensor)
      let range = try #require(file[tensor.name]).range
      #expect(range.lowerBound % tensor.type.size == 0)
    }
    #expect(try file.tensor("numbers").values() == [Int64.min, .max])
    #expect(try file.tensor("numbers").values(as: Double.self) == nil)
    #expect(throws: SafetensorsError(file: "bytes", problem: .noTensor(named: "x"))) {
      try file.tensor("x")
    }
  }

  @Test func readsFilesAndNoticesThatTheyShrank() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("model.safetensors")
    try AtomicFile.write(SafetensorsFile.parts(Self.tensors), to: path)
    let file = try SafetensorsFile(path: path)
    #expect(try file.tensor("scalar") == Self.tensors[2])
    try Data(Self.file.prefix(20)).write(to: URL(fileURLWithPath: path))
    #expect(throws: SafetensorsError(file: path, problem: .readFailed(tensor: "scalar"))) {
      try file.tensor("scalar")
    }
    for path in [folder.file("absent"), folder.path] {
      #expect(throws: SafetensorsError.self) { try SafetensorsFile(path: path) }
    }
  }

  @Test func refusesEveryTruncation() {
    let file = Self.file
    for count in 0..<file.count { #expect(Self.problem(Array(file.prefix(count))) != nil, "\(count) bytes") }
    let data = SafetensorsTests.tensors.reduce(0) { $0 + $1.bytes.count }
    #expect(Self.problem(file + [0]) == .hole(start: data, end: data + 1))
  }

  static let contradictions: [(header: String, data: Int, problem: SafetensorsError.Problem)] = [
    (
      #"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,3]}}"#, 3,
      .wrongByteCount(tensor: "a", needed: 2, given: 3)
    ),
    (
      #"{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}"#, 3,
      .outOfRange(tensor: "a", end: 4, dataBytes: 3)
    ),
    (#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}"#, 3, .hole(start: 0, end: 1)),
    (
      #"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}"#,
      3, .overlap(tensor: "b", with: "a")
    ),
    (
      #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}"#,
      3, .hole(start: 1, end: 2)
    ),
    (
      #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#,
      2, .duplicateKey("a")
    ),
    (#"{"__metadata__":{},"__metadata__":{}}"#, 0, .duplicateKey("__metadata__")),
    (#"{"__metadata__":{"x":"1","x":"2"}}"#, 0, .duplicateKey("x")),
    (#"{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, 1, .duplicateKey("a.dtype")),
    (#"{"a":{"dtype":"F12","shape":[1],"data_offsets":[0,1]}}"#, 1, .unknownType(tensor: "a", type: "F12")),
    (
      #"{"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#, 0,
      .shapeTooLarge(tensor: "a")
    ),
    (
      #"{"a":{"dtype":"U8","shape":[9223372036854775807],"data_offsets":[0,9223372036854775807]}}"#, 0,
      .outOfRange(tensor: "a", end: .max, dataBytes: 0)
    ),
    ("{}", 1, .hole(start: 0, end: 1)),
  ]

  @Test(arguments: contradictions.indices) func refusesContradictions(index: Int) {
    let (header, data, problem) = Self.contradictions[index]
    #expect(Self.problem(Self.file(header, data: data)) == problem)
  }

  /// Tests take the indices: a test's name has its arguments, and some of these are long.
  static let malformedHeaders = [
    "", " {}", "[]", "{", "{}}", "{} x", #"{"a"}"#, #"{"a":1}"#, #"{"a":{}}"#, #"{"a":[]}"#, #"{"a":{},}"#,
    #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}"#,
    #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,1]}}"#,
    #"{"a":{"dtype":"U8","shape":[01],"data_offsets":[0,1]}}"#,
    #"{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}"#,
    #"{"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}"#,
    #"{"a":{"dtype":"U8","shape":[1e0],"data_offsets":[0,1]}}"#,
    #"{"a":{"dtype":"U8","shape":[99999999999999999999],"data_offsets":[0,1]}}"#,
    #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"more":[]}}"#,
    #"{"a":{"dtype":null,"shape":[1],"data_offsets":[0,1]}}"#,
    #"{"__metadata__":{"a":1}}"#, #"{"\ud800":{}}"#, #"{"\ud800\u0041":{}}"#, #"{"\x":{}}"#,
    #"{"\u00g0":{}}"#,
    "{\"a\nb\":{}}", "{\"__metadata__\":{\"a\":\"b", "{\"__metadata__\":{\"a\":\"\\",
    "{\"a\":{\"shape\":" + String(repeating: "[", count: 100_000),
    String(repeating: "{\"a\":", count: 100_000),
    "{\"a\":{\"shape\":[" + String(repeating: "0,", count: 100_000) + "0]}}",
  ]

  @Test(arguments: malformedHeaders.indices) func refusesMalformedHeaders(index: Int) {
    let header = Self.malformedHeaders[index]
    guard case .malformedHeader = Self.problem(Self.file(header, data: 1)) else {
      Issue.record("accepted or misjudged: \(header.prefix(80))")
      return
    }
  }

  @Test func refusesInvalidUTF8() {
    let bytes = Self.file("{\"__metadata__\":{\"a\":\"\u{1}\u{1}\"}}").map { $0 == 1 ? 0xff : $0 }
    guard case .malformedHeader = Self.problem(bytes) else { return #expect(Bool(false)) }
  }

  @Test func refusesHugeHeadersWithoutReadingThem() {
    for length: UInt64 in [1, 100_000_001, 1 << 63, .max] {
      let bytes = (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) }
      #expect(Self.problem(bytes) == .headerTooLong(length: length, available: 0))
    }
  }

  /// Random bytes, and damaged files: an error, or a file that agrees with its size.
  @Test func survivesRandomBytes() throws {
    func check(_ bytes: [UInt8]) throws {
      guard let file = try? SafetensorsFile(bytes: bytes) else { return }
      for entry in file.entries { #expect(try file.tensor(entry.name).bytes.count == entry.range.count) }
    }
    var random = SystemRandomNumberGenerator()
    for _ in 0..<10_000 {
      try check(
        (0..<Int.random(in: 0..<64, using: &random)).map { _ in .random(in: 0...255, using: &random) })
    }
    try Fuzzing.mutate(Self.file, keep: 8, cases: 10_000, check)
  }

  @Test func mapsTensorsWhereTheyLie() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("model.safetensors")
    try AtomicFile.write(SafetensorsFile.parts(Self.tensors, metadata: Self.metadata), to: path)
    let file = try SafetensorsFile(mapping: path)
    for tensor in Self.tensors {
      let bytes = try file.bytes(of: tensor.name)
      #expect(Array(bytes.buffer) == tensor.bytes && bytes.isMapped)
      #expect(try file.tensor(tensor.name) == tensor)
      // Given back and read again.
      bytes.releasePages()
      #expect(Array(bytes.buffer) == tensor.bytes)
    }
    #expect(throws: SafetensorsError(file: path, problem: .noTensor(named: "x"))) { try file.bytes(of: "x") }
    for path in [folder.file("absent"), folder.path] {
      #expect(throws: SafetensorsError(file: path, problem: .cannotOpen)) {
        try SafetensorsFile(mapping: path)
      }
    }
    #expect(try SafetensorsFile(bytes: Self.file).bytes(of: "numbers").count == 16)
  }

  @Test func refusesMappedFilesThatAreTooShort() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("model.safetensors")
    for count in [0, 7, 8, 100, Self.file.count - 1] {
      try Data(Self.file.prefix(count)).write(to: URL(fileURLWithPath: path))
      #expect(throws: SafetensorsError.self, "\(count) bytes") { try SafetensorsFile(mapping: path) }
    }
  }

  /// A header whose length is odd leaves every tensor beside its alignment: such bytes are copied.
  @Test func copiesTensorsThatAreNotAligned() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("model.safetensors")
    var header = #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#
    while (8 + header.utf8.count) % 4 != 1 { header += " " }
    var bytes = Self.file(header)
    let values: [Float] = [1.5, -2]
    values.withUnsafeBytes { bytes += Array($0) }
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    let tensor = try SafetensorsFile(mapping: path).bytes(of: "a")
    #expect(!tensor.isMapped && UInt(bitPattern: tensor.buffer.baseAddress!) % 4 == 0)
    #expect(Array(tensor.buffer.bindMemory(to: Float.self)) == values)
  }

  @Test func errorsSayWhatIsWrong() {
    let error = SafetensorsError(
      file: "m.safetensors", problem: .wrongByteCount(tensor: "w", needed: 8, given: 4))
    #expect(
      "\(error)"
        == "m.safetensors: error: tensor w needs 8 bytes for its shape and type, but its offsets span 4")
  }
}
