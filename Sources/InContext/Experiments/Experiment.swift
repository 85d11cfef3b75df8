import RecipeFiles

/// Several runs, what to compare between them, and what a paper says of it: a YAML file in Experiments/.
public struct Experiment: Equatable, Sendable {
  public typealias Run = ExperimentRun<Recipe>

  /// A picture and its table.
  public struct Figure: Equatable, Sendable {
    public enum Axis: Equatable, Sendable {
      /// Error by the number of context points, for prompts of this kind.
      case context(part: String)
      /// Error at the last position after 1, 2, … loops.
      case loops
      /// Error at a place, by the value a key has in the runs.
      case key(String, at: Place, lines: String?)
    }
    /// Of the picture's file, without its ending.
    public var name: String
    public var title: String
    public var axis: Axis
    /// Names of runs, in order; empty for all.
    public var runs: [String]
    /// Names of baselines to draw; empty for none.
    public var baselines: [String]
  }

  /// Probing of the hidden states of some runs.
  public struct Probes: Equatable, Sendable {
    /// Names of runs.
    public var runs: [String]
    /// Steps of training of the probes.
    public var steps = 1000
    /// Prompts per step.
    public var batch = 256
  }

  public var name: String
  /// How the runs are set up, and where that is not as in the paper.
  public var setting: String
  public var runs: [Run]
  /// The columns of the table of all runs.
  public var places: [Place]
  public var figures: [Figure]
  public var claims: [Claim]
  public var probes: Probes?
}

extension Recipe: ExperimentRecipe {
  /// Whether a key leaves training as it is: what is measured afterwards, names, logging.
  public static func isUntrained(key: String) -> Bool {
    key == "name" || key == "expected" || key.hasPrefix("evaluation.") || key == "training.log-every"
      || key == "training.checkpoint-every" || key.hasPrefix("training.evaluat")
  }

  /// Settings that give another recipe everything of this one that training does not depend on.
  public var untrainedSettings: [String] {
    yamlValues.filter { Self.isUntrained(key: $0.key) }.map { "\($0.key)=\($0.value)" }.sorted()
  }
}
