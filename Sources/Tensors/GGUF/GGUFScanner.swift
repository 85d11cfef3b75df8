/// Reads the header of a GGUF file from its start to the end of the tensors' places.
///
/// Never reads beyond the bytes, and never takes memory for more than they can hold. Recursion is as deep as arrays
/// may nest.
struct GGUFScanner {
  /// What a file says of a tensor, before it is checked against the data.
  struct TensorClaim {
    var name: String
    var type: GGUFTensorType
    /// Outermost first.
    var shape: [Int]
    var offset: UInt64
    /// Where in the file this stands.
    var place: Int
  }

  private let bytes: UnsafeRawBufferPointer
  private let file: String
  private(set) var position = 0

  init(bytes: UnsafeRawBufferPointer, file: String) {
    self.bytes = bytes
    self.file = file
  }

  private func failure(_ problem: GGUFError.Problem, at place: Int? = nil) -> GGUFError {
    GGUFError(file: file, offset: place ?? position, problem: problem)
  }

  private mutating func number<Number: FixedWidthInteger>(_ what: @autoclosure () -> String) throws -> Number
  {
    let size = Number.bitWidth / 8
    guard bytes.count - position >= size else { throw failure(.truncated(what: what())) }
    defer { position += size }
    return Number(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: Number.self))
  }

  /// A count whose elements take at least `least` bytes each.
  private mutating func count(of what: @autoclosure () -> String, least: Int) throws -> Int {
    let place = position
    let claimed: UInt64 = try number("the number of \(what())")
    let possible = (bytes.count - position) / least
    guard claimed <= UInt64(possible) else {
      throw failure(.tooMany(what: what(), claimed: claimed, possible: possible), at: place)
    }
    return Int(claimed)
  }

  private mutating func string(_ what: @autoclosure () -> String) throws -> String {
    let length = try count(of: "bytes of \(what())", least: 1)
    let slice = UnsafeRawBufferPointer(rebasing: bytes[position..<(position + length)])
    guard let text = String(validating: slice, as: UTF8.self) else {
      throw failure(.invalidText(what: what()))
    }
    position += length
    return text
  }

  mutating func header() throws -> (version: UInt32, tensors: Int, metadata: Int) {
    guard bytes.count >= 4, bytes[0..<4].elementsEqual("GGUF".utf8) else { throw failure(.notGGUF) }
    position = 4
    let version: UInt32 = try number("the version")
    guard version == 2 || version == 3 else {
      // Versions are small: one with its low bytes empty is a small one, turned round.
      throw failure(version & 0xffff == 0 && version != 0 ? .bigEndian : .version(version), at: 4)
    }
    // A tensor takes at least a name's length, the number of dimensions, a type and an offset; a key its length,
    // a type and a byte.
    let tensors: UInt64 = try number("the number of tensors")
    let metadata = try count(of: "metadata", least: 13)
    let possible = (bytes.count - position) / 24
    guard tensors <= UInt64(possible) else {
      throw failure(.tooMany(what: "tensors", claimed: tensors, possible: possible), at: 8)
    }
    return (version, Int(tensors), metadata)
  }

  mutating func metadata(count: Int) throws -> [(key: String, value: GGUFValue)] {
    var result: [(key: String, value: GGUFValue)] = []
    var seen: Set<String> = []
    for index in 0..<count {
      let place = position
      let key = try string("the key of metadata \(index)")
      guard seen.insert(key).inserted else { throw failure(.duplicateKey(key), at: place) }
      let kind = try kind(of: key)
      result.append((key, try value(kind, key: key, depth: 0)))
    }
    return result
  }

  private mutating func kind(of key: String) throws -> GGUFValue.Kind {
    let place = position
    let raw: UInt32 = try number("the type of \(key)")
    guard let kind = GGUFValue.Kind(rawValue: raw) else {
      throw failure(.unknownValueType(key: key, type: raw), at: place)
    }
    return kind
  }

  private mutating func value(_ kind: GGUFValue.Kind, key: String, depth: Int) throws -> GGUFValue {
    switch kind {
    case .uint8: return .uint8(try number(key))
    case .int8: return .int8(try number(key))
    case .uint16: return .uint16(try number(key))
    case .int16: return .int16(try number(key))
    case .uint32: return .uint32(try number(key))
    case .int32: return .int32(try number(key))
    case .uint64: return .uint64(try number(key))
    case .int64: return .int64(try number(key))
    case .float32: return .float32(Float(bitPattern: try number(key)))
    case .float64: return .float64(Double(bitPattern: try number(key)))
    case .bool:
      let byte: UInt8 = try number(key)
      guard byte <= 1 else { throw failure(.invalidBool(key: key, value: byte), at: position - 1) }
      return .bool(byte == 1)
    case .string: return .string(try string("the value of \(key)"))
    case .array: return .array(try array(key: key, depth: depth + 1))
    }
  }

  private mutating func array(key: String, depth: Int) throws -> GGUFArray {
    guard depth <= GGUFFile.deepestArray else { throw failure(.nestedTooDeep(key: key)) }
    let kind = try kind(of: key)
    let count = try count(of: "elements of \(key)", least: kind.leastSize)
    switch kind {
    case .string:
      var strings: [String] = []
      strings.reserveCapacity(count)
      for index in 0..<count { strings.append(try string("element \(index) of \(key)")) }
      return GGUFArray(.strings(strings))
    case .array:
      var arrays: [GGUFArray] = []
      for _ in 0..<count { arrays.append(try array(key: key, depth: depth + 1)) }
      return GGUFArray(.arrays(arrays))
    default:
      let end = position + count * (kind.size ?? 1)
      defer { position = end }
      return GGUFArray(.fixed(kind, Array(bytes[position..<end])))
    }
  }

  mutating func tensors(count: Int) throws -> [TensorClaim] {
    var result: [TensorClaim] = []
    var seen: Set<String> = []
    for index in 0..<count {
      let place = position
      let name = try string("the name of tensor \(index)")
      guard seen.insert(name).inserted else { throw failure(.duplicateTensor(name), at: place) }
      let dimensions: UInt32 = try number("tensor \(name)")
      guard dimensions <= 4 else {
        throw failure(.rank(tensor: name, dimensions: dimensions), at: position - 4)
      }
      var shape: [Int] = []
      for _ in 0..<dimensions {
        let extent: UInt64 = try number("tensor \(name)")
        guard let extent = Int(exactly: extent) else {
          throw failure(.shapeTooLarge(tensor: name), at: position - 8)
        }
        shape.insert(extent, at: 0)
      }
      let raw: UInt32 = try number("tensor \(name)")
      guard let type = GGUFTensorType(rawValue: raw) else {
        throw failure(
          .unknownTensorType(tensor: name, type: GGUFTensorType.foreignName(raw)), at: position - 4)
      }
      let offset: UInt64 = try number("tensor \(name)")
      result.append(TensorClaim(name: name, type: type, shape: shape, offset: offset, place: place))
    }
    return result
  }
}
