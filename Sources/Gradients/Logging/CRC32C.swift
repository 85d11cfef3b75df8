/// The Castagnoli cyclic redundancy check of 32 bits: what TensorBoard's records carry, and what tells a damaged
/// checkpoint. Source: RFC 3720, appendix B.4 (polynomial 0x1EDC6F41, reflected).
package struct CRC32C {
  private static let table: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { crc, _ in crc & 1 == 1 ? (crc >> 1) ^ 0x82F6_3B78 : crc >> 1 }
  }

  private var state = UInt32.max

  package init() {}

  package var value: UInt32 { ~state }

  package mutating func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { update($0) } }

  /// Complexity: O(bytes).
  package mutating func update(_ bytes: UnsafeRawBufferPointer) {
    Self.table.withUnsafeBufferPointer { table in
      for byte in bytes { state = table[Int(UInt8(truncatingIfNeeded: state) ^ byte)] ^ (state >> 8) }
    }
  }

  static func of(_ bytes: [UInt8]) -> UInt32 {
    var crc = CRC32C()
    crc.update(bytes)
    return crc.value
  }

  /// The form TFRecord files use, so that a check of data that hold checks stays a check.
  static func masked(_ bytes: [UInt8]) -> UInt32 {
    let crc = of(bytes)
    return (crc >> 15 | crc << 17) &+ 0xA282_EAD8
  }
}
