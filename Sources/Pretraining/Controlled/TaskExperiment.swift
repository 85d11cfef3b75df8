import RecipeFiles

/// Several networks on a synthetic task, or on text, what to compare between them, and what a paper says of it: a YAML
/// file in Experiments/.
public struct TaskExperiment<Recipe: MeasuredRecipe>: Equatable, Sendable {
  public typealias Run = ExperimentRun<Recipe>

  /// A picture and its table.
  public struct Figure: Equatable, Sendable {
    public enum Axis: Equatable, Sendable {
      /// The hardest group after 1, 2, … loops.
      case loops
      /// By group, after the last loop.
      case groups
      /// By the mean number of loops, a line for every rule of leaving early.
      case exits
      /// Of the hardest group's answers, those that a loop gives as the last one does.
      case agreement
      /// The hardest group by the value that a key has in the runs; a line for every value of `lines`.
      case key(String, lines: String?)
    }
    /// What is drawn upwards.
    public enum Quantity: String, CaseIterable, Sendable {
      /// Right answers.
      case accuracy
      /// -log p of an answer, in nats.
      case loss
      /// Bits of knowledge per parameter.
      case bits
    }
    /// Of the picture's file, without its ending.
    public var name: String
    public var title: String
    public var axis: Axis
    public var shows: Quantity
    /// Names of runs, in order; empty for all.
    public var runs: [String]
  }

  public var name: String
  /// How the runs are set up, and where that is not as in the paper.
  public var setting: String
  public var seeds: [Int]
  public var runs: [Run]
  /// The columns of the table of all runs: names of `TaskEvaluation.values`.
  public var table: [String]
  public var figures: [Figure]
  public var claims: [TaskClaim]
}

extension ExperimentRun where Recipe: MeasuredRecipe {
  /// The folder of one seed's run within that of all runs.
  public func folder(seed: Int) -> String { folder(further: ["seed=\(seed)"]) }

  /// The recipe of one seed.
  public func recipe(seed: Int) -> Recipe {
    var recipe = recipe
    recipe.seed = seed
    return recipe
  }
}
