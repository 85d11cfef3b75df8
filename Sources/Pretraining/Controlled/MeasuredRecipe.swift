import RecipeFiles

/// A recipe of the networks that a controlled experiment compares.
public protocol MeasuredRecipe: ExperimentRecipe {
  var seed: Int { get set }
  /// An evaluation without measurements: what names there are.
  var blank: TaskEvaluation { get }
  /// What an experiment's file says it trains: the value of `trains`.
  static var trains: ExperimentKind { get }
}

/// What a controlled experiment trains.
public enum ExperimentKind: String, CaseIterable, Sendable {
  /// Networks on a synthetic task, by `TaskRecipe`.
  case tasks
  /// Language models on text, by `PretrainingRecipe`.
  case text
}

extension TaskRecipe: MeasuredRecipe {
  public static var trains: ExperimentKind { .tasks }

  public var blank: TaskEvaluation {
    TaskEvaluation(seed: seed, steps: steps, groups: groups, loops: loops, countsBits: kind == .capo)
  }
}

extension PretrainingRecipe: MeasuredRecipe {
  public static var trains: ExperimentKind { .text }

  public static func isUntrained(key: String) -> Bool {
    ["name", "expected", "training.log-every", "training.checkpoint-every"].contains(key)
      || key.hasPrefix("evaluation.")
  }

  public var blank: TaskEvaluation {
    TaskEvaluation(
      seed: seed, steps: steps, groups: ["held-out"], loops: loops(at: max(0, steps - 1)))
  }
}
