import Tensors

/// A model in a GGUF file of the architectures llama, ouro or nanbeige, mapped.
struct GGUFSource: ModelSource {
  let path: String
  var configuration: ModelConfiguration
  let file: GGUFFile

  /// - Parameter loops: how often the block is applied; `nil` as the file says.
  /// - Throws: `GGUFError`, `ModelFileError`.
  init(path: String, loops: Int? = nil) throws {
    try self.init(file: GGUFFile(path: path), loops: loops)
  }

  /// - Throws: `ModelFileError`.
  init(file: GGUFFile, loops: Int? = nil) throws {
    path = file.file
    self.file = file
    configuration = try ModelConfiguration(gguf: file)
    try configuration.override(loops: loops, file: file.file)
    let known = Set(ModelWeight.all(of: configuration).map(\.ggufName))
    for entry in file.entries where !known.contains(entry.name) {
      throw ModelFileError(
        file: file.file, place: "tensor \(entry.name)",
        "has no place in a model of \(configuration.layers) layers of type \(configuration.family.rawValue)",
        hint: entry.name.hasPrefix("rope_freqs") ? "scaled rotary embeddings are not supported" : nil)
    }
  }

  func tensor(_ weight: ModelWeight) throws -> ModelTensor {
    let name = weight.ggufName
    let (rows, columns) = weight.shape(in: configuration)
    guard let entry = file[name] else {
      throw ModelFileError(file: path, place: "tensor \(name)", "is missing")
    }
    let isVector = !weight.part.isMatrix
    guard entry.shape == [rows, columns] || (isVector && entry.shape == [columns]) else {
      throw ModelFileError(
        file: path, place: "tensor \(name)",
        "has the shape \(entry.shape) where the metadata makes it \(isVector ? [columns] : [rows, columns])")
    }
    return ModelTensor(
      file: path, name: name, type: entry.type, rows: rows, columns: columns,
      order: weight.ggufOrder(in: configuration), bytes: try file.bytes(of: name))
  }
}
