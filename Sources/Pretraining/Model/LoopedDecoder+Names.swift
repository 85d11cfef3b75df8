import Gradients
import Tensors

/// Where a parameter stands in a Hugging Face file: our fused matrices are several of theirs, one above the other.
struct StoredPlace {
  /// The names in the file, in the order of the rows.
  let names: [String]
  /// The rows of each.
  let rows: [Int]
  let parameter: Parameter

  /// The parameter's shape in the file is [rows, columns], or [columns] for norms and biases.
  func shape(of index: Int) -> [Int] {
    parameter.shape.count == 1 ? [rows[index]] : [rows[index], parameter.shape[1]]
  }
}

extension LoopedDecoder {
  /// Every parameter and its names in files.
  ///
  /// Trap: `post_attention_layernorm` is the norm before the MLP, as Llama named it; the norms on the way out have the
  /// suffix `_2`. Source: the reference implementation's state dict.
  var places: [StoredPlace] {
    func place(_ name: String, _ parameter: Parameter) -> StoredPlace {
      StoredPlace(names: [name], rows: [parameter.shape[0]], parameter: parameter)
    }
    let (size, inner) = (configuration.headSize, configuration.intermediateSize)
    let (queries, keys) = (configuration.heads * size, configuration.keyValueHeads * size)
    var places = [place("model.embed_tokens.weight", embedding.weight)]
    for (index, layer) in layers.enumerated() {
      let at = "model.layers.\(index)."
      places.append(place(at + "input_layernorm.weight", layer.attentionNorm.gain))
      if let norm = layer.attentionOutputNorm {
        places.append(place(at + "input_layernorm_2.weight", norm.gain))
      }
      places.append(
        StoredPlace(
          names: ["q", "k", "v"].map { "\(at)self_attn.\($0)_proj.weight" }, rows: [queries, keys, keys],
          parameter: layer.qkv.weight))
      places.append(place(at + "self_attn.o_proj.weight", layer.output.weight))
      places.append(place(at + "post_attention_layernorm.weight", layer.mlpNorm.gain))
      if let norm = layer.mlpOutputNorm {
        places.append(place(at + "post_attention_layernorm_2.weight", norm.gain))
      }
      places.append(
        StoredPlace(
          names: ["gate", "up"].map { "\(at)mlp.\($0)_proj.weight" }, rows: [inner, inner],
          parameter: layer.mlp.gateUp.weight))
      places.append(place(at + "mlp.down_proj.weight", layer.mlp.down.weight))
    }
    places.append(place("model.norm.weight", norm.gain))
    if let gate {
      places.append(place("model.early_exit_gate.weight", gate.weight))
      if let bias = gate.bias { places.append(place("model.early_exit_gate.bias", bias)) }
    }
    if let readout { places.append(place("lm_head.weight", readout.weight)) }
    return places
  }
}
