/// Instructions as people read them.
public struct Disassembler: Sendable {
  public let labels: [Int: String]
  public let dialect: SubleqDialect

  public init(_ image: MemoryImage, dialect: SubleqDialect) {
    labels = image.labels
    self.dialect = dialect
  }

  /// One instruction, as arithmetic: `count -= one; ≤ 0 → done`.
  public func describe(a: Int, b: Int, c: Int, next: Int) -> String {
    func name(_ word: Int) -> String { labels[dialect.address(word)] ?? "[\(dialect.address(word))]" }
    let target = dialect.halts(at: c) ? "halt" : labels[dialect.address(c)] ?? String(dialect.address(c))
    if b == -1 { return a == -1 ? "echo" : "write \(name(a))" }
    let jump = dialect.address(c) == next ? "" : "; ≤ 0 → \(target)"
    if a == -1 {
      return dialect.input == .store ? "read \(name(b))" : "\(name(b)) += input\(jump)"
    }
    return a == b ? "\(name(b)) = 0\(jump.isEmpty ? "" : "; → \(target)")" : "\(name(b)) -= \(name(a))\(jump)"
  }

  /// A listing of an image: address, label, words, and what instructions mean. A new line starts at every label and
  /// at every line of the source.
  public func listing(_ image: MemoryImage) -> String {
    let isData = image.data.reduce(into: Array(repeating: false, count: image.words.count)) { flags, range in
      for address in range { flags[address] = true }
    }
    func pad(_ text: String, _ width: Int) -> String {
      text + String(repeating: " ", count: max(0, width - text.count))
    }
    var text = ""
    var address = 0
    while address < image.words.count {
      let longest = isData[address] ? 8 : 3
      var end = address + 1
      while end < min(image.words.count, address + longest), image.labels[end] == nil || !isData[end],
        image.lines[end] == image.lines[address], isData[end] == isData[address]
      { end += 1 }
      let label = (address..<end).compactMap { image.labels[$0] }.first.map { "\($0):" } ?? ""
      let words = image.words[address..<end].map(String.init).joined(separator: " ")
      let meaning =
        end == address + 3 && !isData[address]
        ? describe(
          a: image.words[address], b: image.words[address + 1], c: image.words[address + 2], next: end)
        : ""
      var row = pad(String(address), 6) + pad(label, 14) + pad(words, 24) + meaning
      while row.last == " " { row.removeLast() }
      text += row + "\n"
      address = end
    }
    return text
  }
}
