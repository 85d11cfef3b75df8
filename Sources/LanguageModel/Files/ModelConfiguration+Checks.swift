extension ModelConfiguration {
  /// How often a block may be applied.
  public static let loopRange = 1...8

  /// The first contradiction in the numbers, as a key of Hugging Face's configurations and what is wrong with it.
  ///
  /// Bounds are generous, and keep every product of two of them addressable.
  var contradiction: (key: String, message: String)? {
    let sizes: [(String, Int, Int)] = [
      ("vocab_size", vocabularySize, 1 << 24), ("hidden_size", hiddenSize, 1 << 20),
      ("num_hidden_layers", layers, 1024), ("num_attention_heads", heads, 1 << 12),
      ("num_key_value_heads", keyValueHeads, 1 << 12), ("head_dim", headSize, 1 << 12),
      ("intermediate_size", intermediateSize, 1 << 22), ("max_position_embeddings", contextLength, 1 << 30),
      ("total_ut_steps", loops, Self.loopRange.upperBound),
    ]
    for (key, value, most) in sizes where value < 1 || value > most {
      return (key, "is \(value); it must be from 1 to \(most)")
    }
    if heads % keyValueHeads != 0 {
      return (
        "num_key_value_heads", "is \(keyValueHeads), which does not divide the \(heads) heads of queries"
      )
    }
    if headSize % 2 != 0 { return ("head_dim", "is \(headSize); the rotary embedding needs an even number") }
    if !(ropeBase.isFinite && ropeBase > 0) { return ("rope_theta", "is \(ropeBase); it must be positive") }
    if !(normEpsilon.isFinite && normEpsilon >= 0) {
      return ("rms_norm_eps", "is \(normEpsilon); it cannot be negative")
    }
    if !(exitThreshold >= 0 && exitThreshold <= 1) {
      return ("early_exit_threshold", "is \(exitThreshold); it must be from 0 to 1")
    }
    return nil
  }
}
