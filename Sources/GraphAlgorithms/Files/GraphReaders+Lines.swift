import TextFiles

/// The formats with one edge per line. All: O(bytes) time, O(nodes + edges) memory beside the text.
enum GraphReaders {
  /// DIMACS: `c comment`, one `p sp NODES ARCS`, then `a SOURCE TARGET WEIGHT`, nodes counted from 1 (the format of the
  /// 9th DIMACS challenge); also `p edge NODES EDGES` or `p col …` with undirected `e U V`.
  static func dimacs(_ text: GraphText) throws -> GraphSource {
    var text = text
    var builder = GraphBuilder()
    var header: (nodes: Int, edges: Int, offset: Int)?
    while !text.isAtEnd {
      text.skipBlanks()
      let start = text.position
      let kind = text.word()
      guard !kind.isEmpty else {
        text.position += 1
        continue
      }
      guard kind.count == 1 else {
        throw text.error("\(text.quoted(kind)) is no kind of line", at: start, hint: dimacsHint)
      }
      switch text.bytes[start] {
      case UInt8(ascii: "c"):
        text.skipLine()
        text.position += 1
      case UInt8(ascii: "p"):
        guard header == nil else { throw text.error("a second problem line", at: start) }
        let problem = text.word()
        switch text.string(problem) {
        case "sp": builder.isDirected = true
        case "edge", "edges", "col": builder.isDirected = false
        default:
          throw text.error(
            "the problem is \(text.quoted(problem)), not sp or edge", at: problem.lowerBound, hint: dimacsHint
          )
        }
        let nodes = text.word()
        let edges = text.word()
        guard let nodeCount = text.integer(nodes), let edgeCount = text.integer(edges) else {
          throw text.error(
            "the problem line needs the numbers of nodes and edges", at: nodes.lowerBound, hint: dimacsHint)
        }
        try GraphBuilder.checkNodeCount(nodeCount, at: nodes.lowerBound, in: text)
        header = (nodeCount, edgeCount, edges.lowerBound)
        try text.endLine(after: "the problem line")
      case UInt8(ascii: "a"), UInt8(ascii: "e"):
        guard let header else {
          throw text.error("an edge before the problem line", at: start, hint: dimacsHint)
        }
        let isArc = text.bytes[start] == UInt8(ascii: "a")
        guard isArc == builder.isDirected else {
          throw text.error(
            isArc ? "an arc in an edge problem" : "an edge in a shortest path problem", at: start)
        }
        let source = try node(&text, of: header.nodes)
        let target = try node(&text, of: header.nodes)
        let word = text.word()
        guard !word.isEmpty || !isArc else { throw text.error("the arc has no weight", hint: dimacsHint) }
        let weight = word.isEmpty ? 1 : try GraphBuilder.weight(word, in: text)
        guard builder.edges.count < header.edges else {
          throw text.error("more edges than the \(header.edges) of the problem line", at: start)
        }
        try builder.add(source, target, weight: weight, at: word.lowerBound, in: text)
        try text.endLine(after: "the edge")
      default: throw text.error("\(text.quoted(kind)) is no kind of line", at: start, hint: dimacsHint)
      }
    }
    guard let header else { throw text.error("there is no problem line", at: 0, hint: dimacsHint) }
    guard builder.edges.count == header.edges else {
      throw text.error(
        "the problem line promises \(header.edges) edges, the file has \(builder.edges.count)",
        at: header.offset,
        hint: "was the file cut off?")
    }
    return builder.countedFromOne(header.nodes, in: text)
  }

  private static let dimacsHint = "lines are: c COMMENT; p sp NODES ARCS; a SOURCE TARGET WEIGHT"

  /// A node counted from 1, as an index from 0.
  private static func node(_ text: inout GraphText, of count: Int) throws -> Int {
    let word = text.word()
    guard let number = text.integer(word) else {
      throw text.error(
        word.isEmpty ? "a node is missing" : "\(text.quoted(word)) is not a node's number",
        at: word.lowerBound)
    }
    guard number >= 1 && number <= count else {
      throw text.error("node \(number) is not one of 1 to \(count)", at: word.lowerBound)
    }
    return number - 1
  }

  /// Two names and perhaps a weight between blanks or tabs; comments behind # or %. Directed unless a comment
  /// says `undirected`, as those of SNAP's files do.
  static func edgeList(_ text: GraphText) throws -> GraphSource {
    var text = text
    var builder = GraphBuilder()
    while !text.isAtEnd {
      let source = text.word()
      guard !source.isEmpty else {
        text.position += 1
        continue
      }
      let first = text.bytes[source.lowerBound]
      if first == UInt8(ascii: "#") || first == UInt8(ascii: "%") {
        text.skipLine()
        if builder.edges.isEmpty {
          let comment = text.string(source.lowerBound..<min(text.position, source.lowerBound + 200))
            .lowercased()
          if comment.contains("undirected") { builder.isDirected = false }
        }
        continue
      }
      let target = text.word()
      guard !target.isEmpty else {
        throw text.error(
          "an edge needs two nodes", at: source.lowerBound, hint: "lines are: SOURCE TARGET [WEIGHT]")
      }
      let word = text.word()
      let weight: Double
      if word.isEmpty {
        weight = 1
      } else if text.bytes[word.lowerBound] == UInt8(ascii: "{") {
        throw text.error(
          "attributes in braces are not read", at: word.lowerBound,
          hint: "write the weight alone: SOURCE TARGET WEIGHT")
      } else {
        weight = try GraphBuilder.weight(word, in: text)
      }
      try builder.add(
        builder.table.node(text.bytes[source]), builder.table.node(text.bytes[target]), weight: weight,
        at: word.isEmpty ? source.lowerBound : word.lowerBound, in: text)
      try text.endLine(after: "the edge")
    }
    return builder.named(in: text)
  }

  /// Matrix Market, coordinate format: entry (i, j) is an edge from i to j, counted from 1; a symmetric matrix is an
  /// undirected graph.
  static func matrixMarket(_ text: GraphText) throws -> GraphSource {
    var text = text
    var builder = GraphBuilder()
    let banner = (0..<5).map { _ in text.word() }
    let words = banner.map { text.string($0).lowercased() }
    guard words[0] == "%%matrixmarket", words[1] == "matrix" else {
      throw text.error("the file does not begin with %%MatrixMarket matrix", at: 0, hint: matrixHint)
    }
    func check(_ word: Int, _ accepted: [String]) throws {
      guard accepted.contains(words[word]) else {
        throw text.error(
          "\(text.quoted(banner[word])) matrices are not read", at: banner[word].lowerBound, hint: matrixHint)
      }
    }
    try check(2, ["coordinate"])
    try check(3, ["real", "integer", "pattern"])
    try check(4, ["general", "symmetric"])
    let isPattern = words[3] == "pattern"
    builder.isDirected = words[4] == "general"
    try text.endLine(after: "the first line")
    var size: (nodes: Int, entries: Int, offset: Int)?
    while !text.isAtEnd {
      text.skipBlanks()
      if text.byte == UInt8(ascii: "%") { text.skipLine() }
      guard text.byte != 10 && !text.isAtEnd else {
        text.position += 1
        continue
      }
      let start = text.position
      guard let header = size else {
        let numbers = (0..<3).map { _ in text.word() }
        guard let rows = text.integer(numbers[0]), let columns = text.integer(numbers[1]),
          let entries = text.integer(numbers[2])
        else { throw text.error("the size line is: ROWS COLUMNS ENTRIES", at: start) }
        guard rows == columns else {
          throw text.error("a matrix of \(rows) rows and \(columns) columns is no graph", at: start)
        }
        try GraphBuilder.checkNodeCount(rows, at: start, in: text)
        size = (rows, entries, numbers[2].lowerBound)
        try text.endLine(after: "the size line")
        continue
      }
      let source = try node(&text, of: header.nodes)
      let target = try node(&text, of: header.nodes)
      let word = isPattern ? start..<start : text.word()
      guard isPattern || !word.isEmpty else { throw text.error("the entry has no value") }
      let weight = isPattern ? 1 : try GraphBuilder.weight(word, in: text)
      guard builder.edges.count < header.entries else {
        throw text.error("more entries than the \(header.entries) of the size line", at: start)
      }
      try builder.add(source, target, weight: weight, at: word.lowerBound, in: text)
      try text.endLine(after: "the entry")
    }
    guard let size else { throw text.error("there is no size line") }
    guard builder.edges.count == size.entries else {
      throw text.error(
        "the size line promises \(size.entries) entries, the file has \(builder.edges.count)",
        at: size.offset,
        hint: "was the file cut off?")
    }
    return builder.countedFromOne(size.nodes, in: text)
  }

  private static let matrixHint =
    "the first line is: %%MatrixMarket matrix coordinate real|integer|pattern general|symmetric"
}
