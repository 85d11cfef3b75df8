/// Writes `.npz` archives: a zip file without compression, one `.npy` array (format version 1.0) per tensor.
///
/// Nothing in it depends on when or where it was written: equal tensors give equal files.
/// Sources: NumPy enhancement proposal 1 (`numpy.lib.format`); PKWARE APPNOTE 4.3.
public enum NumpyArchive {
  public enum Failure: Error, Equatable, CustomStringConvertible {
    /// Without the ZIP64 extension a zip file ends at 4 GiB and 65,535 members.
    case tooLarge
    case noNumpyType(tensor: String, type: ElementType)

    public var description: String {
      switch self {
      case .tooLarge: "the arrays are too many or too large for one .npz file (4 GiB); write safetensors"
      case .noNumpyType(let tensor, let type):
        "tensor \(tensor): NumPy has no type \(type.rawValue); write safetensors"
      }
    }
  }

  /// The parts of the file, in order.
  ///
  /// - Precondition: no two tensors of one name.
  /// - Throws: `Failure`.
  public static func parts(_ tensors: [StoredTensor]) throws -> [[UInt8]] {
    precondition(Set(tensors.map(\.name)).count == tensors.count, "names must differ")
    guard tensors.count < 0xffff else { throw Failure.tooLarge }
    var parts: [[UInt8]] = []
    var directory: [UInt8] = []
    var offset = 0
    for tensor in tensors {
      let header = try arrayHeader(tensor)
      let size = header.count + tensor.bytes.count
      let name = Array("\(tensor.name).npy".utf8)
      let start = offset
      guard offset + size + 30 + name.count + directory.count < 0xffff_0000 else { throw Failure.tooLarge }
      var checksum = CRC32()
      checksum.update(header)
      checksum.update(tensor.bytes)
      // Version 2.0, UTF-8 names, stored, 1 January 1980 (the first date of the format).
      var common = littleEndian(20, 2) + littleEndian(1 << 11, 2) + littleEndian(0, 2)
      common += littleEndian(0, 2) + littleEndian(1 << 5 | 1, 2) + littleEndian(Int(checksum.value), 4)
      common += littleEndian(size, 4) + littleEndian(size, 4)
      common += littleEndian(name.count, 2) + littleEndian(0, 2)
      let local = littleEndian(0x0403_4b50, 4) + common + name
      directory += littleEndian(0x0201_4b50, 4) + littleEndian(20, 2) + common
      directory += littleEndian(0, 2) + littleEndian(0, 2) + littleEndian(0, 2) + littleEndian(0, 4)
      directory += littleEndian(start, 4) + name
      parts += [local + header, tensor.bytes]
      offset += local.count + size
    }
    let end =
      littleEndian(0x0605_4b50, 4) + littleEndian(0, 4) + littleEndian(tensors.count, 2)
      + littleEndian(tensors.count, 2) + littleEndian(directory.count, 4) + littleEndian(offset, 4)
      + littleEndian(0, 2)
    return parts + [directory, end]
  }

  /// Magic number, version, and a Python dictionary, padded so that the data starts at a multiple of 64.
  private static func arrayHeader(_ tensor: StoredTensor) throws -> [UInt8] {
    guard let type = numpyName(tensor.type) else {
      throw Failure.noNumpyType(tensor: tensor.name, type: tensor.type)
    }
    let extents = tensor.shape.map(String.init).joined(separator: ", ") + (tensor.shape.count == 1 ? "," : "")
    var dictionary = Array("{'descr': '\(type)', 'fortran_order': False, 'shape': (\(extents)), }".utf8)
    let unpadded = 10 + dictionary.count + 1
    dictionary += Array(repeating: UInt8(ascii: " "), count: (64 - unpadded % 64) % 64) + [10]
    return [0x93] + Array("NUMPY".utf8) + [1, 0] + littleEndian(dictionary.count, 2) + dictionary
  }

  private static func numpyName(_ type: ElementType) -> String? {
    switch type {
    case .bool: "|b1"
    case .uint8: "|u1"
    case .int8: "|i1"
    case .uint16: "<u2"
    case .int16: "<i2"
    case .float16: "<f2"
    case .uint32: "<u4"
    case .int32: "<i4"
    case .float32: "<f4"
    case .uint64: "<u8"
    case .int64: "<i8"
    case .float64: "<f8"
    case .bfloat16: nil
    }
  }

  private static func littleEndian(_ value: Int, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }
}

/// The checksum of zip files and of many others (ISO 3309, polynomial 0xEDB88320).
public struct CRC32: Sendable {
  private static let table: [UInt32] = (0..<256).map { index in
    (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? 0xedb8_8320 ^ value >> 1 : value >> 1 }
  }
  private var state: UInt32 = 0xffff_ffff

  public init() {}

  public var value: UInt32 { ~state }

  /// Complexity: O(bytes).
  public mutating func update(_ bytes: [UInt8]) {
    Self.table.withUnsafeBufferPointer { table in
      for byte in bytes { state = table[Int(UInt8(truncatingIfNeeded: state) ^ byte)] ^ state >> 8 }
    }
  }
}
