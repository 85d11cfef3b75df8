import Gradients
import RecipeFiles

extension TaskRecipe {
  public static var fields: [RecipeField<TaskRecipe>] {
    [
      .text("name", "of the run", \.name),
      .text("expected", "what the run should show", \.expected),
      .number("seed", "of weights, questions and, with hops and capo, who there is", \.seed, 0...1 << 31),
      .choice(
        "task.kind", "mano (modular arithmetic), hops (chains of relations) or capo (biographies)", \.kind),
      .number("task.modulus", "mano: p", \.modulus, 2...10_000),
      .number("task.operations", "mano: L, the most operations of an expression", \.operations, 1...100),
      .number("task.people", "hops: of a layer; capo: all", \.people, 2...100_000),
      .number(
        "task.relations", "hops: each links everyone to one of the next layer", \.relations, 1...10_000),
      .number("task.hops", "hops: relations of a question", \.hops, 1...20),
      .number("task.share", "hops: of all questions, that is trained on", \.share, 0...1),
      .counts("task.names", "capo: choices for each word of a name", \.names),
      .counts("task.values", "capo: choices for each attribute", \.values),
      .number("task.templates", "capo: marks of each attribute, of which one is drawn", \.templates, 1...100),
      .number("model.width", "of the residual stream", \.width, 2...4096),
      .number("model.heads", "of attention", \.heads, 1...256),
      .number("model.layers", "of the block that is looped", \.layers, 1...256),
      .number("model.inner", "width of the MLP; 0: 8/3 of the width", \.inner, 0...32_768),
      .choice("model.ties-embeddings", "read out with the embedding", \.ties),
      .number("training.steps", "of AdamW", \.steps, 0...1_000_000_000),
      .number("training.batch", "questions of a step", \.batch, 1...65_536),
    ] + optimizerFields + [
      .number("training.loops", "T", \.loops, 1...64),
      .choice("training.objective", "the loss of the last loop, or the expected one of stage I", \.objective),
      .schedule("training.entropy-weight", "β of stage I", \.entropyWeight, 0...100),
      .number("training.gate-steps", "of stage II, after the others", \.gateSteps, 0...1_000_000),
      .number("training.gate-rate", "learning rate of stage II", \.gateRate, 0...10),
      .number("training.log-every", "steps", \.logEvery, 1...1_000_000_000),
      .number("training.checkpoint-every", "steps", \.checkpointEvery, 1...1_000_000_000),
      .number("evaluation.questions", "of each group", \.questions, 1...1_000_000),
    ]
  }
}

extension RecipeField<TaskRecipe> {
  /// Some numbers of choices.
  fileprivate static func counts(
    _ key: String, _ help: String, _ path: WritableKeyPath<TaskRecipe, [Int]>
  ) -> Self {
    Self(key: key, help: help, isList: true) {
      $0[keyPath: path].map(String.init).joined(separator: ", ")
    } set: { recipe, text in
      let words = text.split(separator: ",").map { $0.filter { $0 != " " } }
      let counts = words.compactMap(Int.init).filter { (1...100_000).contains($0) }
      guard counts.count == words.count, (1...16).contains(counts.count) else {
        return "'\(text.prefix(40))' is not 1 to 16 numbers from 1 to 100000"
      }
      recipe[keyPath: path] = counts
      return nil
    }
  }
}
