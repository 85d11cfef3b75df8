import Gradients
import RecipeFiles

extension PretrainingRecipe {
  public static var fields: [RecipeField<PretrainingRecipe>] {
    [
      .text("name", "of the run", \.name),
      .text("expected", "what the run should show", \.expected),
      .number("seed", "of initialisation and of the order of the data", \.seed, 0...Int.max),
      .text("data.text", "text files, separated by commas", \.text),
      .text("data.chats", "chats, one JSON object per line", \.chats),
      .text("data.tokenizer", "a tokenizer.json; empty: learned from the text", \.tokenizer),
      .number("data.vocabulary", "tokens of a learned vocabulary", \.vocabulary, 259...1_000_000),
      .number(
        "data.held-out-every", "every n-th document is for evaluation; 0: none", \.heldOutEvery, 0...1_000_000
      ),
      .text("model.start", "a model's folder to start from; empty: random weights", \.start),
      .choice("model.family", "ouro (looped, with a gate) or llama (one loop)", \.family),
      .number("model.width", "of the residual stream", \.width, 2...16_384),
      .number("model.heads", "of attention", \.heads, 1...256),
      .number("model.key-value-heads", "of keys and values; 0: as many", \.keyValueHeads, 0...256),
      .number("model.layers", "of the block that is looped", \.layers, 1...512),
      .number("model.inner", "width of the MLP; 0: 8/3 of the width", \.inner, 0...131_072),
      .choice("model.ties-embeddings", "read out with the embedding", \.ties),
      .choice("training.stage", "model (I), gate (II) or chat (fine-tuning)", \.stage),
      .number("training.steps", "of AdamW", \.steps, 0...1_000_000_000),
      .number("training.batch", "sequences at a time", \.batch, 1...65_536),
      .number("training.sequence", "tokens of a sequence", \.sequence, 1...1_048_576),
      .number("training.accumulation", "batches per step", \.accumulation, 1...65_536),
    ] + optimizerFields + [
      .schedule(
        "training.noise", "share of tokens read that others of the text stand in for", \.noise, 0...0.99),
      .schedule("training.loops", "T; 8, 4@3000 changes at a step; 0: the model's, or 4", \.loops, 0...8),
      .schedule("training.entropy-weight", "β of stage I", \.entropyWeight, 0...100),
      .number(
        "training.exit-prior", "stage I: r of the prior q_t ∝ r^t of leaving; 1: uniform", \.exitPrior,
        0.01...100),
      .schedule(
        "training.rope-base", "θ of the rotary embedding; 0: the model's, or 10000", \.ropeBase, 0...1e12),
      .choice("training.checkpoints-loops", "compute loops again in the backward pass", \.checkpointsLoops),
      .choice("training.precision", "of products; bf16 rounds their factors, sums are f32", \.precision),
      .choice("training.gate-reading", "stage II: which gate a label teaches", \.gateReading),
      .number("training.gate-slope", "stage II: k", \.gateSlope, 0...1e6),
      .number("training.gate-threshold", "stage II: γ, in nats", \.gateThreshold, -1...100),
      .number("training.log-every", "steps", \.logEvery, 1...1_000_000_000),
      .number("training.checkpoint-every", "steps", \.checkpointEvery, 1...1_000_000_000),
      .number("evaluation.every", "steps; 0: at the end alone", \.evaluateEvery, 0...1_000_000_000),
      .number("evaluation.sequences", "held-out sequences; 0: all", \.evaluationSequences, 0...1_000_000),
      .text("evaluation.prompt", "what the sample begins with", \.prompt),
      .number("evaluation.sample", "tokens of the sample", \.sample, 0...4096),
    ]
  }
}
