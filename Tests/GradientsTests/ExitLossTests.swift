import Foundation
import Gradients
import Tensors
import Testing

/// The objectives of looped language models: values and gradients against f64 and finite differences.
@Suite struct ExitLossTests {
  static let targets: [Int32] = [3, -1, 0, 6, 2]
  static let (rows, width, classes) = (5, 4, 7)

  @Test(arguments: [(1, 0.1, 1.0), (2, 0.0, 2), (3, 0.1, 1), (4, 0.7, 1), (4, 0.7, 1.5), (3, 0.2, 0.4)])
  func stageOne(_ case: (loops: Int, beta: Double, ratio: Double)) {
    let (loops, beta, ratio) = `case`
    let (rows, width, classes, targets) = (Self.rows, Self.width, Self.classes, Self.targets)
    let gates = loops > 1 ? loops : 0
    let shapes = Array(repeating: [rows, width], count: loops) + Array(repeating: [rows, 1], count: gates)
    expectGradients(shapes + [[classes, width]], spread: 1.5) { x in
      expectedLoss(
        states: Array(x[..<loops]), gates: Array(x[loops..<loops + gates]), readout: x.last!,
        targets: targets, entropyWeight: beta, priorRatio: ratio
      ).loss
    } reference: { x in
      [
        Reference.expectedLoss(
          states: Array(x[..<loops]),
          gates: gates > 0 ? Array(x[loops..<loops + gates]) : [[Double](repeating: 0, count: rows)],
          readout: x.last!, width: width, targets: targets, beta: beta, ratio: ratio)
      ]
    }
  }

  /// Σ p CE - β H(p) is Σ p CE + β KL(p ‖ uniform) - β log T.
  @Test func stageOneIsAnEvidenceBound() {
    var random = RandomStream(seed: 4)
    let (loops, beta) = (4, 0.3)
    let states = (0..<loops).map { _ in random.normal([Self.rows, Self.width]) }
    let gates = (0..<loops).map { _ in random.normal([Self.rows, 1], deviation: 2) }
    let readout = random.normal([Self.classes, Self.width])
    let (loss, statistics) = expectedLoss(
      states: states.map { Variable($0) }, gates: gates.map { Variable($0) }, readout: Variable(readout),
      targets: Self.targets, entropyWeight: beta)
    let losses = crossEntropies(states, readout: readout, targets: Self.targets)
    var bound = 0.0
    let counted = Self.targets.indices.filter { Self.targets[$0] >= 0 }
    for row in counted {
      let p = ExitLogarithms.probabilities(gates.map { Double($0.pointer[row]) })
      #expect(abs(p.reduce(0, +) - 1) < 1e-12)
      for loop in 0..<loops {
        bound += p[loop] * Double(losses[loop, row])
        bound += beta * p[loop] * (log(p[loop]) - log(1 / Double(loops)))
      }
      bound -= beta * log(Double(loops))
    }
    #expect(abs(bound / Double(counted.count) - Double(loss.value.scalar)) < 1e-6)
    #expect(statistics.tokens == counted.count && statistics.meanExit > 1 && statistics.meanExit < 4)
    #expect(abs(statistics.exits.reduce(0, +) - 1) < 1e-12)
    #expect(losses[0, 1] == 0, "a row without a target has no loss")
  }

  /// Gates that are sure leave no number that is none behind.
  @Test func saturatedGates() {
    let states = (0..<3).map { _ in Variable.leaf(Tensor(repeating: 0.5, [2, 2])) }
    let gates = [[Float(200), -200], [-200, 200], [0, 0]].map { Variable.leaf(Tensor($0, shape: [2, 1])) }
    let tape = Tape()
    let (loss, statistics) = tape.record {
      expectedLoss(
        states: states, gates: gates, readout: Variable(Tensor(repeating: 1, [3, 2])), targets: [0, 1],
        entropyWeight: 0.1)
    }
    tape.backward(from: loss)
    #expect(loss.value.scalar.isFinite && abs(statistics.entropy) < 1e-12)
    #expect(gates.allSatisfy { $0.gradient!.values.allSatisfy(\.isFinite) })
    #expect(zip(statistics.exits, [0.5, 0.5, 0]).allSatisfy { abs($0 - $1) < 1e-12 })
  }

  /// As many rows as need several chunks of logits, some of them without any target.
  @Test func chunksAreOneSum() {
    var random = RandomStream(seed: 5)
    let (rows, width, classes) = (1100, 3, 1024)
    let targets = (0..<rows).map { $0 < 1030 ? Int32(random.next() % 1024) : -1 }
    let (h, w) = (random.normal([rows, width]), random.normal([classes, width]))
    let (state, readout) = (Variable.leaf(h), Variable.leaf(w))
    let (plainState, plainReadout) = (Variable.leaf(h), Variable.leaf(w))
    let tape = Tape()
    let (loss, _) = tape.record {
      expectedLoss(states: [state], gates: [], readout: readout, targets: targets, entropyWeight: 0)
    }
    tape.backward(from: loss, seed: 0.5)
    let plain = tape.record { crossEntropy(linear(plainState, plainReadout), targets) }
    tape.backward(from: plain, seed: 0.5)
    #expect(abs(loss.value.scalar - plain.value.scalar) < 1e-5)
    for (a, b) in [(state, plainState), (readout, plainReadout)] {
      for (x, y) in zip(a.gradient!.values, b.gradient!.values) { #expect(abs(x - y) < 1e-6) }
    }
  }

  @Test(arguments: GateObjective.Reading.allCases) func stageTwo(_ reading: GateObjective.Reading) {
    var random = RandomStream(seed: 6)
    let (loops, rows, targets) = (4, Self.rows, Self.targets)
    let objective = GateObjective(reading: reading)
    let losses = random.uniform([loops, rows], from: 0, to: 0.02)
    let exact = (0..<loops).map { loop in (0..<rows).map { Double(losses[loop, $0]) } }
    expectGradients(Array(repeating: [rows, 1], count: loops)) { x in
      objective(gates: x, losses: losses, targets: targets)
    } reference: { x in
      [Reference.gateLoss(gates: x, losses: exact, targets: targets, objective: objective)]
    }
    // A loop that helps is to be run: the gate before it is pushed down.
    #expect(objective.label(before: 1, after: 0.5) > 0.999 && objective.label(before: 0.5, after: 1) < 0.5)
  }

  @Test(arguments: [(1, 1), (2, 2), (4, 2), (3, 1)]) func packedDocuments(_ heads: (Int, Int)) {
    let (heads, shared) = heads
    let (size, tokens) = (4, 9)
    let segments = [0..<4, 4..<5, 5..<9, 9..<18]
    let stride = (heads + 2 * shared) * size
    expectGradients([[2, tokens, stride]]) {
      packedAttention($0[0], heads: heads, keyValueHeads: shared, segments: segments)
    } reference: { x in
      // Keys and values repeated for every head, and each document a sequence of its own.
      segments.flatMap { segment -> [Double] in
        let rows = segment.flatMap { row -> [Double] in
          let at = row * stride
          func part(_ first: Int) -> [Double] {
            (0..<heads).flatMap { head -> [Double] in
              let start = at + (first + head / (heads / shared)) * size
              return Array(x[0][start..<start + size])
            }
          }
          return Array(x[0][at..<at + heads * size]) + part(heads) + part(heads + shared)
        }
        return Reference.causalAttention(
          rows, batch: 1, tokens: segment.count, width: heads * size, heads: heads)
      }
    }
  }

  @Test func rotaryWithSharedKeys() {
    let table = RotaryTable(positions: 4, headSize: 4, base: 100)
    var random = RandomStream(seed: 7)
    let x = random.normal([1, 3, 4 * 4])
    let y = rotary(Variable(x), table: table, heads: 2, keyValueHeads: 1).value
    for row in 0..<3 {
      for head in 0..<4 {
        for i in 0..<2 {
          let angle = Double(row) / pow(100, Double(2 * i) / 4)
          let (a, b) = (Double(x[0, row, head * 4 + i]), Double(x[0, row, head * 4 + 2 + i]))
          // The last head is of values, which do not turn.
          let wanted = head == 3 ? a : a * cos(angle) - b * sin(angle)
          #expect(abs(Double(y[0, row, head * 4 + i]) - wanted) < 1e-6)
        }
      }
    }
  }
}
