import TextFiles

extension GraphReaders {
  /// Comma-separated edges: source, target, and perhaps a weight. The separator is the comma, semicolon or tab that the
  /// first line has; a first line that names columns (source, target, weight, or their usual other names) says which are
  /// meant and lets others stand beside them. Fields may be quoted, a quote inside written twice.
  static func csv(_ text: GraphText) throws -> GraphSource {
    var reader = Rows(text)
    var builder = GraphBuilder()
    var columns: (source: Int, target: Int, weight: Int?)?
    var isHeaded = false
    while let row = try reader.next() {
      if columns == nil {
        if let header = try header(row, in: text) {
          columns = header
          isHeaded = true
          continue
        }
        columns = (0, 1, row.count > 2 ? 2 : nil)
      }
      guard let columns else { break }
      guard isHeaded || row.count <= 3 else {
        throw text.error(
          "\(row.count) columns, and no header that names them", at: row[3].offset,
          hint: "a first line such as source,target,weight says which columns are meant")
      }
      guard max(columns.source, columns.target) < row.count else {
        throw text.error(
          "an edge needs two nodes", at: row[0].offset, hint: "lines are: SOURCE,TARGET[,WEIGHT]")
      }
      let (source, target) = (row[columns.source], row[columns.target])
      for field in [source, target] where field.bytes.isEmpty {
        throw text.error("the node has no name", at: field.offset)
      }
      var weight = 1.0
      let weightColumn = columns.weight ?? (!isHeaded && row.count > 2 ? 2 : nil)
      if let weightColumn, weightColumn < row.count, !row[weightColumn].bytes.isEmpty {
        let field = GraphText(Array(row[weightColumn].bytes), file: text.file)
        guard let number = field.number(0..<field.bytes.count) else {
          throw text.error(
            "\(field.quoted(0..<field.bytes.count)) is not a number", at: row[weightColumn].offset,
            hint: "weights are decimal numbers; a first line such as source,target,weight names the columns")
        }
        weight = number
      }
      try builder.add(
        builder.table.node(source.bytes), builder.table.node(target.bytes), weight: weight,
        at: weightColumn.flatMap { $0 < row.count ? row[$0].offset : nil } ?? source.offset, in: text)
    }
    return builder.named(in: text)
  }

  private static func header(_ row: [Rows.Field], in text: GraphText) throws -> (Int, Int, Int?)? {
    let names = row.map { String(decoding: $0.bytes, as: UTF8.self).lowercased() }
    func column(_ candidates: [String]) -> Int? { candidates.lazy.compactMap(names.firstIndex).first }
    let source = column(["source", "src", "from", "tail", "u", "node1", "source_id"])
    let target = column(["target", "dst", "to", "head", "v", "node2", "target_id", "destination"])
    switch (source, target) {
    case (nil, nil): return nil
    case (let source?, let target?):
      return (source, target, column(["weight", "w", "cost", "length", "distance", "value"]))
    default:
      throw text.error(
        "the header names only one end of the edges", at: row[0].offset,
        hint: "name two columns source and target")
    }
  }

  /// Rows of fields; blank lines and lines that begin with # are skipped.
  struct Rows {
    struct Field {
      var bytes: ArraySlice<UInt8>
      var offset: Int
    }

    private var text: GraphText
    private let separator: UInt8

    init(_ text: GraphText) {
      self.text = text
      var line = text
      line.skipLine()
      let first = text.bytes[text.position..<line.position]
      separator = [UInt8(ascii: ","), UInt8(ascii: ";"), 9].first(where: first.contains) ?? UInt8(ascii: ",")
    }

    mutating func next() throws -> [Field]? {
      while !text.isAtEnd, text.byte == 10 || text.byte == 13 || text.byte == UInt8(ascii: "#") {
        if text.byte == UInt8(ascii: "#") { text.skipLine() }
        text.position += 1
      }
      guard !text.isAtEnd else { return nil }
      var row: [Field] = []
      while true {
        row.append(try field())
        guard row.count <= 1000 else { throw text.error("a row of more than 1000 fields") }
        if text.byte == separator && !text.isAtEnd {
          text.position += 1
          continue
        }
        text.position += 1
        return row
      }
    }

    private mutating func field() throws -> Field {
      while text.byte == 32 { text.position += 1 }
      let start = text.position
      guard text.byte == UInt8(ascii: "\"") else {
        while !text.isAtEnd, text.byte != separator, text.byte != 10 { text.position += 1 }
        var end = text.position
        while end > start, text.bytes[end - 1] == 32 || text.bytes[end - 1] == 13 { end -= 1 }
        return Field(bytes: text.bytes[start..<end], offset: start)
      }
      text.position += 1
      var content: [UInt8] = []
      while true {
        guard !text.isAtEnd else { throw text.error("the quote is not closed", at: start) }
        if text.byte == UInt8(ascii: "\"") {
          text.position += 1
          guard text.byte == UInt8(ascii: "\"") else { break }
        }
        content.append(text.byte)
        text.position += 1
      }
      text.skipBlanks()
      guard text.isAtEnd || text.byte == separator || text.byte == 10 else {
        throw text.error("text behind a quoted field")
      }
      return Field(bytes: content[...], offset: start)
    }
  }
}
