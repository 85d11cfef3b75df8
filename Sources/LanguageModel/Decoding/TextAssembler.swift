/// Turns the bytes of tokens into text as they come, and finds stop strings, also where they begin in one token and end
/// in another.
///
/// Text is held back while it may be the beginning of a stop string or is an unfinished character, so that what was
/// handed out never has to be taken back.
public struct TextAssembler: Sendable {
  private let stops: [[UInt8]]
  private var held: [UInt8] = []
  /// The stop string that was met; nothing follows.
  public private(set) var stop: String?

  /// - Parameter stops: empty ones are ignored.
  public init(stops: [String] = []) {
    self.stops = stops.filter { !$0.isEmpty }.map { Array($0.utf8) }
  }

  /// Adds the bytes of a token.
  /// - Returns: the text that is certain now; may be empty. Text before a stop string, without it.
  public mutating func add(_ bytes: some Sequence<UInt8>) -> String {
    guard stop == nil else { return "" }
    held += bytes
    if let (place, found) = firstStop() {
      stop = String(decoding: found, as: UTF8.self)
      defer { held = [] }
      return String(decoding: held[..<place], as: UTF8.self)
    }
    let certain = min(held.count - longestBeginning(), Self.completeCount(held))
    defer { held.removeFirst(certain) }
    return String(decoding: held[..<certain], as: UTF8.self)
  }

  /// What was still held back when the answer ended. An unfinished character becomes U+FFFD.
  public mutating func finish() -> String {
    defer { held = [] }
    return String(decoding: held, as: UTF8.self)
  }

  /// The stop string that begins first; the longest of those that begin there.
  private func firstStop() -> (place: Int, stop: [UInt8])? {
    for place in held.indices {
      let here = stops.filter { held[place...].starts(with: $0) }
      if let longest = here.max(by: { $0.count < $1.count }) { return (place, longest) }
    }
    return nil
  }

  /// The length of the longest end of the held bytes that begins a stop string.
  private func longestBeginning() -> Int {
    for length in stride(from: min(held.count, (stops.map(\.count).max() ?? 1) - 1), to: 0, by: -1)
    where stops.contains(where: { $0.count > length && $0.starts(with: held.suffix(length)) }) {
      return length
    }
    return 0
  }

  /// How many bytes there are before an unfinished character at the end.
  private static func completeCount(_ bytes: [UInt8]) -> Int {
    for back in 1...3 where back <= bytes.count {
      let byte = bytes[bytes.count - back]
      if byte & 0xc0 == 0x80 { continue }
      let length =
        byte >= 0xf0 && byte < 0xf8
        ? 4 : byte >= 0xe0 && byte < 0xf0 ? 3 : byte >= 0xc2 && byte < 0xe0 ? 2 : 1
      return length > back ? bytes.count - back : bytes.count
    }
    return bytes.count
  }
}
