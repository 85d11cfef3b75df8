import Foundation
import Tensors

/// A model's folder as Hugging Face lays it out: config.json, and model.safetensors or parts of it with
/// model.safetensors.index.json. Tensor files are mapped.
struct HuggingFaceSource: ModelSource {
  let path: String
  var configuration: ModelConfiguration
  let config: JSONValue
  private let files: [SafetensorsFile]
  /// The file of each tensor.
  private let places: [String: Int]

  /// - Parameter loops: how often the block is applied; `nil` as the configuration says.
  /// - Throws: `ModelFileError`, `SafetensorsError`.
  init(folder path: String, loops: Int? = nil) throws {
    self.path = path
    let configFile = (path as NSString).appendingPathComponent("config.json")
    config = try JSONValue.object(file: configFile)
    let opened = try Self.open(folder: path)
    files = opened.files
    places = opened.places
    configuration = try ModelConfiguration(
      huggingFace: config, file: configFile, hasReadout: opened.places["lm_head.weight"] != nil,
      hasExitGate: opened.places["model.early_exit_gate.weight"] != nil)
    try configuration.override(loops: loops, file: configFile)
    try checkNames()
  }

  private static func open(folder: String) throws -> (files: [SafetensorsFile], places: [String: Int]) {
    let folder = folder as NSString
    let single = folder.appendingPathComponent("model.safetensors")
    let index = folder.appendingPathComponent("model.safetensors.index.json")
    if FileManager.default.fileExists(atPath: index) { return try open(index: index, folder: folder) }
    guard FileManager.default.fileExists(atPath: single) else {
      throw ModelFileError(
        file: folder as String, "has neither model.safetensors nor model.safetensors.index.json",
        hint: "checkpoints in PyTorch's own format (.bin) must be saved as safetensors first")
    }
    let file = try SafetensorsFile(mapping: single)
    return ([file], Dictionary(uniqueKeysWithValues: file.entries.map { ($0.name, 0) }))
  }

  /// The parts that an index names. Every tensor must be in the part that the index gives it.
  private static func open(
    index: String, folder: NSString
  ) throws -> (files: [SafetensorsFile], places: [String: Int]) {
    guard let map = try JSONValue.object(file: index)["weight_map"]?.object else {
      throw ModelFileError(file: index, place: "weight_map", "is missing, or no object")
    }
    var files: [SafetensorsFile] = []
    var numbers: [String: Int] = [:]
    var places: [String: Int] = [:]
    for (tensor, value) in map.sorted(by: { $0.key < $1.key }) {
      guard let name = value.string else {
        throw ModelFileError(file: index, place: tensor, "is no file name")
      }
      // An index comes from elsewhere: it may not lead out of its folder.
      guard !name.isEmpty, !name.contains("/"), !name.contains("\\"), !name.contains("\0"),
        !name.hasPrefix(".")
      else {
        throw ModelFileError(file: index, place: tensor, "\"\(name)\" is no name of a file in this folder")
      }
      let number: Int
      if let known = numbers[name] {
        number = known
      } else {
        let path = folder.appendingPathComponent(name)
        guard FileManager.default.fileExists(atPath: path) else {
          throw ModelFileError(
            file: index, place: tensor, "is in \(name), which is not there", hint: "download the missing part"
          )
        }
        number = files.count
        numbers[name] = number
        files.append(try SafetensorsFile(mapping: path))
      }
      guard files[number][tensor] != nil else {
        throw ModelFileError(
          file: index, place: tensor, "should be in \(name), but is not",
          hint: "index and parts are of different checkpoints")
      }
      places[tensor] = number
    }
    return (files, places)
  }

  /// Refuses tensors that the model has no use for: leaving them out would compute something else.
  private func checkNames() throws {
    var known: Set<String> = ["lm_head.weight"]
    for weight in ModelWeight.all(of: configuration) {
      known.insert(weight.huggingFaceName)
      if let fused = weight.fused(in: configuration) { known.insert(fused.name) }
    }
    for (name, number) in places.sorted(by: { $0.key < $1.key })
    where !known.contains(name) && !name.hasSuffix("rotary_emb.inv_freq") {
      throw ModelFileError(
        file: files[number].file, place: "tensor \(name)",
        "has no place in a model of \(configuration.layers) layers of type \(configuration.family.rawValue)",
        hint: "config.json and weights may be of different models")
    }
  }

  func tensor(_ weight: ModelWeight) throws -> ModelTensor {
    let shape = weight.shape(in: configuration)
    if places[weight.huggingFaceName] == nil, let fused = weight.fused(in: configuration),
      places[fused.name] != nil
    {
      let whole = try stored(fused.name, rows: fused.rows, columns: shape.columns, isVector: false)
      let start = fused.firstRow * whole.rowBytes
      return ModelTensor(
        file: whole.file, name: whole.name, type: whole.type, rows: shape.rows, columns: shape.columns,
        bytes: whole.bytes[start..<(start + shape.rows * whole.rowBytes)])
    }
    return try stored(
      weight.huggingFaceName, rows: shape.rows, columns: shape.columns, isVector: !weight.part.isMatrix)
  }

  private func stored(_ name: String, rows: Int, columns: Int, isVector: Bool) throws -> ModelTensor {
    guard let number = places[name], let entry = files[number][name] else {
      throw ModelFileError(
        file: path, place: "tensor \(name)", "is missing",
        hint: name == "lm_head.weight"
          ? "\"tie_word_embeddings\": true in config.json, if the readout is the embedding" : nil)
    }
    let file = files[number]
    // A vector may be stored as a matrix of one row, as the gate's weight is.
    guard entry.shape == [rows, columns] || (isVector && entry.shape == [columns]) else {
      throw ModelFileError(
        file: file.file, place: "tensor \(name)",
        "has the shape \(entry.shape) where config.json makes it \(isVector ? [columns] : [rows, columns])",
        hint: "config.json and weights may be of different models")
    }
    let types: [ElementType: GGUFTensorType] = [.float32: .f32, .float16: .f16, .bfloat16: .bf16]
    guard let type = types[entry.type] else {
      throw ModelFileError(
        file: file.file, place: "tensor \(name)",
        "has elements of type \(entry.type.rawValue); weights are read as F32, F16 and BF16",
        hint: "quantised checkpoints are read from GGUF files")
    }
    return ModelTensor(
      file: file.file, name: name, type: type, rows: rows, columns: columns, bytes: try file.bytes(of: name))
  }
}

extension ModelConfiguration {
  /// Sets how often the block is applied.
  /// - Throws: `ModelFileError`.
  mutating func override(loops: Int?, file: String) throws {
    guard let loops else { return }
    guard Self.loopRange.contains(loops) else {
      throw ModelFileError(
        file: file, "\(loops) loops were asked for; possible are 1 to \(Self.loopRange.upperBound)")
    }
    self.loops = loops
  }
}
