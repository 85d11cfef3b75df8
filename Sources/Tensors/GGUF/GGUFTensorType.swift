/// How a GGUF file holds the elements of a tensor: plain numbers, or blocks of a row that share scales.
///
/// Raw values are the file format's. Source: the GGUF specification and ggml's block layouts.
public enum GGUFTensorType: UInt32, Sendable, CaseIterable {
  case f32 = 0
  case f16 = 1
  /// 32 weights: a scale, four bits each around 8.
  case q40 = 2
  /// 32 weights: a scale and a minimum, four bits each.
  case q41 = 3
  /// 32 weights: a scale, eight bits each.
  case q80 = 8
  /// 256 weights: eight groups with scales and minima of six bits, four bits each.
  case q4K = 12
  /// 256 weights: sixteen groups with scales of eight bits, six bits each around 32.
  case q6K = 14
  case bf16 = 30

  /// Elements of a block; the elements of a row are a multiple of it.
  public var blockSize: Int {
    switch self {
    case .f32, .f16, .bf16: 1
    case .q40, .q41, .q80: 32
    case .q4K, .q6K: 256
    }
  }

  /// Bytes of a block.
  public var blockBytes: Int {
    switch self {
    case .f32: 4
    case .f16, .bf16: 2
    case .q40: 2 + 16
    case .q41: 2 + 2 + 16
    case .q80: 2 + 32
    case .q4K: 2 + 2 + 12 + 128
    case .q6K: 128 + 64 + 16 + 2
    }
  }

  /// Whether elements are plain numbers.
  public var isPlain: Bool { blockSize == 1 }

  /// Bits of an element, scales included.
  public var bitsPerElement: Double { Double(8 * blockBytes) / Double(blockSize) }

  /// The format's name, as GGUF tools print it.
  public var name: String {
    switch self {
    case .f32: "F32"
    case .f16: "F16"
    case .bf16: "BF16"
    case .q40: "Q4_0"
    case .q41: "Q4_1"
    case .q80: "Q8_0"
    case .q4K: "Q4_K"
    case .q6K: "Q6_K"
    }
  }

  /// Bytes of a row of so many elements, or `nil` if they are not whole blocks.
  public func rowBytes(_ columns: Int) -> Int? {
    guard columns % blockSize == 0 else { return nil }
    let (bytes, overflow) = (columns / blockSize).multipliedReportingOverflow(by: blockBytes)
    return overflow ? nil : bytes
  }

  /// What a type that is not read here is called elsewhere.
  static func foreignName(_ raw: UInt32) -> String {
    let names: [UInt32: String] = [
      6: "Q5_0", 7: "Q5_1", 9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 13: "Q5_K", 15: "Q8_K", 16: "IQ2_XXS",
      17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS",
      24: "I8",
      25: "I16", 26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4",
      40: "NVFP4",
    ]
    return names[raw].map { "\($0) (\(raw))" } ?? "number \(raw)"
  }
}
