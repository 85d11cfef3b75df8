import Tensors

extension ModelSource {
  /// Writes the model as one GGUF file, which appears at its path when it is complete.
  ///
  /// - Parameters:
  ///   - pure: every matrix in `type`, the readout too.
  ///   - withoutGate: leaves the exit gate out, for engines that refuse tensors they do not know.
  ///   - name: `general.name`.
  ///   - tokenizer: the metadata of the tokenizer.
  ///   - progress: called with the bytes read so far and in all; may throw to stop.
  /// - Throws: `ModelFileError`, `AtomicFile.Failure`, and what `progress` throws.
  func writeGGUF(
    to path: String, type: OutputType, pure: Bool = false, withoutGate: Bool = false, name: String,
    tokenizer: [(key: String, value: GGUFValue)], pool: WorkerPool = .shared,
    progress: (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
  ) throws -> WrittenModel {
    var configuration = configuration
    if withoutGate { configuration.hasExitGate = false }
    var result = WrittenModel()
    var arrays: [(tensor: ModelTensor, type: GGUFTensorType, order: RowOrder)] = []
    var infos: [GGUFWriter.Tensor] = []
    for weight in ModelWeight.all(of: configuration) {
      let tensor = try tensor(weight)
      let stored = type.type(of: weight, in: configuration, pure: pure)
      arrays.append((tensor, stored, weight.ggufOrder(in: configuration)))
      let isVector = !weight.part.isMatrix
      infos.append(
        GGUFWriter.Tensor(
          weight.ggufName, type: stored, shape: isVector ? [tensor.columns] : [tensor.rows, tensor.columns]))
      if weight.part.isMatrix, stored != type.tensorType {
        result.exceptions.append((weight.ggufName, stored.name))
      }
    }
    var metadata: [(key: String, value: GGUFValue)] = [
      ("general.architecture", .string(configuration.ggufArchitecture)), ("general.type", .string("model")),
      ("general.name", .string(name)), ("general.file_type", .uint32(type.fileType)),
    ]
    if !type.tensorType.isPlain { metadata.append(("general.quantization_version", .uint32(2))) }
    metadata += configuration.gguf + tokenizer

    let total = arrays.reduce(0) { $0 + $1.tensor.bytes.count }
    var done = 0
    let writer = try GGUFWriter(path: path, metadata: metadata, tensors: infos)
    for (tensor, type, order) in arrays {
      let ratio = Double(tensor.rowBytes) / Double(max(type.rowBytes(tensor.columns) ?? 1, 1))
      var written = 0
      try tensor.stream(as: type, order: order, pool: pool) { bytes in
        try writer.write(bytes)
        written += bytes.count
        try progress(done + Int(Double(written) * ratio), total)
      }
      done += tensor.bytes.count
    }
    try progress(total, total)
    try writer.finish()
    let stored = infos.reduce(0) { $0 + $1.byteCount }
    result.files = [path]
    result.byteCount = stored
    result.bitsPerWeight = 8 * Double(stored) / Double(max(configuration.parameterCount, 1))
    return result
  }
}
