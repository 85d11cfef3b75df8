import LanguageModel
import Testing

@Suite struct PassCostTests {
  private func cost(_ seconds: [(rows: Int, seconds: Double)]) -> PassCost {
    var cost = PassCost()
    for (rows, seconds) in seconds { cost.note(rows: rows, seconds: seconds) }
    return cost
  }

  @Test func rowsThatCostNothingRunAndRowsThatCostAPassDoNot() {
    let likelihoods = [1, 0.9, 0.5, 0.3, 0.05]
    let flat = cost((1...16).map { ($0, 1) })
    #expect(flat.bestCount(likelihoods, least: 1) == 5)
    let linear = cost((1...16).map { ($0, Double($0)) })
    #expect(linear.bestCount(likelihoods, least: 1) == 1)
    #expect(linear.bestCount(likelihoods, least: 3) == 3)
    // Flat up to four rows, then steep: what the fifth adds is not worth half a pass.
    let bent = cost((1...16).map { ($0, $0 <= 4 ? 1 : 0.5 * Double($0 - 2)) })
    #expect(bent.bestCount(likelihoods, least: 1) == 4)
  }

  @Test func gapsAreFilledFromNeighbours() {
    let known = cost([(2, 1), (6, 3)])
    #expect(known.passSeconds(rows: 4) == 2)
    #expect(known.passSeconds(rows: 1) < 1 && known.passSeconds(rows: 8) > 3)
    // More rows that took less show that fewer were interrupted.
    #expect(cost([(3, 9), (4, 2)]).passSeconds(rows: 3) == 2)
  }

  @Test func aPassThatWasInterruptedCountsLittleAndIsForgotten() {
    var cost = cost([(1, 1), (1, 100)])
    #expect(cost.passSeconds(rows: 1) < 1.2)
    cost = self.cost([(5, 50)])
    for _ in 0..<300 { cost.note(rows: 4, seconds: 1) }
    #expect(cost.passSeconds(rows: 5) < 2)
  }
}
