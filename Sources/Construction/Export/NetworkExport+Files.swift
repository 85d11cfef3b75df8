import Foundation
import Tensors

extension NetworkExport {
  /// The files an export may be.
  public enum Format: String, CaseIterable, Sendable {
    case safetensors
    case onnx
    case npz

    /// By the extension of a file's name; `nil` for any other.
    public init?(path: String) { self.init(rawValue: (path as NSString).pathExtension.lowercased()) }
  }

  /// Writes the file, and beside it the manifest (`NAME.json`) and what runs it.
  ///
  /// - Returns: the paths written, the file itself first.
  /// - Throws: `ExportError`, `NumpyArchive.Failure` or `AtomicFile.Failure`.
  public func write(_ format: Format, to path: String) throws -> [String] {
    let folder = (path as NSString).deletingLastPathComponent as NSString
    let manifestPath = (path as NSString).deletingPathExtension + ".json"
    var files: [(path: String, parts: [[UInt8]])] = []
    switch format {
    case .safetensors:
      files.append((path, SafetensorsFile.parts(inputs + weights(), metadata: metadata)))
    case .npz:
      try checkThatItRuns()
      files.append((path, try NumpyArchive.parts(inputs + weights())))
      files.append(
        (folder.appendingPathComponent("run_network.py"), [PackageResources.run_network_py]))
    case .onnx:
      try checkThatItRuns()
      files.append((path, [try onnxModel().encoded()]))
    }
    files.append((manifestPath, [try manifestText()]))
    for (path, parts) in files { try AtomicFile.write(parts, to: path) }
    return files.map(\.path)
  }

  /// What fits into a file's own key–value store.
  var metadata: [String: String] {
    [
      "program": program, "network": network.name, "digest": digestText,
      "rows": (0..<network.width).map(network.layout.label(ofRow:)).joined(separator: "\n"),
    ]
  }

  var digestText: String { String(network.digest, radix: 16) }
}
