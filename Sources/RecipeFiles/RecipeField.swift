/// A key of the YAML file and the command line, and the property it stands for.
public struct RecipeField<Recipe> {
  /// `name`, or `section.name`.
  public let key: String
  public let help: String
  /// Whether a file may write a list, which is then one text with commas.
  let isList: Bool
  public let get: (Recipe) -> String
  /// Sets the property; returns what is wrong with the text, if anything.
  let set: (inout Recipe, String) -> String?

  /// A key of a kind of its own.
  ///
  /// - Parameters:
  ///   - get: writes the property as a text that `set` reads.
  ///   - set: reads the property; returns what is wrong with the text, if anything.
  public init(
    key: String, help: String, isList: Bool = false, get: @escaping (Recipe) -> String,
    set: @escaping (inout Recipe, String) -> String?
  ) {
    (self.key, self.help, self.isList, self.get, self.set) = (key, help, isList, get, set)
  }

  public static func text(_ key: String, _ help: String, _ path: WritableKeyPath<Recipe, String>) -> Self {
    Self(key: key, help: help) {
      $0[keyPath: path]
    } set: {
      $0[keyPath: path] = $1
      return nil
    }
  }

  /// Words without commas.
  public static func list(_ key: String, _ help: String, _ path: WritableKeyPath<Recipe, [String]>) -> Self {
    Self(key: key, help: help, isList: true) {
      $0[keyPath: path].joined(separator: ", ")
    } set: { recipe, text in
      recipe[keyPath: path] = text.split(separator: ",").map { $0.trimmingPrefix { $0 == " " } }
        .map { String($0.reversed().drop { $0 == " " }.reversed()) }.filter { !$0.isEmpty }
      return nil
    }
  }

  /// A number in a range.
  public static func number<Value: LosslessStringConvertible & Comparable>(
    _ key: String, _ help: String, _ path: WritableKeyPath<Recipe, Value>, _ range: ClosedRange<Value>
  ) -> Self {
    Self(key: key, help: help) {
      $0[keyPath: path].description
    } set: { recipe, text in
      guard let value = Value(text) else {
        return "'\(text.prefix(40))' is no \(Value.self == Int.self ? "whole number" : "number")"
      }
      guard range.contains(value) else {
        return "\(text.prefix(40)) is outside \(range.lowerBound) to \(range.upperBound)"
      }
      recipe[keyPath: path] = value
      return nil
    }
  }

  /// One of the cases' names.
  public static func choice<Value: RawRepresentable & CaseIterable>(
    _ key: String, _ help: String, _ path: WritableKeyPath<Recipe, Value>
  ) -> Self where Value.RawValue == String {
    Self(key: key, help: help) {
      $0[keyPath: path].rawValue
    } set: { recipe, text in
      guard let value = Value(rawValue: text) else {
        let names = Value.allCases.map(\.rawValue).joined(separator: ", ")
        return "'\(text.prefix(40))' is none of \(names)"
      }
      recipe[keyPath: path] = value
      return nil
    }
  }

  /// `true` or `false`.
  public static func choice(_ key: String, _ help: String, _ path: WritableKeyPath<Recipe, Bool>) -> Self {
    Self(key: key, help: help) {
      $0[keyPath: path] ? "true" : "false"
    } set: { recipe, text in
      guard let value = Bool(text) else { return "'\(text.prefix(40))' is neither true nor false" }
      recipe[keyPath: path] = value
      return nil
    }
  }
}
