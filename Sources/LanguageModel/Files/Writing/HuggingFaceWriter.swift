import Foundation
import Tensors

extension ModelSource {
  /// Writes the model as a Hugging Face folder: config.json, safetensors (in parts with an index, if they are larger
  /// than `partBytes`), and `extraFiles`. The folder appears at its path when it is complete.
  ///
  /// - Parameters:
  ///   - type: f32, f16 or bf16, of all arrays.
  ///   - extraFiles: names and contents: the tokenizer's and others.
  ///   - progress: called with the bytes read so far and in all; may throw to stop.
  /// - Throws: `ModelFileError` if something else is at the path, `AtomicFile.Failure`, and what `progress` throws.
  func writeHuggingFace(
    to path: String, type: OutputType, partBytes: Int = 5_000_000_000,
    extraFiles: [(name: String, contents: [UInt8])] = [], pool: WorkerPool = .shared,
    progress: (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
  ) throws -> WrittenModel {
    let types: [OutputType: ElementType] = [.f32: .float32, .f16: .float16, .bf16: .bfloat16]
    guard let element = types[type] else {
      throw ModelFileError(
        file: path, "a folder of safetensors holds f32, f16 or bf16, not \(type.rawValue)",
        hint: "name a file that ends in .gguf")
    }
    let folder = try FreshFolder(path: path)
    let arrays = try tensors()
    let parts = Self.parts(arrays.map { $0.tensor.rows * $0.tensor.columns * element.size }, limit: partBytes)
    let total = arrays.reduce(0) { $0 + $1.tensor.bytes.count }
    var done = 0
    var map: [String: JSONValue] = [:]
    var result = WrittenModel()
    for (number, range) in parts.enumerated() {
      let name =
        parts.count == 1
        ? "model.safetensors"
        : "model-\(Self.fiveDigits(number + 1))-of-\(Self.fiveDigits(parts.count)).safetensors"
      let infos = arrays[range].map { weight, tensor in
        SafetensorsWriter.Tensor(
          weight.huggingFaceName, type: element, shape: weight.huggingFaceShape(in: configuration))
      }
      let writer = try SafetensorsWriter(path: folder.file(name), tensors: infos, metadata: ["format": "pt"])
      for (weight, tensor) in arrays[range] {
        let ratio = Double(tensor.rowBytes) / Double(tensor.columns * element.size)
        var written = 0
        try tensor.stream(as: type.tensorType, order: .halves, pool: pool) { bytes in
          try writer.write(bytes)
          written += bytes.count
          try progress(done + Int(Double(written) * ratio), total)
        }
        done += tensor.bytes.count
        map[weight.huggingFaceName] = .string(name)
      }
      try writer.finish()
      result.files.append(name)
      result.byteCount += infos.reduce(0) { $0 + $1.byteCount }
    }
    if parts.count > 1 {
      let index = JSONValue.object([
        "metadata": .object(["total_size": .integer(result.byteCount)]), "weight_map": .object(map),
      ])
      try folder.write(index.text() + "\n", to: "model.safetensors.index.json")
    }
    try folder.write(configuration.huggingFace(type: element).text() + "\n", to: "config.json")
    for (name, contents) in extraFiles { try AtomicFile.write([contents], to: folder.file(name)) }
    try progress(total, total)
    try folder.finish()
    result.files = try FileManager.default.contentsOfDirectory(atPath: path).sorted().map { path + "/" + $0 }
    result.bitsPerWeight = Double(8 * element.size)
    return result
  }

  /// Ranges of arrays that together take at most `limit` bytes, or are one array.
  private static func parts(_ sizes: [Int], limit: Int) -> [Range<Int>] {
    var result: [Range<Int>] = []
    var start = 0
    var sum = 0
    for (index, size) in sizes.enumerated() {
      if sum + size > limit, index > start {
        result.append(start..<index)
        start = index
        sum = 0
      }
      sum += size
    }
    return result + [start..<sizes.count]
  }

  private static func fiveDigits(_ number: Int) -> String {
    let digits = "\(number)"
    return String(repeating: "0", count: max(5 - digits.count, 0)) + digits
  }
}

extension ModelWeight {
  /// The shape in Hugging Face checkpoints, where the gate is a matrix of one row.
  func huggingFaceShape(in configuration: ModelConfiguration) -> [Int] {
    let (rows, columns) = shape(in: configuration)
    return part.isMatrix || part == .exitGate ? [rows, columns] : [columns]
  }
}

/// A folder that is filled beside its place, and moved there when it is complete.
final class FreshFolder {
  private let path: String
  private let temporary: String
  private var isFinished = false

  /// - Throws: `ModelFileError` if there is already something, `AtomicFile.Failure` if the folder cannot be made.
  init(path: String) throws {
    var path = path as NSString
    // NAME/ is NAME.
    while path.length > 1, path.hasSuffix("/") { path = path.substring(to: path.length - 1) as NSString }
    self.path = path as String
    if let names = try? FileManager.default.contentsOfDirectory(atPath: path as String), !names.isEmpty {
      throw ModelFileError(
        file: path as String, "is there already and is not empty", hint: "name a new folder")
    }
    temporary = (path.deletingLastPathComponent as NSString)
      .appendingPathComponent(".\(path.lastPathComponent).\(UInt32.random(in: .min ... .max)).partial")
    guard mkdir(temporary, 0o777) == 0 else {
      throw AtomicFile.Failure(path: path as String, reason: String(cString: strerror(errno)))
    }
  }

  func file(_ name: String) -> String { (temporary as NSString).appendingPathComponent(name) }

  /// - Throws: `AtomicFile.Failure`.
  func write(_ text: String, to name: String) throws {
    try AtomicFile.write([Array(text.utf8)], to: file(name))
  }

  /// Moves the folder to its place.
  /// - Throws: `AtomicFile.Failure`.
  func finish() throws {
    guard rename(temporary, path) == 0 else {
      throw AtomicFile.Failure(path: path, reason: String(cString: strerror(errno)))
    }
    isFinished = true
  }

  deinit { if !isFinished { try? FileManager.default.removeItem(atPath: temporary) } }
}
