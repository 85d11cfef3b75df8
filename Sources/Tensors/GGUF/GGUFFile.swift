/// A GGUF file, opened: its metadata and the places of its tensors are read and checked, its data stays where it is.
///
///     "GGUF", version (u32), number of tensors (u64), number of metadata (u64)
///     metadata      key (string), type (u32), value
///     tensors       name (string), number of dimensions (u32), dimensions (u64, fastest first), type (u32),
///                   offset in the data (u64)
///     padding       up to a multiple of the alignment (32, or general.alignment)
///     data          every tensor at a multiple of the alignment
///
/// A string is its length (u64) and its bytes. Everything is little-endian. Versions 2 and 3 are the same on
/// little-endian machines.
///
/// Every count is checked against the bytes that are left before memory is taken: memory is O(size of the header).
/// Source: the GGUF specification.
public struct GGUFFile: Sendable {
  public struct Entry: Equatable, Sendable {
    public let name: String
    public let type: GGUFTensorType
    /// Outermost first, as everywhere else here: a matrix is [rows, columns]. The file has the reverse order.
    public let shape: [Int]
    /// Where the tensor's bytes are, counted from the start of the data.
    public let range: Range<Int>
  }

  /// Arrays in arrays that are read; no key in use nests at all.
  public static let deepestArray = 4
  public static let defaultAlignment = 32

  public let file: String
  public let version: UInt32
  public let alignment: Int
  /// In the file's order.
  public let metadata: [(key: String, value: GGUFValue)]
  /// In the file's order.
  public let entries: [Entry]
  private let keys: [String: Int]
  private let places: [String: Int]
  private let data: SharedBytes

  /// Maps a file.
  /// - Throws: `GGUFError`.
  public init(path: String) throws {
    let bytes: SharedBytes
    do { bytes = try SharedBytes.map(path) } catch let error as MappingError {
      throw GGUFError(file: path, offset: nil, problem: .cannotOpen(reason: error.reason))
    }
    try self.init(bytes: bytes, file: path)
  }

  /// A file that is already in memory.
  /// - Throws: `GGUFError`.
  public init(bytes: SharedBytes, file: String = "bytes") throws {
    var scanner = GGUFScanner(bytes: bytes.buffer, file: file)
    let header = try scanner.header()
    version = header.version
    metadata = try scanner.metadata(count: header.metadata)
    keys = Dictionary(metadata.enumerated().map { ($1.key, $0) }, uniquingKeysWith: { first, _ in first })
    self.file = file
    if let value = metadata.first(where: { $0.key == "general.alignment" })?.value {
      guard let bytes = value.integer, bytes > 0, bytes <= 65536, bytes & (bytes - 1) == 0 else {
        throw GGUFError(
          file: file, offset: nil, problem: .alignment(value.integer.map { "\($0)" } ?? "no number"))
      }
      alignment = bytes
    } else {
      alignment = Self.defaultAlignment
    }
    let claims = try scanner.tensors(count: header.tensors)
    // A file without tensors may end without padding.
    let start = min((scanner.position + alignment - 1) / alignment * alignment, bytes.count)
    data = bytes[start..<bytes.count]
    entries = try Self.check(claims, dataBytes: data.count, alignment: alignment, file: file)
    places = Dictionary(entries.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// - Throws: `GGUFError` if a tensor is not where it can be, or shares bytes with another.
  private static func check(
    _ claims: [GGUFScanner.TensorClaim], dataBytes: Int, alignment: Int, file: String
  ) throws -> [Entry] {
    var entries: [Entry] = []
    entries.reserveCapacity(claims.count)
    for claim in claims {
      func failure(_ problem: GGUFError.Problem) -> GGUFError {
        GGUFError(file: file, offset: claim.place, problem: problem)
      }
      let columns = claim.shape.last ?? 1
      guard columns % claim.type.blockSize == 0 else {
        throw failure(
          .partialBlock(tensor: claim.name, columns: columns, blockSize: claim.type.blockSize))
      }
      var size = columns / claim.type.blockSize
      for factor in claim.shape.dropLast() + [claim.type.blockBytes] {
        let (product, overflow) = size.multipliedReportingOverflow(by: factor)
        if overflow { throw failure(.shapeTooLarge(tensor: claim.name)) }
        size = product
      }
      guard claim.offset % UInt64(alignment) == 0 else {
        throw failure(.misaligned(tensor: claim.name, offset: claim.offset, alignment: alignment))
      }
      let (end, overflow) = claim.offset.addingReportingOverflow(UInt64(size))
      guard !overflow, end <= UInt64(dataBytes) else {
        throw failure(
          .outOfRange(tensor: claim.name, end: overflow ? .max : end, dataBytes: dataBytes))
      }
      entries.append(
        Entry(name: claim.name, type: claim.type, shape: claim.shape, range: Int(claim.offset)..<Int(end)))
    }
    let order = entries.indices.filter { !entries[$0].range.isEmpty }
      .sorted { entries[$0].range.lowerBound < entries[$1].range.lowerBound }
    for (first, second) in zip(order, order.dropFirst())
    where entries[first].range.upperBound > entries[second].range.lowerBound {
      throw GGUFError(
        file: file, offset: claims[second].place,
        problem: .overlap(tensor: entries[second].name, with: entries[first].name))
    }
    return entries
  }

  /// A value of the metadata. Complexity: O(1).
  public subscript(key key: String) -> GGUFValue? { keys[key].map { metadata[$0].value } }

  /// Complexity: O(1).
  public subscript(name: String) -> Entry? { places[name].map { entries[$0] } }

  /// The bytes of one tensor, row-major: a part of the mapping, or a copy if the file's alignment is less than its
  /// elements need.
  /// - Throws: `GGUFError` if there is none of that name.
  public func bytes(of name: String) throws -> SharedBytes {
    guard let entry = self[name] else {
      throw GGUFError(file: file, offset: nil, problem: .noTensor(named: name))
    }
    return data[entry.range].aligned(to: entry.type == .f32 ? 4 : 2)
  }
}
