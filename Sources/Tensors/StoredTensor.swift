/// The type of the elements of a stored tensor. Raw values are the names that safetensors files use.
public enum ElementType: String, Sendable, CaseIterable {
  case bool = "BOOL"
  case uint8 = "U8"
  case int8 = "I8"
  case uint16 = "U16"
  case int16 = "I16"
  case float16 = "F16"
  case bfloat16 = "BF16"
  case uint32 = "U32"
  case int32 = "I32"
  case float32 = "F32"
  case uint64 = "U64"
  case int64 = "I64"
  case float64 = "F64"

  /// Bytes of one element.
  public var size: Int {
    switch self {
    case .bool, .uint8, .int8: 1
    case .uint16, .int16, .float16, .bfloat16: 2
    case .uint32, .int32, .float32: 4
    case .uint64, .int64, .float64: 8
    }
  }
}

/// A Swift type whose memory is, on the little-endian machines that Swift runs on, what the files hold.
public protocol StoredElement: BitwiseCopyable, Sendable {
  static var elementType: ElementType { get }
}

extension Float: StoredElement { public static var elementType: ElementType { .float32 } }
extension Double: StoredElement { public static var elementType: ElementType { .float64 } }
extension UInt8: StoredElement { public static var elementType: ElementType { .uint8 } }
extension Int32: StoredElement { public static var elementType: ElementType { .int32 } }
extension Int64: StoredElement { public static var elementType: ElementType { .int64 } }

/// A named array as it stands in a file: row-major, little-endian.
public struct StoredTensor: Equatable, Sendable {
  public let name: String
  public let type: ElementType
  /// Empty for a scalar.
  public let shape: [Int]
  public let bytes: [UInt8]

  /// - Precondition: as many bytes as the shape and the type need.
  public init(_ name: String, type: ElementType, shape: [Int], bytes: [UInt8]) {
    precondition(
      bytes.count == shape.reduce(type.size, *), "\(name): \(bytes.count) bytes for \(shape) of \(type)")
    self.name = name
    self.type = type
    self.shape = shape
    self.bytes = bytes
  }

  /// - Precondition: as many values as the shape has places.
  public init<Element: StoredElement>(_ name: String, shape: [Int], _ values: [Element]) {
    self.init(
      name, type: Element.elementType, shape: shape, bytes: values.withUnsafeBytes { Array($0) })
  }

  /// The elements in order, or `nil` if they are of another type. Complexity: O(elements).
  public func values<Element: StoredElement>(as type: Element.Type = Element.self) -> [Element]? {
    guard self.type == Element.elementType else { return nil }
    return bytes.withUnsafeBytes { bytes in
      (0..<(bytes.count / self.type.size)).map {
        bytes.loadUnaligned(fromByteOffset: $0 * self.type.size, as: Element.self)
      }
    }
  }
}
