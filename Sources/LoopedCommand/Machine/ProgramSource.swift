import Foundation
import Machine

/// A program for one of the machines, and what to call it.
enum ProgramSource {
  /// `text`: the assembly, if it was assembled from one.
  case unified(MemoryImage, name: String, cells: Int?, text: [UInt8]? = nil)
  case separate(SeparateProgram, name: String)
  /// The text of a program in the FLEQ language.
  case fleq([UInt8], name: String)

  enum Format: String, CaseIterable {
    case asq, sq, csv, fleq
  }

  /// Loads a file, or a program of the library if no such file exists.
  /// - Throws: `SourceError` with file, line and column; `CommandError` if there is nothing to load.
  static func load(_ path: String, format: Format?) throws -> ProgramSource {
    if let program = ProgramLibrary[path], !FileManager.default.fileExists(atPath: path) {
      return .unified(
        try program.assemble(), name: program.name, cells: program.cells, text: program.source)
    }
    if let program = FleqLibrary[path], !FileManager.default.fileExists(atPath: path) {
      return .fleq(program.source, name: "\(program.name).fleq")
    }
    guard path == "-" || FileManager.default.fileExists(atPath: path) else {
      throw CommandError(
        "no file \(path), and no program of that name",
        hint: "`looped run --list` shows the programs that come with looped")
    }
    let text = try readBytes(path, limit: 16 << 20, tooLarge: "is this really a program?")
    let name = path == "-" ? "standard input" : path
    switch try format ?? formatOfName(path) {
    case .asq:
      return .unified(try SubleqAssembler.assemble(text, file: name), name: name, cells: nil, text: text)
    case .sq: return .unified(try ImageFile.read(text, file: name), name: name, cells: nil)
    case .csv: return .separate(try SeparateProgramFile.read(text, file: name), name: name)
    case .fleq: return .fleq(text, name: name)
    }
  }

  private static func formatOfName(_ path: String) throws -> Format {
    switch (path as NSString).pathExtension.lowercased() {
    case "asq", "s", "asm": return .asq
    case "sq", "dec", "txt": return .sq
    case "csv": return .csv
    case "fleq": return .fleq
    default:
      if path == "-" { return .asq }
      throw CommandError(
        "cannot tell the format of \(path)",
        hint:
          "use --format asq, sq, csv or fleq; `looped run --list` shows the programs that come with looped")
    }
  }
}
