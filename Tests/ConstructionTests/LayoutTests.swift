import Construction
import Testing

@Suite struct LayoutTests {
  @Test func fieldsAreDisjointAndNamed() {
    var layout = ResidualLayout()
    let first = layout.add("first", rows: 3)
    let second = layout.add("second", rows: 2, bound: 4)
    #expect(layout.width == 5 && first.rows == 0..<3 && second[1] == 4)
    #expect(layout.label(ofRow: 3) == "second.0" && layout.bounds == [1, 1, 1, 4, 4])
    #expect(layout["second"] == second && layout["third"] == nil)
  }
}
