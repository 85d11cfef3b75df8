/// The floating-point numbers a network can run in.
public enum DataType: String, CaseIterable, Codable, Sendable {
  case f16, f32, f64

  /// Significant bits, the leading one included.
  public var significantBits: Int {
    switch self {
    case .f16: 11
    case .f32: 24
    case .f64: 53
    }
  }

  /// The type that holds them; `nil` where the platform has none.
  public var scalar: (any (BinaryFloatingPoint & Sendable).Type)? {
    switch self {
    case .f16:
      #if os(macOS) && arch(x86_64)
        nil
      #else
        Float16.self
      #endif
    case .f32: Float.self
    case .f64: Double.self
    }
  }
}
