import TextFiles

extension GraphReaders {
  /// DOT (Graphviz): one graph or digraph; node and edge statements, chains, subgraphs as groups of nodes, ports (passed
  /// over), attributes with defaults. The weight of an edge is its `weight`, else its `label` if that is a number,
  /// else 1.
  static func dot(_ text: GraphText) throws -> GraphSource {
    var reader = try DOTReader(text)
    return try reader.read()
  }
}

private struct DOTReader {
  private struct Weight {
    var value: Double
    var offset: Int
  }
  private struct Attributes {
    var weight: Weight?
    var label: Weight?
    var effective: Weight? { weight ?? label }

    func over(_ defaults: Attributes) -> Attributes {
      Attributes(weight: weight ?? defaults.weight, label: label ?? defaults.label)
    }
  }

  private let text: GraphText
  private var scanner: DOTScanner
  private var builder = GraphBuilder()
  /// Edges between groups multiply; so many may come of a file.
  private let largestEdgeCount: Int
  private var depth = 0

  init(_ text: GraphText) throws {
    self.text = text
    scanner = try DOTScanner(text)
    largestEdgeCount = 1 << 20 + text.bytes.count
  }

  mutating func read() throws -> GraphSource {
    if isKeyword("strict") { try scanner.advance() }
    if isKeyword("digraph") {
      builder.isDirected = true
    } else if isKeyword("graph") {
      builder.isDirected = false
    } else {
      throw scanner.error("graph or digraph expected", hint: "a DOT file is: digraph NAME { a -> b; }")
    }
    try scanner.advance()
    if case .id = scanner.token { try scanner.advance() }
    try expect("{")
    _ = try statements(edgeDefaults: Attributes(), wantsNodes: false)
    guard scanner.token == .end else {
      throw scanner.error("text behind the graph", hint: "one graph a file is read")
    }
    return builder.named(in: text)
  }

  private func isKeyword(_ word: String) -> Bool {
    guard case .id(let bytes, isQuoted: false) = scanner.token, bytes.count == word.utf8.count else {
      return false
    }
    return zip(bytes, word.utf8).allSatisfy { $0 | 32 == $1 }
  }

  private func isSign(_ sign: Character) -> Bool { scanner.token == .sign(sign.asciiValue ?? 0) }

  private mutating func expect(_ sign: Character) throws {
    guard isSign(sign) else {
      throw scanner.error("\(sign) expected", hint: scanner.token == .end ? "was the file cut off?" : nil)
    }
    try scanner.advance()
  }

  /// What stands between { and }, which it reads too.
  /// - Returns: the nodes named in it, each once, if wanted.
  private mutating func statements(edgeDefaults: Attributes, wantsNodes: Bool) throws -> [Int] {
    depth += 1
    defer { depth -= 1 }
    guard depth <= 64 else { throw scanner.error("subgraphs are nested more than 64 deep") }
    var edgeDefaults = edgeDefaults
    var nodes: [Int] = []
    while !isSign("}") {
      if isSign(";") {
        try scanner.advance()
      } else if isKeyword("edge") {
        try scanner.advance()
        edgeDefaults = try attributes().over(edgeDefaults)
      } else if isKeyword("node") || isKeyword("graph") {
        try scanner.advance()
        _ = try attributes()
      } else {
        let found = try statement(edgeDefaults)
        if wantsNodes { nodes += found }
      }
    }
    try scanner.advance()
    guard wantsNodes else { return [] }
    var seen = Set<Int>()
    return nodes.filter { seen.insert($0).inserted }
  }

  /// A node, an edge chain, a subgraph, or `name = value`.
  private mutating func statement(_ edgeDefaults: Attributes) throws -> [Int] {
    let start = scanner.start
    if case .id = scanner.token, !isKeyword("subgraph") {
      let before = scanner
      try scanner.advance()
      if isSign("=") {
        try scanner.advance()
        guard case .id = scanner.token else { throw scanner.error("a value expected") }
        try scanner.advance()
        return []
      }
      scanner = before
    }
    var groups = [try group(edgeDefaults)]
    while case .edge(let isDirected) = scanner.token {
      guard isDirected == builder.isDirected else {
        throw scanner.error(isDirected ? "-> in an undirected graph" : "-- in a directed graph")
      }
      try scanner.advance()
      groups.append(try group(edgeDefaults))
    }
    let attributes = try attributes().over(edgeDefaults)
    let weight = attributes.effective
    for (sources, targets) in zip(groups, groups.dropFirst()) {
      guard builder.edges.count + sources.count * targets.count <= largestEdgeCount else {
        throw text.error(
          "more than \(largestEdgeCount) edges", at: start,
          hint: "an edge between subgraphs joins every node of one to every node of the other")
      }
      for source in sources {
        for target in targets {
          try builder.add(source, target, weight: weight?.value ?? 1, at: weight?.offset ?? start, in: text)
        }
      }
    }
    return groups.count == 1 ? groups[0] : groups.flatMap { $0 }
  }

  /// A node with its port, or a subgraph.
  private mutating func group(_ edgeDefaults: Attributes) throws -> [Int] {
    if isKeyword("subgraph") {
      try scanner.advance()
      if case .id = scanner.token { try scanner.advance() }
      try expect("{")
      return try statements(edgeDefaults: edgeDefaults, wantsNodes: true)
    }
    if isSign("{") {
      try scanner.advance()
      return try statements(edgeDefaults: edgeDefaults, wantsNodes: true)
    }
    guard case .id(let name, _) = scanner.token else {
      throw scanner.error(
        scanner.token == .end ? "} expected" : "a node expected",
        hint: scanner.token == .end ? "was the file cut off?" : nil)
    }
    let node = builder.table.node(name[...])
    try scanner.advance()
    var ports = 0
    while isSign(":") {
      try scanner.advance()
      guard case .id = scanner.token, ports < 2 else { throw scanner.error("a port expected") }
      ports += 1
      try scanner.advance()
    }
    return [node]
  }

  /// Any number of `[name = value, …]`.
  private mutating func attributes() throws -> Attributes {
    var attributes = Attributes()
    while isSign("[") {
      try scanner.advance()
      while !isSign("]") {
        guard case .id(let name, _) = scanner.token else { throw scanner.error("an attribute or ] expected") }
        try scanner.advance()
        if isSign("=") {
          try scanner.advance()
          let offset = scanner.start
          guard case .id(let value, _) = scanner.token else { throw scanner.error("a value expected") }
          let number = GraphText(value, file: "").number(0..<value.count)
          switch String(decoding: name, as: UTF8.self) {
          case "weight":
            guard let number else {
              let quoted = GraphText(value, file: "").quoted(0..<value.count)
              throw scanner.error("\(quoted) is not a number")
            }
            attributes.weight = Weight(value: number, offset: offset)
          case "label":
            if let number, number.isFinite { attributes.label = Weight(value: number, offset: offset) }
          default: break
          }
          try scanner.advance()
        }
        if isSign(",") || isSign(";") { try scanner.advance() }
      }
      try scanner.advance()
    }
    return attributes
  }
}
