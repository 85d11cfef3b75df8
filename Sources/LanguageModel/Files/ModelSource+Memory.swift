import Tensors

/// A model in memory as a source: what has been trained, or drawn at random, is written as what was read is.
struct MemorySource: ModelSource {
  let path: String
  var configuration: ModelConfiguration
  let model: LanguageModel

  init(_ model: LanguageModel, name: String) {
    path = name
    configuration = model.configuration
    self.model = model
  }

  func tensor(_ weight: ModelWeight) throws -> ModelTensor {
    if let matrix = matrix(weight) { return tensor(weight, matrix) }
    guard let values = values(weight) else {
      throw ModelFileError(file: path, place: weight.huggingFaceName, "is missing")
    }
    return ModelTensor(
      file: path, name: weight.huggingFaceName, type: .f32, rows: 1, columns: values.count,
      bytes: values.withUnsafeBytes { .copy(Array($0)) })
  }

  private func tensor(_ weight: ModelWeight, _ matrix: WeightMatrix) -> ModelTensor {
    let plain: [WeightMatrix.Format: GGUFTensorType] = [.float32: .f32, .float16: .f16, .bfloat16: .bf16]
    // Tiles have no counterpart in files.
    let matrix = plain[matrix.format] == nil ? matrix.packed(to: .float32) : matrix
    return ModelTensor(
      file: path, name: weight.huggingFaceName, type: plain[matrix.format] ?? .f32, rows: matrix.rows,
      columns: matrix.columns, bytes: matrix.bytes)
  }

  private func matrix(_ weight: ModelWeight) -> WeightMatrix? {
    switch weight.part {
    case .embedding: model.embedding
    case .readout: model.readout
    case .query: model.layers[weight.layer].query
    case .key: model.layers[weight.layer].key
    case .value: model.layers[weight.layer].value
    case .output: model.layers[weight.layer].output
    case .gate: model.layers[weight.layer].gate
    case .up: model.layers[weight.layer].up
    case .down: model.layers[weight.layer].down
    default: nil
    }
  }

  private func values(_ weight: ModelWeight) -> [Float]? {
    switch weight.part {
    case .finalNorm: model.finalNorm
    case .exitGate: model.gate?.weight
    case .exitGateBias: model.gate.map { [$0.bias] }
    case .attentionNorm: model.layers[weight.layer].attentionNorm
    case .attentionOutputNorm: model.layers[weight.layer].attentionOutputNorm
    case .mlpNorm: model.layers[weight.layer].mlpNorm
    case .mlpOutputNorm: model.layers[weight.layer].mlpOutputNorm
    default: nil
    }
  }
}
