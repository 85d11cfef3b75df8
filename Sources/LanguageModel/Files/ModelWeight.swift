/// One of the arrays that a model is made of, and what it is called in files.
struct ModelWeight: Equatable, Sendable {
  enum Part: String, CaseIterable, Sendable {
    case embedding, finalNorm, readout, exitGate, exitGateBias
    case attentionNorm, query, key, value, output, attentionOutputNorm
    case mlpNorm, gate, up, down, mlpOutputNorm

    var isInLayer: Bool {
      switch self {
      case .embedding, .finalNorm, .readout, .exitGate, .exitGateBias: false
      default: true
      }
    }
    /// Whether it is multiplied with, so that it may be quantised.
    var isMatrix: Bool {
      switch self {
      case .embedding, .readout, .query, .key, .value, .output, .gate, .up, .down: true
      default: false
      }
    }
  }

  let part: Part
  /// The layer of the block; 0 for parts outside it.
  let layer: Int

  init(_ part: Part, layer: Int = 0) {
    self.part = part
    self.layer = layer
  }

  /// Every array of a model, in the order in which files are written and read.
  static func all(of configuration: ModelConfiguration) -> [ModelWeight] {
    var result = [ModelWeight(.embedding)]
    for layer in 0..<configuration.layers {
      for part in Part.allCases where part.isInLayer {
        let isOutputNorm = part == .attentionOutputNorm || part == .mlpOutputNorm
        if !isOutputNorm || configuration.family == .ouro { result.append(ModelWeight(part, layer: layer)) }
      }
    }
    result.append(ModelWeight(.finalNorm))
    if configuration.hasExitGate { result += [ModelWeight(.exitGate), ModelWeight(.exitGateBias)] }
    if !configuration.tiesEmbeddings { result.append(ModelWeight(.readout)) }
    return result
  }

  /// [rows, columns]; norms and the gate are one row.
  func shape(in c: ModelConfiguration) -> (rows: Int, columns: Int) {
    switch part {
    case .embedding, .readout: (c.vocabularySize, c.hiddenSize)
    case .query: (c.heads * c.headSize, c.hiddenSize)
    case .key, .value: (c.keyValueHeads * c.headSize, c.hiddenSize)
    case .output: (c.hiddenSize, c.heads * c.headSize)
    case .gate, .up: (c.intermediateSize, c.hiddenSize)
    case .down: (c.hiddenSize, c.intermediateSize)
    case .exitGateBias: (1, 1)
    default: (1, c.hiddenSize)
    }
  }

  /// The name in Hugging Face checkpoints of Llama and Ouro.
  ///
  /// A trap: `post_attention_layernorm` comes before the MLP, as in Llama; the norm behind attention is
  /// `input_layernorm_2`.
  var huggingFaceName: String {
    let prefix = "model.layers.\(layer)."
    return switch part {
    case .embedding: "model.embed_tokens.weight"
    case .finalNorm: "model.norm.weight"
    case .readout: "lm_head.weight"
    case .exitGate: "model.early_exit_gate.weight"
    case .exitGateBias: "model.early_exit_gate.bias"
    case .attentionNorm: prefix + "input_layernorm.weight"
    case .attentionOutputNorm: prefix + "input_layernorm_2.weight"
    case .mlpNorm: prefix + "post_attention_layernorm.weight"
    case .mlpOutputNorm: prefix + "post_attention_layernorm_2.weight"
    case .query: prefix + "self_attn.q_proj.weight"
    case .key: prefix + "self_attn.k_proj.weight"
    case .value: prefix + "self_attn.v_proj.weight"
    case .output: prefix + "self_attn.o_proj.weight"
    case .gate: prefix + "mlp.gate_proj.weight"
    case .up: prefix + "mlp.up_proj.weight"
    case .down: prefix + "mlp.down_proj.weight"
    }
  }

  /// The matrix that holds this one among others, and its first row in it, where checkpoints fuse them:
  /// qkv_proj = [query; key; value], gate_up_proj = [gate; up].
  func fused(in c: ModelConfiguration) -> (name: String, firstRow: Int, rows: Int)? {
    let prefix = "model.layers.\(layer)."
    let (queries, keys) = (c.heads * c.headSize, c.keyValueHeads * c.headSize)
    return switch part {
    case .query: (prefix + "self_attn.qkv_proj.weight", 0, queries + 2 * keys)
    case .key: (prefix + "self_attn.qkv_proj.weight", queries, queries + 2 * keys)
    case .value: (prefix + "self_attn.qkv_proj.weight", queries + keys, queries + 2 * keys)
    case .gate: (prefix + "mlp.gate_up_proj.weight", 0, 2 * c.intermediateSize)
    case .up: (prefix + "mlp.gate_up_proj.weight", c.intermediateSize, 2 * c.intermediateSize)
    default: nil
    }
  }

  /// The name in GGUF files: llama.cpp's, and our own for the exit gate, which it leaves out.
  var ggufName: String {
    let prefix = "blk.\(layer)."
    return switch part {
    case .embedding: "token_embd.weight"
    case .finalNorm: "output_norm.weight"
    case .readout: "output.weight"
    case .exitGate: "exit_gate.weight"
    case .exitGateBias: "exit_gate.bias"
    case .attentionNorm: prefix + "attn_norm.weight"
    case .attentionOutputNorm: prefix + "post_attention_norm.weight"
    case .mlpNorm: prefix + "ffn_norm.weight"
    case .mlpOutputNorm: prefix + "post_ffw_norm.weight"
    case .query: prefix + "attn_q.weight"
    case .key: prefix + "attn_k.weight"
    case .value: prefix + "attn_v.weight"
    case .output: prefix + "attn_output.weight"
    case .gate: prefix + "ffn_gate.weight"
    case .up: prefix + "ffn_up.weight"
    case .down: prefix + "ffn_down.weight"
    }
  }

  /// The order of this array's rows in a GGUF file of the architectures llama, ouro and nanbeige.
  func ggufOrder(in configuration: ModelConfiguration) -> RowOrder {
    part == .query || part == .key ? .pairs(headSize: configuration.headSize) : .halves
  }
}

/// Which rows of a head of queries or keys the rotary embedding turns together.
///
/// Hugging Face checkpoints turn row j with row j + headSize / 2. llama.cpp turns neighbours, and its converter
/// therefore moves the rows: j to 2 j, and j + headSize / 2 to 2 j + 1.
enum RowOrder: Equatable, Sendable {
  case halves
  case pairs(headSize: Int)

  /// Where the row is stored that is `row` in the order of halves.
  func stored(_ row: Int) -> Int {
    guard case .pairs(let size) = self else { return row }
    let (head, place) = (row / size * size, row % size)
    return head + (place < size / 2 ? 2 * place : 2 * (place - size / 2) + 1)
  }

  /// The row in the order of halves that is stored at `row`.
  func row(stored row: Int) -> Int {
    guard case .pairs(let size) = self else { return row }
    let (head, place) = (row / size * size, row % size)
    return head + place / 2 + (place % 2 == 0 ? 0 : size / 2)
  }
}
