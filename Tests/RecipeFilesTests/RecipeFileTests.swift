import Foundation
import RecipeFiles
import Testing
import TextFiles

/// A recipe of every kind of key.
private struct Soup: RecipeFile, Equatable {
  enum Kind: String, CaseIterable { case thick, thin }
  var name = "unnamed"
  var litres = 2
  var salt = 0.5
  var kind = Kind.thick
  var isHot = true
  var vegetables: [String] = ["leek"]

  static let keysCommand = "soup keys"
  static var fields: [RecipeField<Soup>] {
    [
      .text("name", "of the soup", \.name), .number("pot.litres", "of water", \.litres, 1...10),
      .number("pot.salt", "in spoons", \.salt, 0...2), .choice("pot.kind", "thick or thin", \.kind),
      .choice("serving.is-hot", "or cold", \.isHot), .list("serving.vegetables", "in it", \.vegetables),
    ]
  }
  var contradiction: (key: String, problem: String)? {
    kind == .thin && litres < 2 ? ("pot.litres", "thin soup needs two") : nil
  }
}

@Suite struct RecipeFileTests {
  private func error(_ yaml: String, _ settings: [String] = []) -> SourceError? {
    do {
      _ = try Soup(yaml: Array(yaml.utf8), file: "soup.yaml", settings: settings)
      return nil
    } catch {
      return error as? SourceError
    }
  }

  @Test func everyKindOfKeyIsReadAndWritten() throws {
    let yaml =
      "name: \"a: \\\"b\\\" #ü\"\npot: {litres: 3, kind: thin}\nserving:\n  is-hot: false\n  vegetables: [carrot, red beet]\n"
    let soup = try Soup(yaml: Array(yaml.utf8), file: "soup.yaml", settings: ["pot.salt=1e-3"])
    let expected = Soup(
      name: "a: \"b\" #ü", litres: 3, salt: 1e-3, kind: .thin, isHot: false,
      vegetables: ["carrot", "red beet"])
    #expect(soup == expected)
    #expect(try Soup(yaml: Array(soup.yaml.utf8), file: "again") == soup)
    #expect(
      try Soup(yaml: [], file: "empty") == Soup() && Soup(yaml: Array("# no key\n".utf8), file: "e") == Soup()
    )
    #expect(soup.fileName == "a-b" && Soup(name: "ü").fileName == "unnamed")
    #expect(soup.yamlValues["serving.vegetables"] == "carrot, red beet" && soup.yamlValues.count == 6)
    // What the command line and a file can write alike.
    #expect(try Soup(yaml: [], file: "", settings: ["serving.vegetables= a, b ,"]).vegetables == ["a", "b"])
  }

  @Test func errorsNameThePlaceAndTheRemedy() {
    let unknown = error("name: x\npot:\n  litre: 5\n")
    #expect(unknown?.line == 3 && unknown?.column == 3 && unknown?.hint == "did you mean pot.litres?")
    #expect(error("colour: red\n")?.hint == "`soup keys` lists all keys")
    #expect(error("name: ü\npot: {litres: 11}\n")?.message == "pot.litres: 11 is outside 1 to 10")
    #expect(error("pot: {litres: 1.5}\n")?.message.contains("no whole number") == true)
    #expect(error("pot: {salt: nan}\n") != nil && error("pot: {salt: -0.1}\n") != nil)
    #expect(error("pot: {kind: solid}\n")?.message.contains("none of thick, thin") == true)
    #expect(error("serving: {is-hot: perhaps}\n")?.message.contains("neither true nor false") == true)
    #expect(error("pot: {litres: [2]}\n")?.message == "'pot.litres' is one value, not a mapping or a list")
    #expect(
      error("serving: {vegetables: {a: b}}\n")?.message == "'serving.vegetables' is one value, not a mapping")
    #expect(error("serving:\n  vegetables: [a, [b]]\n")?.column == 19)
    #expect(error("pot: 3\n")?.message.contains("section") == true)
    #expect(error("name: a\nname: b\n")?.message.contains("twice") == true)
    #expect(error("pot: {? [a] : b}\n")?.message == "a key is a word")
    // The key that a setting contradicts is blamed where the file has it.
    let contradiction = error("name: x\npot:\n  litres: 1\n", ["pot.kind=thin"])
    #expect(contradiction?.line == 3 && contradiction?.message == "pot.litres: thin soup needs two")
    #expect(error("", ["pot.litres"])?.file == "--set" && error("", ["pot.litres=x"])?.column == 12)
  }

  @Test func hostileFilesAreRefused() {
    #expect(error(String(repeating: "#", count: Soup.sizeLimit)) == nil)
    #expect(error(String(repeating: "#", count: Soup.sizeLimit + 1)) != nil)
    #expect(throws: SourceError.self) { try Soup(yaml: [0xFF, 0xFE, 0], file: "binary") }
    #expect(throws: SourceError.self) { try Soup(path: "/nonexistent.yaml") }
    #expect(throws: SourceError.self) { try Soup(path: "/") }
    for text in ["name: [a\n", "- a\n", "\t:\n", "just words\n", "name: *nobody\n", "pot: {litres: 9e999}\n"]
    {
      #expect(error(text) != nil, "\(text)")
    }
    let text = Array(Soup().yaml.utf8)
    for length in text.indices { _ = try? Soup(yaml: Array(text[..<length]), file: "cut") }
  }
}
