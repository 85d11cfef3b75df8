import ArgumentParser
import Foundation
import Machine

struct AsmCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "asm", abstract: "Assemble SUBLEQ assembly into a memory image, or compile FLEQ.",
    discussion: """
      Reads Mazonka-style assembly (.asq) and writes a decimal image (.sq), or a listing. \
      Of a program in the FLEQ language (.fleq) it writes the listing: memory, and code line by line.

        looped asm program.asq -o program.sq
        looped asm matrix-inverse
      """)

  @Argument(help: "An assembly file, - for standard input, or a program of the library.")
  var file: String
  @Option(name: .shortAndLong, help: "Where the image goes; standard output if not given.")
  var output: String?
  @Flag(help: "Print a listing: addresses, labels, words, and what they mean.")
  var list = false

  func run() throws {
    let text: String
    switch try ProgramSource.load(file, format: nil) {
    case .unified(let image, _, _, _):
      text = list ? Disassembler(image, dialect: SubleqDialect()).listing(image) : ImageFile.text(image)
    case .fleq(let source, let name):
      text = try FleqCompiler.compile(source, file: name).listing(
        source: String(decoding: source, as: UTF8.self))
    case .separate:
      throw CommandError("\(file) is a program for the paper's machine, which has no assembly")
    }
    guard let output else { return print(text, terminator: "") }
    do {
      try Data(text.utf8).write(to: URL(fileURLWithPath: output), options: .atomic)
    } catch {
      throw CommandError("cannot write \(output): \(error.localizedDescription)")
    }
  }
}
