/// Writes a GGUF file of version 3: its header at once, then the bytes of its tensors as they come.
///
/// The file appears at its path when it is complete. Memory: O(header).
public final class GGUFWriter {
  /// A tensor that will be written.
  public struct Tensor: Equatable, Sendable {
    public let name: String
    public let type: GGUFTensorType
    /// Outermost first: [rows, columns].
    public let shape: [Int]
    public let byteCount: Int

    /// - Precondition: rows are whole blocks, and there are at most four dimensions.
    public init(_ name: String, type: GGUFTensorType, shape: [Int]) {
      guard shape.count <= 4, let row = type.rowBytes(shape.last ?? 1) else {
        preconditionFailure("\(name): \(shape) of \(type.name)")
      }
      self.name = name
      self.type = type
      self.shape = shape
      byteCount = shape.dropLast().reduce(row, *)
    }
  }

  private let stream: AtomicFile.Stream
  private let tensors: [Tensor]
  private let alignment: Int
  /// The tensor whose bytes come next, and how many of them have come.
  private var current = 0
  private var written = 0

  /// Writes the header. `tensors` are in the order in which their bytes will come.
  /// - Precondition: no key and no tensor's name twice; `general.alignment` is not among the keys.
  /// - Throws: `AtomicFile.Failure`.
  public init(
    path: String, metadata: [(key: String, value: GGUFValue)], tensors: [Tensor],
    alignment: Int = GGUFFile.defaultAlignment
  ) throws {
    precondition(
      Set(metadata.map(\.key) + ["general.alignment"]).count == metadata.count + 1, "keys must differ")
    precondition(Set(tensors.map(\.name)).count == tensors.count, "names must differ")
    precondition(alignment > 0 && alignment & (alignment - 1) == 0, "an alignment is a power of two")
    var metadata = metadata
    if alignment != GGUFFile.defaultAlignment {
      metadata.append(("general.alignment", .uint32(UInt32(alignment))))
    }
    var header = Array("GGUF".utf8)
    Self.append(UInt32(3), to: &header)
    Self.append(UInt64(tensors.count), to: &header)
    Self.append(UInt64(metadata.count), to: &header)
    for (key, value) in metadata {
      Self.append(key, to: &header)
      Self.append(value.kind.rawValue, to: &header)
      Self.append(value, to: &header)
    }
    var offset = 0
    for tensor in tensors {
      Self.append(tensor.name, to: &header)
      Self.append(UInt32(tensor.shape.count), to: &header)
      for extent in tensor.shape.reversed() { Self.append(UInt64(extent), to: &header) }
      Self.append(tensor.type.rawValue, to: &header)
      Self.append(UInt64(offset), to: &header)
      offset += (tensor.byteCount + alignment - 1) / alignment * alignment
    }
    self.tensors = tensors
    self.alignment = alignment
    stream = try AtomicFile.Stream(path: path)
    try stream.write(header)
    try pad()
    try closeFullTensors()
  }

  /// The next bytes of the tensors, in their order; they may come in pieces, but no piece reaches into a next tensor.
  /// - Precondition: the current tensor still lacks so many bytes.
  /// - Throws: `AtomicFile.Failure`.
  public func write(_ bytes: UnsafeRawBufferPointer) throws {
    precondition(
      current < tensors.count && written + bytes.count <= tensors[current].byteCount,
      "more bytes than a tensor has")
    try stream.write(bytes)
    written += bytes.count
    try closeFullTensors()
  }

  /// Completes the file.
  /// - Precondition: every tensor has been written.
  /// - Throws: `AtomicFile.Failure`.
  public func finish() throws {
    precondition(current == tensors.count, "tensor \(tensors[current].name) is not complete")
    try stream.finish()
  }

  private func closeFullTensors() throws {
    while current < tensors.count, written == tensors[current].byteCount {
      current += 1
      written = 0
      try pad()
    }
  }

  private func pad() throws {
    try stream.write([UInt8](repeating: 0, count: (alignment - stream.count % alignment) % alignment))
  }

  private static func append<Number: FixedWidthInteger>(_ number: Number, to bytes: inout [UInt8]) {
    withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
  }

  private static func append(_ text: String, to bytes: inout [UInt8]) {
    append(UInt64(text.utf8.count), to: &bytes)
    bytes.append(contentsOf: text.utf8)
  }

  private static func append(_ value: GGUFValue, to bytes: inout [UInt8]) {
    switch value {
    case .uint8(let value): append(value, to: &bytes)
    case .int8(let value): append(value, to: &bytes)
    case .uint16(let value): append(value, to: &bytes)
    case .int16(let value): append(value, to: &bytes)
    case .uint32(let value): append(value, to: &bytes)
    case .int32(let value): append(value, to: &bytes)
    case .uint64(let value): append(value, to: &bytes)
    case .int64(let value): append(value, to: &bytes)
    case .float32(let value): append(value.bitPattern, to: &bytes)
    case .float64(let value): append(value.bitPattern, to: &bytes)
    case .bool(let value): bytes.append(value ? 1 : 0)
    case .string(let value): append(value, to: &bytes)
    case .array(let value): append(value, to: &bytes)
    }
  }

  private static func append(_ array: GGUFArray, to bytes: inout [UInt8]) {
    append(array.kind.rawValue, to: &bytes)
    append(UInt64(array.count), to: &bytes)
    switch array.elements {
    case .fixed(_, let elements): bytes += elements
    case .strings(let strings): for string in strings { append(string, to: &bytes) }
    case .arrays(let arrays): for array in arrays { append(array, to: &bytes) }
    }
  }
}
