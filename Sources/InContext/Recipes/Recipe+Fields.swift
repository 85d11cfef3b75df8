import Gradients
import Layers
import RecipeFiles
import Tensors

extension Recipe: RecipeFile {
  public static let keysCommand = "looped icl keys"

  /// Every key, in the order files are written in.
  public static var fields: [RecipeField<Recipe>] {
    [
      .text("name", "of the experiment", \.name),
      .text("expected", "what the experiment should show", \.expected),
      .number("seed", "of data, initialisation and evaluation", \.seed, 0...Int.max),
      .choice("task.family", "the functions that are learned in context", \.family),
      .number("task.dimension", "coordinates of x", \.dimension, 1...1024),
      .number("task.points", "pairs (x, y) in a prompt, the first without context", \.points, 1...4096),
      .number("task.noise", "standard deviation of the noise on y", \.noise, 0...1e6),
      .number("task.support", "nonzero weights of sparse functions", \.support, 1...1024),
      .number("task.depth", "of trees, representations, chains of thought", \.depth, 1...16),
      .number("task.hidden", "units of ReLU networks, representations, steps", \.hidden, 1...512),
      .number("task.order", "of autoregression", \.order, 1...64),
      .number("task.pool", "distinct training prompts; 0: always fresh", \.pool, 0...4_000_000_000),
      .list("task.files", "tabular: CSV files; empty: synthetic tables", \.files),
      .text("task.label", "tabular: the label's column; empty: the last", \.label),
      .number("task.tables", "tabular: how many synthetic tables", \.tables, 2...1000),
      .number("task.table-rows", "tabular: rows of each synthetic table", \.tableRows, 10...100_000),
      .number(
        "task.held-out-table", "tabular: left out of training, counted from 0", \.heldOutTable, 0...999),
      .choice("model.architecture", "standard, looped, tied or algoformer", \.architecture),
      .number("model.width", "of the residual stream", \.width, 1...8192),
      .number("model.heads", "of attention", \.heads, 1...256),
      .number("model.layers", "of the looped stack, or of the decoder", \.layers, 1...256),
      .choice("model.injection", "how the prompt enters each loop", \.injection),
      .number("model.pre-layers", "AlgoFormer: before the loop", \.preLayers, 0...64),
      .number("model.post-layers", "AlgoFormer: after the loop", \.postLayers, 0...64),
      .choice("model.positions", "stacks: in every stack; input: once, added to the prompt", \.positions),
      .choice("model.norms", "stacks: behind every stack; output: before the read-out; none", \.norms),
      .choice("model.inject-blocks", "every block reads its stack's input again", \.injectsBlocks),
      .number("training.steps", "of Adam", \.steps, 0...1_000_000_000),
      .number("training.batch", "prompts per step", \.batch, 1...65_536),
      .number("training.rate", "peak learning rate", \.rate, 0...10),
      .choice("training.schedule", "of the learning rate", \.schedule),
      .number("training.warmup", "steps of rising rate", \.warmup, 0...1_000_000_000),
      .number("training.floor", "lowest rate of the schedule", \.floor, 0...10),
      .number("training.clipping", "longest gradient; 0: none", \.clipping, 0...1e9),
      .number("training.loops", "b, all loops", \.loops, 1...10_000),
      .number("training.window", "T, the last loops, which are trained", \.window, 1...10_000),
      .number(
        "training.supervise-every", "m: every m-th loop of the window has a loss", \.superviseEvery,
        1...10_000),
      .choice("training.checkpoints-loops", "compute loops again in the backward pass", \.checkpointsLoops),
      .number("training.start-dimension", "curriculum; 0: none", \.startDimension, 0...1024),
      .number("training.dimension-interval", "steps per dimension", \.dimensionInterval, 1...1_000_000_000),
      .number("training.start-points", "curriculum; 0: none", \.startPoints, 0...4096),
      .number("training.points-increment", "points at once", \.pointsIncrement, 1...4096),
      .number("training.points-interval", "steps per increment", \.pointsInterval, 1...1_000_000_000),
      .number("training.start-loops", "curriculum; 0: none", \.startLoops, 0...10_000),
      .number("training.loops-increment", "loops at once", \.loopsIncrement, 1...10_000),
      .number("training.loops-interval", "steps per increment", \.loopsInterval, 1...1_000_000_000),
      .number("training.log-every", "steps", \.logEvery, 1...1_000_000_000),
      .number("training.checkpoint-every", "steps", \.checkpointEvery, 1...1_000_000_000),
      .number(
        "training.evaluate-every", "steps between held-out errors in the log; 0: none", \.evaluateEvery,
        0...1_000_000_000),
      .number(
        "training.evaluation-prompts", "held-out prompts for the log", \.evaluationPrompts, 1...1_000_000),
      .number("evaluation.prompts", "held-out prompts", \.prompts, 1...1_000_000),
      .number(
        "evaluation.loops", "length of the loop curve; 0: four times the trained", \.evaluationLoops,
        0...100_000),
      .list("evaluation.baselines", "methods people designed, to measure beside the network", \.baselines),
      .list("evaluation.shifts", "prompts unlike those of training", \.shifts),
    ]
  }
}
