import ArgumentParser
import Machine

/// What kind of SUBLEQ machine a program is for: shared by `run` and `export`.
struct MachineOptions: ParsableArguments {
  @Option(help: "Bits of a word, 4 to 48.")
  var bits = 16
  @Option(help: "Memory cells; as many as the program has words if not given.")
  var cells: Int?
  @Option(help: "What `-1 b c` does: store (mem[b] = x, no jump) or add (mem[b] += x, then jump if <= 0).")
  var input = SubleqDialect.Input.store
  @Option(help: "signed (negative targets halt) or unsigned (only -1 halts).")
  var addressing = SubleqDialect.Addressing.signed

  var dialect: SubleqDialect { SubleqDialect(wordBits: bits, input: input, addressing: addressing) }

  /// The memory's cells. - Parameter needed: what a program of the library asks for.
  func cells(_ image: MemoryImage, needed: Int?) -> Int { cells ?? max(image.words.count, needed ?? 3, 3) }
}
