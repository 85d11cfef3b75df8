/// A kind of recipe: an experiment that a YAML file describes, by keys `name` and `section.name`.
public protocol RecipeFile {
  init()
  /// Every key, in the order files are written in.
  static var fields: [RecipeField<Self>] { get }
  /// The command that lists the keys.
  static var keysCommand: String { get }
  /// What contradicts within the recipe: the key to blame, and why. `nil` if nothing does.
  var contradiction: (key: String, problem: String)? { get }
}

/// A key of the YAML file and the command line, and the property it stands for.
public struct RecipeField<Recipe> {
  /// `name`, or `section.name`.
  public let key: String
  public let help: String
  public let get: (Recipe) -> String
  /// Sets the property; returns what is wrong with the text, if anything.
  let set: (inout Recipe, String) -> String?

  static func text(_ key: String, _ help: String, _ path: WritableKeyPath<Recipe, String>) -> Self {
    Self(key: key, help: help) {
      $0[keyPath: path]
    } set: {
      $0[keyPath: path] = $1
      return nil
    }
  }

  static func number<Value: LosslessStringConvertible & Comparable>(
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

  static func choice<Value: RawRepresentable & CaseIterable>(
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

  static func choice(_ key: String, _ help: String, _ path: WritableKeyPath<Recipe, Bool>) -> Self {
    Self(key: key, help: help) {
      $0[keyPath: path] ? "true" : "false"
    } set: { recipe, text in
      guard let value = Bool(text) else { return "'\(text.prefix(40))' is neither true nor false" }
      recipe[keyPath: path] = value
      return nil
    }
  }

  static func schedule(
    _ key: String, _ help: String, _ path: WritableKeyPath<Recipe, StepSchedule>, _ range: ClosedRange<Double>
  ) -> Self {
    Self(key: key, help: help) {
      $0[keyPath: path].description
    } set: { recipe, text in
      guard let value = StepSchedule(text) else {
        return "'\(text.prefix(40))' is no schedule: 8, or 8, 4@3000 for 4 from step 3000 on"
      }
      guard value.values.allSatisfy(range.contains) else {
        return "\(text.prefix(40)) leaves \(range.lowerBound) to \(range.upperBound)"
      }
      recipe[keyPath: path] = value
      return nil
    }
  }
}
