import Foundation

/// A safetensors file, opened: its header is read and checked, its tensors are read when asked for.
///
///     8 bytes      length h of the header, little-endian
///     h bytes      JSON: {"__metadata__": {"key": "value"}, "name": {"dtype", "shape", "data_offsets"}, …}
///     the rest     the tensors' bytes, without holes, overlaps or remains
///
/// Every rule of the format is enforced: a file that opens is consistent with itself and with its size.
/// Memory: O(header); a tensor is allocated only after its bytes were found to be inside the file.
/// Source: the safetensors format description, version 0.3 and later.
public struct SafetensorsFile: Sendable {
  public struct Entry: Equatable, Sendable {
    public let name: String
    public let type: ElementType
    public let shape: [Int]
    /// Where the tensor's bytes are, counted from the start of the data.
    public let range: Range<Int>
  }

  /// The longest header that is read, as in the format's reference implementation.
  public static let headerLimit = 100_000_000

  public let file: String
  /// In the order of their bytes.
  public let entries: [Entry]
  public let metadata: [String: String]
  private let dataStart: Int
  private let places: [String: Int]
  private let read: @Sendable (Range<Int>) -> [UInt8]?
  private let mapping: SharedBytes?

  /// - Throws: `SafetensorsError`.
  public init(path: String) throws {
    guard let handle = FileHandle(forReadingAtPath: path), let size = try? handle.seekToEnd() else {
      throw SafetensorsError(file: path, problem: .cannotOpen)
    }
    try self.init(file: path, size: Int(clamping: size)) { range in
      // Every call has its own handle: reads from several threads do not share a position.
      guard let handle = FileHandle(forReadingAtPath: path) else { return nil }
      guard (try? handle.seek(toOffset: UInt64(range.lowerBound))) != nil else { return nil }
      return (try? handle.read(upToCount: range.count)).flatMap { $0 }.map(Array.init)
    }
  }

  /// A file that is mapped: `bytes(of:)` copies nothing, and no memory is taken but for the header.
  /// - Throws: `SafetensorsError`.
  public init(mapping path: String) throws {
    let bytes: SharedBytes
    do { bytes = try SharedBytes.map(path) } catch {
      throw SafetensorsError(file: path, problem: .cannotOpen)
    }
    try self.init(file: path, size: bytes.count, mapping: bytes) { Array(bytes.buffer[$0]) }
  }

  /// A file that is already in memory.
  /// - Throws: `SafetensorsError`.
  public init(bytes: [UInt8], file: String = "bytes") throws {
    try self.init(file: file, size: bytes.count) { Array(bytes[$0]) }
  }

  private init(
    file: String, size: Int, mapping: SharedBytes? = nil, read: @escaping @Sendable (Range<Int>) -> [UInt8]?
  ) throws {
    func failure(_ problem: SafetensorsError.Problem) -> SafetensorsError {
      SafetensorsError(file: file, problem: problem)
    }
    guard size >= 8 else { throw failure(.tooShort(bytes: size)) }
    // A folder may be opened, but not read.
    guard let prefix = read(0..<8), prefix.count == 8 else { throw failure(.cannotOpen) }
    let length = prefix.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    let available = min(size - 8, Self.headerLimit)
    guard length <= UInt64(available) else {
      throw failure(.headerTooLong(length: length, available: available))
    }
    dataStart = 8 + Int(length)
    guard let text = read(8..<dataStart), text.count == Int(length) else {
      throw failure(.readFailed(tensor: "header"))
    }
    var scanner = SafetensorsHeaderScanner(text: text)
    do { try scanner.scan() } catch let problem as SafetensorsHeaderScanner.Failure {
      throw failure(problem.problem)
    }
    metadata = scanner.metadata
    entries = scanner.entries.sorted {
      ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound)
    }
    if let problem = Self.problem(of: entries, dataBytes: size - dataStart) { throw failure(problem) }
    places = Dictionary(uniqueKeysWithValues: entries.enumerated().map { ($1.name, $0) })
    self.file = file
    self.read = read
    self.mapping = mapping
  }

  /// The first contradiction between entries in the order of their bytes.
  private static func problem(of entries: [Entry], dataBytes: Int) -> SafetensorsError.Problem? {
    var end = 0
    var previous = ""
    for entry in entries {
      var needed = entry.type.size
      for extent in entry.shape {
        let (product, overflow) = needed.multipliedReportingOverflow(by: extent)
        if overflow { return .shapeTooLarge(tensor: entry.name) }
        needed = product
      }
      if needed != entry.range.count {
        return .wrongByteCount(tensor: entry.name, needed: needed, given: entry.range.count)
      }
      if entry.range.upperBound > dataBytes {
        return .outOfRange(tensor: entry.name, end: entry.range.upperBound, dataBytes: dataBytes)
      }
      if entry.range.lowerBound < end { return .overlap(tensor: entry.name, with: previous) }
      if entry.range.lowerBound > end { return .hole(start: end, end: entry.range.lowerBound) }
      end = entry.range.upperBound
      previous = entry.name
    }
    return end == dataBytes ? nil : .hole(start: end, end: dataBytes)
  }

  /// Complexity: O(1).
  public subscript(name: String) -> Entry? { places[name].map { entries[$0] } }

  /// Reads one tensor.
  /// - Throws: `SafetensorsError` if there is none of that name, or the file has changed.
  public func tensor(_ name: String) throws -> StoredTensor {
    guard let entry = self[name] else { throw SafetensorsError(file: file, problem: .noTensor(named: name)) }
    let range = (dataStart + entry.range.lowerBound)..<(dataStart + entry.range.upperBound)
    guard let bytes = range.isEmpty ? [] : read(range), bytes.count == range.count else {
      throw SafetensorsError(file: file, problem: .readFailed(tensor: name))
    }
    return StoredTensor(name, type: entry.type, shape: entry.shape, bytes: bytes)
  }

  /// The bytes of one tensor, row-major: a part of the mapping, if the file is mapped and its header leaves the
  /// tensor where its elements may be read; else a copy.
  /// - Throws: `SafetensorsError` if there is none of that name, or the file has changed.
  public func bytes(of name: String) throws -> SharedBytes {
    guard let entry = self[name] else { throw SafetensorsError(file: file, problem: .noTensor(named: name)) }
    guard let mapping else { return SharedBytes.copy(try tensor(name).bytes) }
    let range = (dataStart + entry.range.lowerBound)..<(dataStart + entry.range.upperBound)
    return mapping[range].aligned(to: entry.type.size)
  }
}
