import GraphAlgorithms
import Testing

@Suite struct GzipTests {
  /// `printf '0 1 3\n' | gzip -n9`
  private static let packed: [UInt8] =
    [
      0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0x33, 0x50, 0x30, 0x54, 0x30, 0xe6, 0x02,
      0x00,
    ] + trailer
  private static let trailer: [UInt8] = [0x00, 0xdc, 0x1d, 0x10, 0x06, 0x00, 0x00, 0x00]

  @Test func packedFiles() throws {
    let graph = Graph(nodeCount: 2, edges: [.init(0, 1, weight: 3)])
    #expect(try Graph.read(Self.packed, file: "g", format: .edgeList).graph == graph)
    // Several members, as `cat` makes them, and zeros behind.
    let twice = Self.packed + Self.packed
    #expect(try Gzip.unpack(twice, largest: 100) == Array("0 1 3\n0 1 3\n".utf8))
    #expect(try Gzip.unpack(twice + [0, 0, 0], largest: 100).count == 12)
  }

  @Test func damagedFiles() {
    for count in 2..<Self.packed.count {
      #expect(throws: GzipError.self) { try Gzip.unpack(Array(Self.packed[..<count]), largest: 100) }
    }
    var wrongSum = Self.packed
    wrongSum[wrongSum.count - 8] ^= 1
    #expect(throws: GzipError.self) { try Gzip.unpack(wrongSum, largest: 100) }
    #expect(throws: GzipError.self) { try Gzip.unpack(Self.packed + [1, 2, 3], largest: 100) }
    #expect(throws: GzipError.self) { try Gzip.unpack(Self.packed, largest: 5) }
    var generator = SeededGenerator(seed: 3)
    for _ in 0..<20_000 {
      var bytes = Self.packed
      bytes[Int.random(in: 0..<bytes.count, using: &generator)] = .random(in: 0...255, using: &generator)
      _ = try? Gzip.unpack(bytes, largest: 1000)
    }
  }

  /// Ten mebibytes of zeros in ten kibibytes: stopped at the limit.
  @Test func bombs() {
    let bomb: [UInt8] =
      [
        0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xec, 0xc1, 0x01, 0x01, 0x00, 0x00, 0x00,
        0x80, 0x90, 0xfe, 0xaf, 0xee, 0x08, 0x0a,
      ] + [UInt8](repeating: 0, count: 10187) + [0x9f, 0x00, 0xcc, 0x2a, 0xca, 0x9e, 0x00, 0x00, 0xa0, 0x00]
    let error = #expect(throws: GzipError.self) { try Gzip.unpack(bomb, largest: 1 << 20) }
    #expect(error?.message.contains("more than 1 MiB") ?? false)
  }
}
