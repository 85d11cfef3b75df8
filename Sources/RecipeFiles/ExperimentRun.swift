import TextFiles
import Yams

/// A kind of recipe that experiments run.
public protocol ExperimentRecipe: RecipeFile, Equatable, Sendable {
  var name: String { get set }
  /// Whether a key leaves training as it is: what is measured afterwards, names, logging.
  static func isUntrained(key: String) -> Bool
}

/// A run of an experiment: a recipe with settings over it, under the name that figures and claims use.
public struct ExperimentRun<Recipe: ExperimentRecipe>: Equatable, Sendable {
  public var name: String
  public var recipe: Recipe
  /// The recipe's file as the experiment writes it, for people.
  public var file: String
  /// `key=value`, sorted.
  public var settings: [String]

  public init(name: String, recipe: Recipe, file: String, settings: [String]) {
    (self.name, self.recipe, self.file, self.settings) = (name, recipe, file, settings)
  }

  /// The folder of the run within that of all runs. Runs that train the same share it.
  public var folder: String { folder(further: []) }

  /// The same, with settings that are not the run's own, such as a seed.
  public func folder(further: [String]) -> String {
    let stem = file.split(separator: "/").last.map(String.init) ?? file
    let trained = settings.filter { !Recipe.isUntrained(key: String($0.prefix { $0 != "=" })) }
    return ([stem.hasSuffix(".yaml") ? String(stem.dropLast(5)) : stem] + trained + further)
      .joined(separator: ",").replacing("/", with: "-")
  }
}

extension YAMLNodes {
  /// Opens an experiment's file.
  /// - Returns: its bytes, and what reads the recipes it names, sought from its own folder.
  /// - Throws: `SourceError` if it cannot be read.
  package static func experiment<Recipe: RecipeFile>(
    _ path: String, of recipe: Recipe.Type, hint: String
  ) throws -> (bytes: [UInt8], recipe: (_ name: String, _ settings: [String]) throws -> Recipe) {
    guard let bytes = bytes(of: path) else {
      throw SourceError(
        file: path, source: [], offset: 0, message: "the experiment cannot be read", hint: hint)
    }
    let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast()
    let base = folder.isEmpty ? "." : folder.joined(separator: "/")
    return (
      bytes,
      { try Recipe(path: $0.hasPrefix("/") ? $0 : base + "/" + $0, settings: $1) }
    )
  }

  /// Reads `{name, recipe, set}`.
  ///
  /// - Parameters:
  ///   - reserved: characters that claims give a meaning, so that no name may have them.
  ///   - setting: reads the value of a key below `set`.
  package func run<Recipe>(
    _ node: Node, reserved: [Character], recipe: (String, [String]) throws -> Recipe,
    setting: (_ key: String, _ keyNode: Node, _ value: Node) throws -> String
  ) throws -> ExperimentRun<Recipe> {
    var (name, file, settings) = ("", "", [String]())
    try mapping(node, "a run") { key, keyNode, value in
      switch key {
      case "name": name = try word(value, key)
      case "recipe": file = try word(value, key)
      case "set": try mapping(value, "'set'") { settings.append("\($0)=\(try setting($0, $1, $2))") }
      default: throw unknown(keyNode, key, ["name", "recipe", "set"])
      }
    }
    guard !name.isEmpty, !name.contains(where: reserved.contains) else {
      let signs = reserved.dropLast().map(String.init).joined(separator: " ")
      throw error(node, "a run needs a name, without \(signs) and \(reserved.last!)")
    }
    guard !file.isEmpty else { throw error(node, "run '\(name.prefix(60))' names no recipe") }
    var made = try recipe(file, settings)
    made.name = name
    return ExperimentRun(name: name, recipe: made, file: file, settings: settings.sorted())
  }

  /// Names of runs that there are.
  package func runNames(_ node: Node, among names: some Collection<String>) throws -> [String] {
    try list(node, "runs").map { node in
      let run = try word(node, "runs")
      guard names.contains(run) else { throw error(node, "no run is named '\(run.prefix(60))'") }
      return run
    }
  }

  /// Checks the name of a figure, which is its file's.
  package func checkFigureName(_ name: String, _ node: Node) throws {
    guard !name.isEmpty, name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }) else {
      throw error(node, "a figure needs a name of letters, digits and dashes: its file's")
    }
  }

  /// Reads `{says, that}`.
  ///
  /// - Parameters:
  ///   - example: a comparison as it should be, for errors.
  ///   - comparison: reads one; `nil` if it is none.
  package func claim<Comparison>(
    _ node: Node, example: String, comparison: (_ text: String, _ node: Node) throws -> Comparison?
  ) throws -> (says: String, comparisons: [Comparison]) {
    var (says, comparisons) = ("", [Comparison]())
    try mapping(node, "a claim") { key, keyNode, value in
      switch key {
      case "says": says = try word(value, key)
      case "that":
        for node in try list(value, key) {
          let text = try word(node, key)
          guard let read = try comparison(text, node) else {
            throw error(node, "'\(text.prefix(80))' is no comparison", hint: "for example: \(example)")
          }
          comparisons.append(read)
        }
      default: throw unknown(keyNode, key, ["says", "that"])
      }
    }
    guard !says.isEmpty, !comparisons.isEmpty else {
      throw error(node, "a claim says something, that some comparisons show")
    }
    return (says, comparisons)
  }
}
