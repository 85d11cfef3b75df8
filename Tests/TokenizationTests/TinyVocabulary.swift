import Foundation

@testable import Tokenization

/// A byte-level vocabulary made by hand: 256 bytes, then a piece for every merge.
struct TinyVocabulary {
  var merges: [(String, String)]
  /// Members of the file besides the model, as JSON.
  var members: [String: String] = [
    "pre_tokenizer": #"{"type":"ByteLevel","add_prefix_space":false,"use_regex":true}"#,
    "decoder": #"{"type":"ByteLevel"}"#,
  ]
  /// Members of the model besides vocabulary and merges.
  var model: [String: String] = ["type": "\"BPE\""]

  init(_ merges: [(String, String)]) { self.merges = merges }

  /// h+e, l+l, he+ll, hell+o, Ġ+w, o+r, Ġw+or, Ġwor+ld …
  static let hello = TinyVocabulary([
    ("h", "e"), ("l", "l"), ("he", "ll"), ("hell", "o"), ("Ġ", "w"), ("o", "r"), ("Ġw", "or"), ("l", "d"),
    ("Ġwor", "ld"), ("Ġ", "Ġ"), ("ĠĠ", "ĠĠ"), ("'", "s"), ("1", "2"), ("a", "a"), ("aa", "a"), ("Ã", "©"),
  ])

  /// Pieces in the order of their numbers.
  var pieces: [String] {
    ByteAlphabet.letters.map { String($0) } + merges.map { $0.0 + $0.1 }
  }

  static func quoted(_ text: String) -> String {
    String(decoding: try! JSONEncoder().encode(text), as: UTF8.self)
  }

  var json: String {
    var seen: Set<String> = []
    let vocabulary = pieces.filter { seen.insert($0).inserted }.enumerated()
      .map { "\(Self.quoted($1)):\($0)" }.joined(separator: ",")
    let merges = merges.map { "[\(Self.quoted($0.0)),\(Self.quoted($0.1))]" }.joined(separator: ",")
    let model =
      self.model.map { "\(Self.quoted($0)):\($1)" } + ["\"vocab\":{\(vocabulary)}", "\"merges\":[\(merges)]"]
    let members =
      self.members.map { "\(Self.quoted($0)):\($1)" } + ["\"model\":{\(model.joined(separator: ","))}"]
    return "{\"version\":\"1.0\",\(members.joined(separator: ","))}"
  }

  func tokenizer() throws -> Tokenizer { try Tokenizer(json: Array(json.utf8), file: "tiny.json") }
}

extension Tokenizer {
  /// The pieces of a text's tokens.
  func pieces(_ text: String) -> [String] { encode(text).map { piece($0) ?? "?" } }
}
