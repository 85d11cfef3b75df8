import RecipeFiles

extension RecipeField {
  /// A number that may change at given steps.
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
