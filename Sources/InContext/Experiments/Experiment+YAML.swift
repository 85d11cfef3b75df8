import RecipeFiles
import TextFiles
import Yams

extension Experiment {
  /// The most runs of an experiment.
  static let runLimit = 200

  /// Reads an experiment and the recipes it names, which are sought from the experiment's own folder.
  ///
  /// - Throws: `SourceError` at the line of an unknown key or wrong value, in the experiment or a recipe.
  public init(path: String) throws {
    let (bytes, recipe) = try YAMLNodes.experiment(
      path, of: Recipe.self, hint: "experiments are YAML files, as those in Experiments/")
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
    var (name, setting) = ("", "")
    var (runs, places, figures, claims) = ([Run](), [Place](), [Figure](), [Claim]())
    var (runNodes, figureNodes, claimNodes, probeNode) = ([Node](), [Node](), [Node](), Node?.none)
    try reader.mapping(root, "an experiment") { key, keyNode, value in
      switch key {
      case "name": name = try reader.word(value, key)
      case "setting": setting = try reader.word(value, key)
      case "runs": runNodes = try reader.list(value, key)
      case "table":
        places = try reader.list(value, key).map { node in
          let text = try reader.word(node, key)
          guard let place = Place(text) else { throw reader.error(node, Self.noPlace(text)) }
          return place
        }
      case "figures": figureNodes = try reader.list(value, key)
      case "claims": claimNodes = try reader.list(value, key)
      case "probes": probeNode = value
      default:
        throw reader.unknown(
          keyNode, key, ["name", "setting", "runs", "table", "figures", "claims", "probes"])
      }
    }
    guard !runNodes.isEmpty, runNodes.count <= Self.runLimit else {
      throw reader.error(root, "an experiment has 1 to \(Self.runLimit) runs, not \(runNodes.count)")
    }
    for node in runNodes { runs.append(try Self.run(node, reader, recipe)) }
    let names = Set(runs.map(\.name))
    guard names.count == runs.count else { throw reader.error(runNodes[0], "two runs have the same name") }
    for node in figureNodes { figures.append(try Self.figure(node, reader, names)) }
    guard Set(figures.map(\.name)).count == figures.count else {
      throw reader.error(figureNodes[0], "two figures have the same name")
    }
    for node in claimNodes { claims.append(try Self.claim(node, reader, names)) }
    let probes = try probeNode.map { try Self.probes($0, reader, names) }
    self.init(
      name: name, setting: setting, runs: runs, places: places, figures: figures, claims: claims,
      probes: probes)
  }

  private static func probes(_ node: Node, _ reader: YAMLNodes, _ names: Set<String>) throws -> Probes {
    var probes = Probes(runs: [])
    func number(_ node: Node, _ key: String, _ range: ClosedRange<Int>) throws -> Int {
      guard let number = Int(try reader.word(node, key)), range.contains(number) else {
        throw reader.error(node, "\(key) is \(range.lowerBound) to \(range.upperBound)")
      }
      return number
    }
    try reader.mapping(node, "'probes'") { key, keyNode, value in
      switch key {
      case "runs": probes.runs = try reader.runNames(value, among: names)
      case "steps": probes.steps = try number(value, key, 1...1_000_000)
      case "batch": probes.batch = try number(value, key, 2...65_536)
      default: throw reader.unknown(keyNode, key, ["runs", "steps", "batch"])
      }
    }
    return probes
  }

  private static func noPlace(_ text: String) -> String {
    "'\(text.prefix(60))' is no place: those are as 'context 10', 'loops 60' or 'skewed 10'"
  }

  private static func run(
    _ node: Node, _ reader: YAMLNodes, _ recipe: (String, [String]) throws -> Recipe
  ) throws -> Run {
    try reader.run(node, reserved: ["@", "*", "<", ">", "/"], recipe: recipe) { setting, _, node in
      node.sequence == nil
        ? try reader.word(node, setting)
        : try reader.list(node, setting).map { try reader.word($0, setting) }.joined(separator: ",")
    }
  }

  private static func figure(_ node: Node, _ reader: YAMLNodes, _ names: Set<String>) throws -> Figure {
    var (name, title, over, lines) = ("", "", "context", String?.none)
    var (runs, baselines, at) = ([String](), [String](), Place?.none)
    let keys = Set(Recipe.fields.map(\.key))
    try reader.mapping(node, "a figure") { key, keyNode, value in
      switch key {
      case "name": name = try reader.word(value, key)
      case "title": title = try reader.word(value, key)
      case "over":
        over = try reader.word(value, key)
        guard keys.contains(over) || Place.isPart(over) else {
          throw reader.error(
            value, "'\(over.prefix(60))' is neither context, loops, a shift, a probe nor a key of recipes")
        }
      case "at":
        let text = try reader.word(value, key)
        at = Place(text)
        guard at != nil else { throw reader.error(value, noPlace(text)) }
      case "lines":
        lines = try reader.word(value, key)
        guard keys.contains(lines!) else {
          throw reader.error(value, "'\(lines!.prefix(60))' is no key of recipes")
        }
      case "runs":
        runs = try reader.runNames(value, among: names)
      case "baselines": baselines = try reader.list(value, key).map { try reader.word($0, key) }
      default:
        throw reader.unknown(keyNode, key, ["name", "title", "over", "at", "lines", "runs", "baselines"])
      }
    }
    try reader.checkFigureName(name, node)
    var axis = over == "loops" ? Figure.Axis.loops : .context(part: over)
    if keys.contains(over) {
      guard let at else { throw reader.error(node, "over '\(over)', a figure says where: at: context 10") }
      axis = .key(over, at: at, lines: lines)
    }
    return Figure(
      name: name, title: title.isEmpty ? name : title, axis: axis, runs: runs, baselines: baselines)
  }

  private static func claim(_ node: Node, _ reader: YAMLNodes, _ names: Set<String>) throws -> Claim {
    let (says, comparisons) = try reader.claim(
      node, example: "looped @ context 10 < 3 * standard @ context 10"
    ) { text, node in
      guard let comparison = Claim.Comparison(text) else { return Claim.Comparison?.none }
      for run in [comparison.left.run, comparison.right.run].compactMap({ $0 }) where !names.contains(run) {
        throw reader.error(node, "no run is named '\(run.prefix(60))'")
      }
      return comparison
    }
    return Claim(says: says, comparisons: comparisons)
  }
}
