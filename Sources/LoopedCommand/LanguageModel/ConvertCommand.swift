import ArgumentParser
import LanguageModel

struct ConvertCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert",
    abstract: "Write a language model anew: Hugging Face folder or GGUF file, to either.",
    discussion: """
      The result is a GGUF file if its name ends in .gguf, and a folder with config.json and safetensors otherwise. \
      Tokenizer and chat template go along. It appears when it is complete: whatever stops the run leaves no part of it.

        looped convert Ouro-1.4B ouro.gguf --outtype q8_0
        looped convert smollm2.gguf smollm2 --outtype bf16
      """)

  @Argument(help: "A Hugging Face folder or a GGUF file.")
  var input: String
  @Argument(help: "The file or folder to write.")
  var output: String?
  @Option(
    help: ArgumentHelp("The file or folder to write, as llama.cpp's converter has it.", valueName: "path"))
  var outfile: String?
  @Option(help: ArgumentHelp("\(OutputTypeOption.names); as in the source if not given.", valueName: "type"))
  var outtype: OutputTypeOption?
  @Option(
    help: ArgumentHelp(
      "How often the block is applied, 1 to 8; as the source says if not given.", valueName: "n"))
  var loops: Int?
  @OptionGroup var options: ConversionOptions

  func validate() throws {
    if (output == nil) == (outfile == nil) { throw ValidationError("name the file or folder to write, once") }
  }

  func run() throws {
    var conversion = try ModelConversion(input, loops: loops)
    conversion.type = outtype?.type
    try options.run(&conversion, to: output ?? outfile ?? "")
  }
}

struct QuantizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "quantize",
    abstract: "Write a language model with fewer bits per weight.",
    discussion: """
      Arguments are those of llama-quantize. Norms stay f32; with four bits, the readout gets six (q6_k), or eight \
      where its rows are no whole blocks of 256.

        looped quantize Ouro-1.4B ouro-q4.gguf q4_k
      """)

  @Argument(help: "A Hugging Face folder or a GGUF file.")
  var input: String
  @Argument(help: "The GGUF file to write.")
  var output: String
  @Argument(help: "\(OutputTypeOption.names), in any case.")
  var type: OutputTypeOption
  @Flag(help: "Quantise what is quantised already; its errors add up.")
  var allowRequantize = false
  @OptionGroup var options: ConversionOptions

  func run() throws {
    var conversion = try ModelConversion(input)
    if conversion.isQuantised, !allowRequantize, type.type.isQuantised {
      throw CommandError(
        "\(input) is quantised already; quantising it again adds to its errors",
        hint: "quantise the original, or say --allow-requantize")
    }
    if type.type.isQuantised, !output.lowercased().hasSuffix(".gguf") {
      throw CommandError(
        "\(output): quantised weights are written as GGUF", hint: "name a file that ends in .gguf")
    }
    conversion.type = type.type
    try options.run(&conversion, to: output)
  }
}

/// A type by the names that llama.cpp's tools use.
struct OutputTypeOption: ExpressibleByArgument {
  static let names = OutputType.allCases.map(\.rawValue).joined(separator: ", ")
  let type: OutputType

  init?(argument: String) {
    guard let type = OutputType(name: argument) else { return nil }
    self.type = type
  }
}
