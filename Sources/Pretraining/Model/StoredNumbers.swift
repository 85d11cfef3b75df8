import Tensors

/// Numbers of files as f32, and f32 as numbers of files.
enum StoredNumbers {
  /// The type of the weights that are written.
  enum Precision: String, CaseIterable, Sendable {
    case float32 = "f32"
    case bfloat16 = "bf16"

    var type: ElementType { self == .float32 ? .float32 : .bfloat16 }
    /// The word in a configuration file.
    var word: String { self == .float32 ? "float32" : "bfloat16" }
  }

  /// To the nearest, ties to even; NaN stays NaN.
  static func bfloat16(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    if value.isNaN { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
    return UInt16(truncatingIfNeeded: (bits + 0x7FFF + (bits >> 16 & 1)) >> 16)
  }

  static func bytes(_ values: UnsafeBufferPointer<Float>, as precision: Precision) -> [UInt8] {
    switch precision {
    case .float32: Array(UnsafeRawBufferPointer(values))
    case .bfloat16: values.map { bfloat16($0).littleEndian }.withUnsafeBytes { Array($0) }
    }
  }

  /// The elements as f32, or `nil` for a type that holds no weights.
  static func floats(_ tensor: StoredTensor) -> [Float]? {
    tensor.bytes.withUnsafeBytes { bytes in
      switch tensor.type {
      case .float32:
        (0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
      case .bfloat16:
        (0..<bytes.count / 2).map {
          Float(bitPattern: UInt32(bytes.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self)) << 16)
        }
      case .float16:
        #if arch(arm64) || os(Linux)
          (0..<bytes.count / 2).map { Float(bytes.loadUnaligned(fromByteOffset: 2 * $0, as: Float16.self)) }
        #else
          nil
        #endif
      default: nil
      }
    }
  }
}
