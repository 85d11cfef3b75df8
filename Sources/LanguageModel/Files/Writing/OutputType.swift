import Tensors

/// What the matrices of a written model are stored in. Raw values are the names that llama.cpp's tools use.
public enum OutputType: String, Sendable, CaseIterable {
  case f32, f16, bf16
  case q80 = "q8_0"
  case q40 = "q4_0"
  case q41 = "q4_1"
  case q4K = "q4_k"
  case q6K = "q6_k"

  /// The type of a name in any case; `q4_k_s` is `q4_k`.
  public init?(name: String) {
    let name = name.lowercased()
    self.init(rawValue: name == "q4_k_s" ? "q4_k" : name)
  }

  /// Whether weights share scales.
  public var isQuantised: Bool { !tensorType.isPlain }

  var tensorType: GGUFTensorType {
    switch self {
    case .f32: .f32
    case .f16: .f16
    case .bf16: .bf16
    case .q80: .q80
    case .q40: .q40
    case .q41: .q41
    case .q4K: .q4K
    case .q6K: .q6K
    }
  }

  /// `general.file_type` of a GGUF file.
  var fileType: UInt32 {
    switch self {
    case .f32: 0
    case .f16: 1
    case .q40: 2
    case .q41: 3
    case .q80: 7
    case .q4K: 14
    case .q6K: 18
    case .bf16: 32
    }
  }

  /// What an array of a model is stored in.
  ///
  /// Norms and the gate stay f32: they are small, and everything depends on them. With four bits, the readout (or the
  /// embedding that serves as one) gets six, as llama.cpp does, unless `pure`. Rows that are no whole blocks get the
  /// next finer type that has smaller ones.
  func type(of weight: ModelWeight, in configuration: ModelConfiguration, pure: Bool) -> GGUFTensorType {
    guard weight.part.isMatrix else { return .f32 }
    let columns = weight.shape(in: configuration).columns
    let isReadout = weight.part == .readout || (weight.part == .embedding && configuration.tiesEmbeddings)
    var type = tensorType
    if isReadout, !pure, type.bitsPerElement < 6 { type = .q6K }
    if type.rowBytes(columns) == nil { type = .q80 }
    if type.rowBytes(columns) == nil { type = .f16 }
    return type
  }
}

/// What was written.
public struct WrittenModel: Sendable {
  public internal(set) var files: [String] = []
  public internal(set) var byteCount = 0
  /// Matrices in another type than asked for, because their rows are no whole blocks, or because they are the readout.
  public internal(set) var exceptions: [(name: String, type: String)] = []
  public internal(set) var bitsPerWeight = 0.0
}
