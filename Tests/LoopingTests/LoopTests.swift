import Looping
import Testing

@Suite struct LoopTests {
  struct Halve: LoopBody {
    func apply(to state: inout Int, loop: Int) -> Bool {
      defer { state /= 2 }
      return state != 0
    }
  }

  @Test func stopsAtTheFixedPoint() throws {
    var loop = Loop(body: Halve(), limit: 100)
    var state = 9
    let (loops, halt) = try loop.run(&state)
    #expect(loops == 5 && halt == .fixedPoint && state == 0)
  }

  @Test func stopsAtTheLimit() throws {
    var loop = Loop(body: Halve(), limit: 2)
    var state = 9
    #expect(try loop.run(&state).halt == .limit)
    #expect(state == 2)
  }

  @Test func asksRulesAfterEveryPassAndInjectsBeforeIt() throws {
    var injected: [Int] = []
    var loop = Loop(
      body: Halve(), limit: 100, haltingRules: [HaltingRule("small") { state, _ in state < 3 }],
      injection: { _, loop in injected.append(loop) })
    var state = 100
    var observed: [Int] = []
    let (loops, halt) = try loop.run(&state) { state, _ in observed.append(state) }
    #expect(halt == .rule("small") && loops == 6)
    #expect(observed == [50, 25, 12, 6, 3, 1] && injected == Array(0..<6))
  }
}
