import TextFiles

extension GraphReaders {
  /// GraphML: one graph; nodes by their `id`; of the data of edges the key whose `attr.name` (or id) is `weight` counts,
  /// with its default. Hyperedges, nested graphs and graphs that mix directed and undirected edges are refused by name.
  /// Other data and the namespace are passed over.
  static func graphML(_ text: GraphText) throws -> GraphSource {
    var reader = GraphMLReader(text)
    return try reader.read()
  }
}

private struct GraphMLReader {
  private struct Edge {
    var source: Int
    var target: Int
    var offset: Int
    var weight: Double?
    var weightOffset: Int
  }

  private let text: GraphText
  private var scanner: XMLScanner
  private var builder = GraphBuilder()
  private var isDeclared: [Bool] = []
  /// Nodes that edges named before any node element did.
  private var undeclared: [(node: Int, offset: Int)] = []
  private var open: [Range<Int>] = []
  private var edge: Edge?
  private var hasGraph = false
  /// The key of edge weights, once one is declared.
  private var weightKey: [UInt8]?
  private var defaultWeight: Double = 1
  /// What the text that follows is.
  private enum Content { case other, weight, defaultWeight }
  private var content = Content.other
  private var collected: [UInt8] = []
  private var collectedOffset = 0

  init(_ text: GraphText) {
    self.text = text
    scanner = XMLScanner(text)
  }

  mutating func read() throws -> GraphSource {
    while let event = try scanner.next() {
      switch event {
      case .open(let name, let isEmpty):
        try begin(name)
        if isEmpty { try end(name) } else { open.append(name) }
        guard open.count <= 64 else {
          throw text.error("elements are nested more than 64 deep", at: name.lowerBound)
        }
      case .close(let name):
        guard let last = open.popLast(), text.bytes[last] == text.bytes[name] else {
          throw text.error(
            "</\(text.string(name.lowerBound..<min(name.upperBound, name.lowerBound + 40)))> closes no element",
            at: name.lowerBound)
        }
        try end(name)
      case .text(let range), .characterData(let range):
        guard content != .other else { continue }
        if collected.isEmpty { collectedOffset = range.lowerBound }
        if case .characterData = event {
          collected += text.bytes[range]
        } else {
          collected += try scanner.decoded(range)
        }
      }
    }
    if let last = open.last {
      throw text.error("the element is not closed", at: last.lowerBound, hint: "was the file cut off?")
    }
    guard hasGraph else { throw text.error("there is no graph element", at: 0) }
    for (node, offset) in undeclared where !isDeclared[node] {
      let name = builder.table.name(node)
      let known = isDeclared.indices.filter { isDeclared[$0] }.map(builder.table.name)
      throw text.error(
        "no node has the id '\(name.prefix(40))'", at: offset,
        hint: NameSuggestion.closest(to: name, among: known).map { "did you mean '\($0)'?" })
    }
    return builder.named(in: text)
  }

  private mutating func begin(_ name: Range<Int>) throws {
    if scanner.isNamed(name, "graph") {
      guard !hasGraph else {
        throw text.error("a second or nested graph", at: name.lowerBound, hint: "one graph a file is read")
      }
      hasGraph = true
      builder.isDirected = try direction(scanner.attribute("edgedefault"), at: name.lowerBound) ?? true
    } else if scanner.isNamed(name, "node") {
      guard let id = scanner.attribute("id") else {
        throw text.error("the node has no id", at: name.lowerBound)
      }
      let node = try self.node(id)
      guard !isDeclared[node] else { throw text.error("a second node of this id", at: id.lowerBound) }
      isDeclared[node] = true
    } else if scanner.isNamed(name, "edge") {
      guard hasGraph else { throw text.error("an edge outside of the graph", at: name.lowerBound) }
      guard edge == nil else { throw text.error("an edge inside of an edge", at: name.lowerBound) }
      guard let source = scanner.attribute("source"), let target = scanner.attribute("target") else {
        throw text.error("the edge lacks its source or target", at: name.lowerBound)
      }
      if let own = try direction(scanner.attribute("directed"), at: name.lowerBound),
        own != builder.isDirected
      {
        throw text.error(
          "directed and undirected edges in one graph", at: name.lowerBound,
          hint: "replace every undirected edge by two directed ones")
      }
      edge = Edge(
        source: try node(source), target: try node(target), offset: name.lowerBound,
        weightOffset: name.lowerBound)
    } else if scanner.isNamed(name, "key") {
      let target = scanner.attribute("for").map(text.string) ?? "all"
      let isWeight = scanner.attribute("attr.name").map(text.string) == "weight"
      if isWeight, target == "edge" || target == "all", let id = scanner.attribute("id") {
        weightKey = Array(try scanner.decoded(id))
        content = .other
        isInWeightKey = true
      }
    } else if scanner.isNamed(name, "default"), isInWeightKey {
      (content, collected) = (.defaultWeight, [])
    } else if scanner.isNamed(name, "data"), edge != nil {
      guard let key = scanner.attribute("key") else {
        throw text.error("the data has no key", at: name.lowerBound)
      }
      if try scanner.decoded(key).elementsEqual(weightKey ?? Array("weight".utf8)) {
        (content, collected) = (.weight, [])
      }
    } else if scanner.isNamed(name, "hyperedge") {
      throw text.error("hyperedges are not read", at: name.lowerBound)
    }
  }

  private var isInWeightKey = false

  private mutating func end(_ name: Range<Int>) throws {
    if scanner.isNamed(name, "edge"), let edge {
      try builder.add(
        edge.source, edge.target, weight: edge.weight ?? defaultWeight, at: edge.weightOffset, in: text)
      self.edge = nil
    } else if scanner.isNamed(name, "key") {
      isInWeightKey = false
    } else if content != .other, scanner.isNamed(name, "data") || scanner.isNamed(name, "default") {
      let trimmed = collected.drop { $0 <= 32 }.reversed().drop { $0 <= 32 }.reversed()
      let number = GraphText(Array(trimmed), file: "")
      guard let value = number.number(0..<number.bytes.count) else {
        throw text.error(
          "\(number.quoted(0..<number.bytes.count)) is not a number",
          at: collected.isEmpty ? name.lowerBound : collectedOffset)
      }
      if content == .weight {
        edge?.weight = value
        edge?.weightOffset = collectedOffset
      } else {
        defaultWeight = value
      }
      content = .other
    }
  }

  private func direction(_ value: Range<Int>?, at offset: Int) throws -> Bool? {
    guard let value else { return nil }
    switch text.string(value) {
    case "directed", "true", "1": return true
    case "undirected", "false", "0": return false
    default:
      throw text.error("\(text.quoted(value)) is neither directed nor undirected", at: value.lowerBound)
    }
  }

  private mutating func node(_ id: Range<Int>) throws -> Int {
    let node = builder.table.node(try scanner.decoded(id))
    if node == isDeclared.count {
      isDeclared.append(false)
      undeclared.append((node, id.lowerBound))
    }
    return node
  }
}
