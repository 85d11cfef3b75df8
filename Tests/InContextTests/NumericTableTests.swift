import Foundation
import InContext
import Testing
import TextFiles

@Suite struct NumericTableTests {
  private func table(_ csv: String, label: String? = nil) throws -> NumericTable {
    try NumericTable(csv: Array(csv.utf8), file: "t.csv", label: label)
  }

  private func error(_ csv: [UInt8], label: String? = nil) -> SourceError? {
    do {
      _ = try NumericTable(csv: csv, file: "t.csv", label: label)
      return nil
    } catch {
      return error as? SourceError
    }
  }

  private func error(_ csv: String, label: String? = nil) -> SourceError? {
    error(Array(csv.utf8), label: label)
  }

  @Test func numbersQuotesAndSeparatorsAreRead() throws {
    let plain = try table("a,b,class\n1,-2.5e1,yes\n3,4,no\n")
    #expect(plain.features == ["a", "b"] && plain.values == [1, -25, 3, 4])
    #expect(plain.classes == ["no", "yes"] && plain.labels == [1, 0] && plain.rows == 2)
    // A mark of UTF-8, carriage returns, blank lines, spaces, no last line end, quotes with separators inside.
    let written = "\u{FEFF}\"a, \"\"x\"\"\" ; class;b\r\n\r\n 1 ;\"one; two\\n\";\"2\"\r\n3;z;4"
    let other = try table(written, label: "class")
    #expect(other.features == ["a, \"x\"", "b"] && other.values == [1, 2, 3, 4])
    #expect(other.classes == ["one; two\\n", "z"] && other.labels == [0, 1])
    #expect(try table("a\tb\n1\tu\n2\tv\n").values == [1, 2])
    // A line end inside quotes belongs to the field.
    #expect(try table("a,b\n1,\"u\nv\"\n2,w\n").classes == ["u\nv", "w"])
  }

  @Test func whatCannotBeUsedIsNamedWithLineAndColumn() {
    func place(_ csv: String, label: String? = nil) -> [Int]? {
      error(csv, label: label).map { [$0.line, $0.column] }
    }
    #expect(place("") == [1, 1] && place("\n\n") == [1, 1])
    #expect(place("only\n1\n") == [1, 1])
    #expect(place("1,2\n3,4\n") == [1, 1] && error("1,2\n3,4\n")?.message == "the first line holds numbers")
    #expect(place("a,a,y\n") == [1, 3])
    #expect(place("a,y\n1,u\n2\n") == [3, 1] && place("a,y\n1,u,3\n") == [2, 1])
    for missing in ["", "?", "NA", "nan", "NULL", "\"\""] {
      #expect(place("a,b,y\n1,2,u\n1,\(missing),v\n") == [3, 3], "\(missing)")
      #expect(error("a,b,y\n1,2,u\n1,\(missing),v\n")?.message == "a missing value in column 'b'")
      #expect(place("a,y\n1,\(missing)\n2,u\n") == [2, 3], "\(missing)")
    }
    for wrong in ["red", "1e999", "inf", "1,000,0", "--1", "0x"] {
      #expect(error("a,y\n\"\(wrong)\",u\n")?.line == 2, "\(wrong)")
    }
    #expect(place("a,y\n1,u\n2,v\n3,w\n") == [4, 3])
    #expect(error("a,y\n1,u\n2,v\n3,w\n")?.message.contains("third label") == true)
    #expect(error("a,y\n1,u\n2,u\n")?.message.contains("1 labels") == true)
    #expect(error("a,y\n")?.message.contains("0 labels") == true)
    #expect(error("a,y\n1,u\n", label: "z")?.hint == "the columns are a, y")
    #expect(place("a,y\n\"1,u\n") == [2, 1] && error("a,y\n\"1,u\n")?.message == "the quote is not closed")
    #expect(place("a,y\n\"1\"x,u\n") == [2, 4])
  }

  @Test func hostileFilesAreRefusedInTime() throws {
    #expect(error([0xFF, 0xFE, 0x00, 0x2C, 0x41, 0x0A]) != nil)
    #expect(error(Array("a,y\n".utf8) + [0xC3, 0x28, 0x2C, 0x41])?.message == "the text is not UTF-8")
    #expect(error(String(repeating: ",", count: 100_000))?.message.contains("1000 columns") == true)
    #expect(error(String(repeating: "a", count: 5_000_000)) != nil)
    #expect(error(String(repeating: "\"", count: 1_000_001)) != nil)
    #expect(error([UInt8](repeating: 0, count: 1_000_000)) != nil)
    #expect(throws: SourceError.self) { try NumericTable(path: "/nonexistent.csv") }
    #expect(throws: SourceError.self) { try NumericTable(path: "/") }
    #expect(throws: SourceError.self) { try NumericTable(path: "/dev/zero") }
    // Cut anywhere, and with any byte changed, a table is read or refused.
    let bytes = Array("x,\"y z\",class\n1.5,2,\"a\"\n-3,4e2,b\n5,6,a\n".utf8)
    for length in bytes.indices { _ = error(Array(bytes[..<length])) }
    for place in bytes.indices {
      for byte in [0, 10, 13, 34, 44, 128, 255] as [UInt8] {
        var changed = bytes
        changed[place] = byte
        _ = error(changed)
      }
    }
  }
}
