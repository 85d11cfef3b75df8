import ArgumentParser
import Foundation
import LanguageModel
import Tokenization

struct TokenizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tokenize", abstract: "Show the tokens of a text, or the text of tokens.",
    discussion: """
      Reads a tokenizer.json, or that of a model: its folder or its GGUF file. The text comes from the command line or from \
      standard input.

        looped tokenize --model tokenizer.json "Hello, world"
        echo "1 2 3" | looped tokenize --model tokenizer.json --decode
      """)

  @Option(name: .shortAndLong, help: "A tokenizer.json, a model's folder, or a GGUF file.")
  var model: String
  @Argument(help: "The text, or with --decode the numbers; standard input if left out.")
  var text: String?
  @Flag(help: "Take every line of the input as a text of its own, and answer it with a line.")
  var lines = false
  @Flag(
    help:
      "Write JSON; with --lines, every line of the input is a JSON string, or with --decode an array of numbers."
  )
  var json = false
  @Flag(help: "Turn numbers into text.")
  var decode = false
  @Flag(
    help: "Put the tokens that the model expects before and after the text, and leave such out when decoding."
  )
  var specialTokens = false
  @Flag(help: "Take <|im_end|> and its like in the text as plain text.")
  var plain = false
  @Flag(help: "Print the number of tokens alone.")
  var count = false

  func validate() throws {
    if decode && count { throw ValidationError("--count counts the tokens of a text: leave out --decode") }
  }

  func run() throws {
    let tokenizer = try model.hasSuffix(".json") ? Tokenizer(contentsOf: model) : ModelFiles.tokenizer(model)
    var output = BufferedOutput()
    if lines {
      guard text == nil else { throw CommandError("--lines reads standard input: leave out the text") }
      var reader = try LineReader(path: "-")
      while let line = try reader.next() {
        do {
          try answer(tokenizer, line, &output, isLine: true)
        } catch let error as InputError {
          throw CommandError("standard input:\(reader.number): \(error.message)", hint: error.hint)
        }
        // Whoever asks line by line waits for this one; whoever sends many at once does not.
        if !reader.hasLine { try output.flush() }
      }
    } else {
      let input = try text.map { Array($0.utf8) } ?? readAll()
      do {
        try answer(tokenizer, input, &output, isLine: false)
      } catch let error as InputError {
        throw CommandError(error.message, hint: error.hint)
      }
    }
    try output.flush()
    if Interrupt.isRequested { throw ExitCode(130) }
  }

  private struct InputError: Error {
    var message: String
    var hint: String?
  }

  private func readAll() throws -> [UInt8] {
    var bytes: [UInt8] = []
    while let part = try FileHandle.standardInput.read(upToCount: 1 << 20), !part.isEmpty {
      bytes.append(contentsOf: part)
      guard bytes.count <= 1 << 30 else { throw CommandError("standard input has more than 1024 MiB") }
    }
    return bytes
  }

  private func answer(_ tokenizer: Tokenizer, _ input: [UInt8], _ output: inout BufferedOutput, isLine: Bool)
    throws
  {
    if decode {
      let text = tokenizer.decode(try numbers(input, tokenizer), skipSpecialTokens: specialTokens)
      if json {
        output.write(Self.quoted(text))
      } else {
        output.write(text)
      }
      if json || isLine { output.write("\n") }
      return
    }
    var bytes = input
    if json && isLine {
      guard let text = try? JSONDecoder().decode(String.self, from: Data(input)) else {
        throw InputError(message: "a JSON string is expected", hint: "leave out --json for plain lines")
      }
      bytes = Array(text.utf8)
    }
    let tokens = tokenizer.encode(bytes: bytes, addSpecialTokens: specialTokens, parsesSpecialTokens: !plain)
    if count {
      output.write("\(tokens.count)\n")
    } else if json && isLine {
      output.write("[\(tokens.map(String.init).joined(separator: ","))]\n")
    } else if json {
      let entries = tokens.map { "{\"id\":\($0),\"piece\":\(Self.quoted(tokenizer.piece($0) ?? ""))}" }
      output.write("[\(entries.joined(separator: ","))]\n")
    } else {
      output.write(tokens.map(String.init).joined(separator: " ") + "\n")
    }
  }

  private func numbers(_ input: [UInt8], _ tokenizer: Tokenizer) throws -> [TokenID] {
    var numbers: [TokenID] = []
    for word in input.split(whereSeparator: { [32, 9, 10, 13, 44, 91, 93].contains($0) }) {
      let text = String(decoding: word, as: UTF8.self)
      guard let number = TokenID(text), number >= 0 else {
        throw InputError(message: "\"\(text.prefix(40))\" is no number of a token")
      }
      guard number < tokenizer.vocabularySize else {
        throw InputError(
          message: "there is no token \(number)",
          hint: "the vocabulary ends at \(tokenizer.vocabularySize - 1)")
      }
      numbers.append(number)
    }
    return numbers
  }

  private static func quoted(_ text: String) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    return String(decoding: (try? encoder.encode(text)) ?? Data("\"\"".utf8), as: UTF8.self)
  }
}

/// Standard output in large parts.
private struct BufferedOutput {
  private var bytes: [UInt8] = []

  mutating func write(_ text: String) {
    bytes += text.utf8
  }

  mutating func flush() throws {
    try Output.write(bytes)
    bytes.removeAll(keepingCapacity: true)
  }
}
