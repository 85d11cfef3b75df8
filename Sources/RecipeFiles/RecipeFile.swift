/// A kind of recipe: an experiment that a YAML file describes, by keys `name` and `section.name`.
///
/// A conforming type says which keys there are and what contradicts; reading, writing and the errors come with it.
public protocol RecipeFile {
  init()
  var name: String { get }
  /// Every key, in the order files are written in.
  static var fields: [RecipeField<Self>] { get }
  /// The command that lists the keys.
  static var keysCommand: String { get }
  /// What contradicts within the recipe: the key to blame, and why. `nil` if nothing does.
  var contradiction: (key: String, problem: String)? { get }
}

extension RecipeFile {
  /// The text of every key's value.
  public var yamlValues: [String: String] {
    Dictionary(uniqueKeysWithValues: Self.fields.map { ($0.key, $0.get(self)) })
  }

  /// The name as a file could have it.
  public var fileName: String {
    let words = name.lowercased().split { !($0.isASCII && ($0.isLetter || $0.isNumber)) }
    return words.isEmpty ? "unnamed" : words.joined(separator: "-")
  }
}
