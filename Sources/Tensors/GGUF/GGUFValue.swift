/// A value of a GGUF file's metadata, of exactly the type that the file gives it.
public enum GGUFValue: Equatable, Sendable {
  case uint8(UInt8)
  case int8(Int8)
  case uint16(UInt16)
  case int16(Int16)
  case uint32(UInt32)
  case int32(Int32)
  case float32(Float)
  case bool(Bool)
  case string(String)
  case array(GGUFArray)
  case uint64(UInt64)
  case int64(Int64)
  case float64(Double)

  /// The types of values. Raw values are the file format's.
  public enum Kind: UInt32, Sendable, CaseIterable {
    case uint8, int8, uint16, int16, uint32, int32, float32, bool, string, array, uint64, int64, float64

    /// Bytes of a value, or `nil` if values differ in length.
    public var size: Int? {
      switch self {
      case .uint8, .int8, .bool: 1
      case .uint16, .int16: 2
      case .uint32, .int32, .float32: 4
      case .uint64, .int64, .float64: 8
      case .string, .array: nil
      }
    }

    /// The fewest bytes that a value takes: what a claimed count is checked against.
    var leastSize: Int { size ?? (self == .string ? 8 : 12) }
  }

  public var kind: Kind {
    switch self {
    case .uint8: .uint8
    case .int8: .int8
    case .uint16: .uint16
    case .int16: .int16
    case .uint32: .uint32
    case .int32: .int32
    case .float32: .float32
    case .bool: .bool
    case .string: .string
    case .array: .array
    case .uint64: .uint64
    case .int64: .int64
    case .float64: .float64
    }
  }

  /// A whole number of any width.
  public var integer: Int? {
    switch self {
    case .uint8(let value): Int(value)
    case .int8(let value): Int(value)
    case .uint16(let value): Int(value)
    case .int16(let value): Int(value)
    case .uint32(let value): Int(value)
    case .int32(let value): Int(value)
    case .uint64(let value): Int(exactly: value)
    case .int64(let value): Int(value)
    default: nil
    }
  }

  /// A number of any type.
  public var number: Double? {
    switch self {
    case .float32(let value): Double(value)
    case .float64(let value): value
    default: integer.map(Double.init)
    }
  }

  public var boolean: Bool? { if case .bool(let value) = self { value } else { nil } }
  public var string: String? { if case .string(let value) = self { value } else { nil } }
  public var array: GGUFArray? { if case .array(let value) = self { value } else { nil } }
  /// An array of strings.
  public var strings: [String]? {
    if case .array(let array) = self, case .strings(let value) = array.elements { value } else { nil }
  }
  /// An array of whole numbers.
  public var integers: [Int]? { array?.integers }
}

/// An array of a GGUF file's metadata: elements of one type.
public struct GGUFArray: Equatable, Sendable {
  public enum Elements: Equatable, Sendable {
    /// Elements of fixed size as they stand in the file.
    case fixed(GGUFValue.Kind, [UInt8])
    case strings([String])
    case arrays([GGUFArray])
  }

  public let elements: Elements

  public init(_ elements: Elements) { self.elements = elements }
  public init(_ strings: [String]) { elements = .strings(strings) }
  public init(_ values: [Int32]) { elements = .fixed(.int32, values.withUnsafeBytes { Array($0) }) }
  public init(_ values: [Float]) { elements = .fixed(.float32, values.withUnsafeBytes { Array($0) }) }

  public var kind: GGUFValue.Kind {
    switch elements {
    case .fixed(let kind, _): kind
    case .strings: .string
    case .arrays: .array
    }
  }

  public var count: Int {
    switch elements {
    case .fixed(let kind, let bytes): bytes.count / (kind.size ?? 1)
    case .strings(let strings): strings.count
    case .arrays(let arrays): arrays.count
    }
  }

  /// The elements as whole numbers, or `nil` if they are of another kind.
  public var integers: [Int]? {
    guard case .fixed(let kind, let bytes) = elements, kind != .float32, kind != .float64, kind != .bool
    else {
      return nil
    }
    let size = kind.size ?? 1
    var result: [Int] = []
    result.reserveCapacity(count)
    for start in stride(from: 0, to: bytes.count, by: size) {
      var value: UInt64 = 0
      for index in 0..<size { value |= UInt64(bytes[start + index]) << (8 * index) }
      switch kind {
      case .int8: result.append(Int(Int8(truncatingIfNeeded: value)))
      case .int16: result.append(Int(Int16(truncatingIfNeeded: value)))
      case .int32: result.append(Int(Int32(truncatingIfNeeded: value)))
      case .int64: result.append(Int(Int64(bitPattern: value)))
      default:
        guard let value = Int(exactly: value) else { return nil }
        result.append(value)
      }
    }
    return result
  }
}
