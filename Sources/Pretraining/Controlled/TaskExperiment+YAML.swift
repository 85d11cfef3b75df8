import RecipeFiles
import TextFiles
import Yams

extension TaskExperiment {
  /// The most runs of an experiment, and the most seeds.
  static var runLimit: Int { 100 }
  static var seedLimit: Int { 50 }

  /// Reads an experiment and the recipes it names, which are sought from the experiment's own folder.
  ///
  /// - Throws: `SourceError` at the line of an unknown key or wrong value, in the experiment or a recipe.
  public init(path: String) throws {
    let (bytes, recipe) = try YAMLNodes.experiment(
      path, of: Recipe.self,
      hint: "experiments are YAML files, as Experiments/LoopedLanguageModels/mano.yaml")
    try self.init(yaml: bytes, file: path, recipe: recipe)
  }

  /// The same from text.
  ///
  /// - Parameter recipe: reads a recipe that the text names.
  public init(
    yaml source: [UInt8], file: String, recipe: (_ name: String, _ settings: [String]) throws -> Recipe
  ) throws {
    let reader = try YAMLNodes(source: source, file: file, what: "an experiment")
    let root = try reader.root("the experiment")
    self.init(name: "", setting: "", seeds: [1], runs: [], table: [], figures: [], claims: [])
    var (runNodes, figureNodes, claimNodes, tableNodes) = ([Node](), [Node](), [Node](), [Node]())
    try reader.mapping(root, "an experiment") { key, keyNode, value in
      switch key {
      case "name": name = try reader.word(value, key)
      case "trains":
        let kind = try ExperimentKind(reader.word(value, key), value, reader)
        guard kind == Recipe.trains else {
          throw reader.error(value, "trains \(kind), and is read as an experiment with \(Recipe.trains)")
        }
      case "setting": setting = try reader.word(value, key)
      case "seeds":
        let text = try reader.word(value, key)
        guard let count = Int(text), (1...Self.seedLimit).contains(count) else {
          throw reader.error(value, "seeds: a number of 1 to \(Self.seedLimit), not '\(text.prefix(40))'")
        }
        seeds = Array(1...count)
      case "runs": runNodes = try reader.list(value, key)
      case "table": tableNodes = try reader.list(value, key)
      case "figures": figureNodes = try reader.list(value, key)
      case "claims": claimNodes = try reader.list(value, key)
      default:
        throw reader.unknown(
          keyNode, key, ["name", "trains", "setting", "seeds", "runs", "table", "figures", "claims"])
      }
    }
    guard !runNodes.isEmpty, runNodes.count <= Self.runLimit else {
      throw reader.error(root, "an experiment has 1 to \(Self.runLimit) runs, not \(runNodes.count)")
    }
    for node in runNodes { runs.append(try Self.run(node, reader, recipe)) }
    guard Set(runs.map(\.name)).count == runs.count else {
      throw reader.error(runNodes[0], "two runs have the same name")
    }
    table = try tableNodes.map { node in
      let name = try reader.word(node, "table")
      // A column need not be in every run: one loop has no second.
      guard runs.contains(where: { Self.names(of: $0.recipe).contains(name) }) else {
        throw reader.error(node, "no run measures '\(name.prefix(60))'")
      }
      return name
    }
    for node in figureNodes { figures.append(try figure(node, reader)) }
    guard Set(figures.map(\.name)).count == figures.count else {
      throw reader.error(figureNodes[0], "two figures have the same name")
    }
    for node in claimNodes { claims.append(try claim(node, reader)) }
  }

  private static func names(of recipe: Recipe) -> Set<String> {
    Set(recipe.blank.values.map(\.name))
  }

  private static func run(
    _ node: Node, _ reader: YAMLNodes, _ recipe: (String, [String]) throws -> Recipe
  ) throws -> Run {
    try reader.run(node, reserved: ["@", "+", "<", ">"], recipe: recipe) { setting, keyNode, node in
      guard setting != "seed" else {
        throw reader.error(keyNode, "the seeds are the experiment's, not a run's")
      }
      return try reader.word(node, setting)
    }
  }

  private func figure(_ node: Node, _ reader: YAMLNodes) throws -> Figure {
    var (name, title, over, lines) = ("", "", "loops", String?.none)
    var (chosen, shows) = ([String](), Figure.Quantity.accuracy)
    let keys = Set(Recipe.fields.map(\.key))
    try reader.mapping(node, "a figure") { key, keyNode, value in
      switch key {
      case "name": name = try reader.word(value, key)
      case "title": title = try reader.word(value, key)
      case "over":
        over = try reader.word(value, key)
        guard keys.contains(over) || ["loops", "groups", "exits", "agreement"].contains(over) else {
          throw reader.error(
            value,
            "'\(over.prefix(60))' is neither loops, groups, exits, agreement nor a key of recipes")
        }
      case "lines":
        let text = try reader.word(value, key)
        guard keys.contains(text) else {
          throw reader.error(value, "'\(text.prefix(60))' is no key of recipes")
        }
        lines = text
      case "shows":
        let text = try reader.word(value, key)
        guard let quantity = Figure.Quantity(rawValue: text) else {
          let names = Figure.Quantity.allCases.map(\.rawValue).joined(separator: ", ")
          throw reader.error(value, "'\(text.prefix(60))' is none of \(names)")
        }
        shows = quantity
      case "runs":
        chosen = try reader.runNames(value, among: runs.map(\.name))
      default: throw reader.unknown(keyNode, key, ["name", "title", "over", "lines", "shows", "runs"])
      }
    }
    try reader.checkFigureName(name, node)
    let axis: Figure.Axis =
      switch over {
      case "loops": .loops
      case "groups": .groups
      case "exits": .exits
      case "agreement": .agreement
      default: .key(over, lines: lines)
      }
    return Figure(name: name, title: title.isEmpty ? name : title, axis: axis, shows: shows, runs: chosen)
  }

  private func claim(_ node: Node, _ reader: YAMLNodes) throws -> TaskClaim {
    let (says, comparisons) = try reader.claim(
      node, example: "looped @ operations 4 > 0.1 + same parameters @ operations 4"
    ) { text, node in
      guard let comparison = TaskClaim.Comparison(text) else { return TaskClaim.Comparison?.none }
      for term in [comparison.left, comparison.right] {
        guard let name = term.run else { continue }
        guard let run = runs.first(where: { $0.name == name }) else {
          throw reader.error(node, "no run is named '\(name.prefix(60))'")
        }
        let names = run.recipe.blank.values.map(\.name)
        guard names.contains(term.value) else {
          throw reader.error(
            node, "'\(term.value.prefix(60))' is not measured of '\(name)'",
            hint: "there are \(names.prefix(12).joined(separator: ", ")) …")
        }
      }
      return comparison
    }
    return TaskClaim(says: says, comparisons: comparisons)
  }
}

extension ExperimentKind {
  /// What the experiment in a file trains: its `trains`, or tasks. What else is wrong with it, reading it tells.
  ///
  /// - Throws: `SourceError`.
  public init(experiment path: String) throws {
    self = .tasks
    guard let bytes = YAMLNodes.bytes(of: path) else { return }
    let reader = try YAMLNodes(source: bytes, file: path, what: "an experiment")
    guard let root = reader.contents, root.mapping != nil else { return }
    try reader.mapping(root, "an experiment") { key, _, value in
      if key == "trains" { self = try Self(reader.word(value, key), value, reader) }
    }
  }

  fileprivate init(_ text: String, _ node: Node, _ reader: YAMLNodes) throws {
    guard let kind = Self(rawValue: text) else {
      let names = Self.allCases.map(\.rawValue).joined(separator: " nor ")
      throw reader.error(node, "an experiment trains neither \(names) with '\(text.prefix(40))'")
    }
    self = kind
  }
}
