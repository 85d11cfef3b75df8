import Foundation
import Tensors
import Testing

@Suite struct WriterTests {
  /// The examples of Protocol Buffers Encoding, and a negative number.
  @Test func protobufFields() {
    var writer = ProtobufWriter()
    writer.integer(1, 150)
    writer.data(2, "testing".utf8)
    writer.message(3) { $0.integer(1, 150) }
    #expect(
      writer.bytes == [0x08, 0x96, 0x01, 0x12, 0x07] + Array("testing".utf8) + [0x1a, 0x03, 0x08, 0x96, 0x01])
    writer = ProtobufWriter()
    writer.integer(1, -2)
    #expect(writer.bytes == [0x08, 0xfe] + Array(repeating: 0xff, count: 8) + [0x01])
    writer = ProtobufWriter()
    writer.float(20, 1)
    writer.double(1, 1)
    #expect(writer.bytes == [0xa5, 0x01, 0, 0, 0x80, 0x3f, 0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f])
  }

  @Test func checksumOfTheStandardText() {
    var checksum = CRC32()
    checksum.update(Array("12345".utf8))
    checksum.update(Array("6789".utf8))
    #expect(checksum.value == 0xcbf4_3926)
  }

  @Test func archiveHoldsTheArraysWhereItsDirectorySays() throws {
    let tensors = [
      StoredTensor("a", shape: [2, 3], [1, 2, 3, 4, 5, 6] as [Float]),
      StoredTensor("b", shape: [3], [7, 8, 9] as [UInt8]), StoredTensor("c", shape: [], [1] as [Int64]),
    ]
    let file = Array(try NumpyArchive.parts(tensors).joined())
    func number(_ offset: Int, _ count: Int) -> Int {
      (0..<count).reduce(0) { $0 | Int(file[offset + $1]) << (8 * $1) }
    }
    let end = file.count - 22
    #expect(number(end, 4) == 0x0605_4b50 && number(end + 10, 2) == 3)
    var entry = number(end + 16, 4)
    #expect(entry + number(end + 12, 4) == end)
    for (tensor, shape) in zip(tensors, ["(2, 3)", "(3,)", "()"]) {
      #expect(number(entry, 4) == 0x0201_4b50)
      let (size, local) = (number(entry + 24, 4), number(entry + 42, 4))
      #expect(number(local, 4) == 0x0403_4b50)
      let start = local + 30 + number(local + 26, 2)
      let array = Array(file[start..<(start + size)])
      var checksum = CRC32()
      checksum.update(array)
      #expect(Int(checksum.value) == number(entry + 16, 4) && Int(checksum.value) == number(local + 14, 4))
      #expect(Array(array.suffix(tensor.bytes.count)) == tensor.bytes)
      let header = array.dropLast(tensor.bytes.count)
      #expect(header.count % 64 == 0 && header.last == 10)
      #expect(String(decoding: header.dropFirst(10), as: UTF8.self).contains("'shape': \(shape), }"))
      entry += 46 + number(entry + 28, 2)
    }
    #expect(entry == end)
  }

  @Test func archiveRefusesTypesNumpyLacks() {
    let tensor = StoredTensor("w", type: .bfloat16, shape: [1], bytes: [0, 0])
    #expect(throws: NumpyArchive.Failure.noNumpyType(tensor: "w", type: .bfloat16)) {
      try NumpyArchive.parts([tensor])
    }
  }

  @Test func filesAreReplacedWholeOrNotAtAll() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("x")
    try AtomicFile.write([[1], [2, 3]], to: path)
    try AtomicFile.write([[4], [], [5]], to: path)
    #expect(FileManager.default.contents(atPath: path) == Data([4, 5]))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["x"])
    // A folder of that name cannot be replaced, and nothing is left behind.
    try FileManager.default.createDirectory(atPath: folder.file("y"), withIntermediateDirectories: false)
    #expect(throws: AtomicFile.Failure.self) { try AtomicFile.write([[1]], to: folder.file("y")) }
    #expect(throws: AtomicFile.Failure.self) { try AtomicFile.write([[1]], to: folder.file("absent/z")) }
    #expect(Set(try FileManager.default.contentsOfDirectory(atPath: folder.path)) == ["x", "y"])
  }

  @Test func constantsOfAGraphAreStoredOnce() {
    var graph = OnnxGraph("g")
    for _ in 0..<2 { graph.constant(StoredTensor("one", shape: [], [1] as [Float])) }
    #expect(graph.constants.map(\.name) == ["one"])
  }
}
