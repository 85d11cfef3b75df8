import Gradients
import RecipeFiles

/// A recipe whose parameters AdamW trains: what those recipes have in common.
protocol OptimizedRecipe: RecipeFile {
  var steps: Int { get set }
  /// Peak learning rate.
  var rate: Double { get set }
  var schedule: LearningRate.Shape { get set }
  var warmup: Int { get set }
  var floor: Double { get set }
  var clipping: Double { get set }
  var decay: Double { get set }
  var beta1: Double { get set }
  var beta2: Double { get set }
}

extension OptimizedRecipe {
  /// The keys behind `training.steps` and `training.batch`.
  static var optimizerFields: [RecipeField<Self>] {
    [
      .number("training.rate", "peak learning rate", \.rate, 0...10),
      .choice("training.schedule", "of the learning rate", \.schedule),
      .number("training.warmup", "steps of rising rate", \.warmup, 0...1_000_000_000),
      .number("training.floor", "lowest rate of the schedule", \.floor, 0...10),
      .number("training.clipping", "longest gradient; 0: none", \.clipping, 0...1e9),
      .number("training.decay", "AdamW's, of matrices", \.decay, 0...10),
      .number("training.beta1", "of AdamW", \.beta1, 0...0.99999),
      .number("training.beta2", "of AdamW", \.beta2, 0...0.99999),
    ]
  }

  var learningRate: LearningRate {
    LearningRate(peak: Float(rate), shape: schedule, warmup: warmup, steps: steps, floor: Float(floor))
  }

  var adam: Adam.Settings {
    var settings = Adam.Settings()
    (settings.beta1, settings.beta2) = (Float(beta1), Float(beta2))
    settings.decay = Float(decay)
    return settings
  }
}
