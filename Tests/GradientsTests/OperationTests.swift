import Gradients
import Tensors
import Testing

/// Every operation at odd sizes: values and gradients against f64 and finite differences.
@Suite struct OperationTests {
  @Test(arguments: [(1, 1, 1), (3, 5, 7), (17, 9, 18)])
  func linearLayers(_ size: (Int, Int, Int)) {
    let (rows, inputs, outputs) = size
    func reference(_ x: [[Double]]) -> [Double] {
      Reference.linear(
        x[0], x[1], x.count > 2 ? x[2] : [], rows: rows, inputs: inputs, outputs: outputs)
    }
    expectGradients([[rows, inputs], [outputs, inputs]]) {
      linear($0[0], $0[1])
    } reference: {
      reference($0)
    }
    expectGradients([[1, rows, inputs], [outputs, inputs], [outputs]]) {
      linear($0[0], $0[1], $0[2])
    } reference: {
      reference($0)
    }
    expectGradients([[rows, inputs], [outputs, inputs], [outputs], [rows, outputs]]) {
      linear($0[0], $0[1], $0[2], addingTo: $0[3])
    } reference: { x in
      zip(reference(x), x[3]).map { $0 + $1 }
    }
    expectGradients([[rows, inputs], [outputs, inputs], [rows, outputs]]) {
      linear($0[0], $0[1], addingTo: $0[2])
    } reference: { x in
      zip(reference([x[0], x[1]]), x[2]).map { $0 + $1 }
    }
    expectGradients([[rows, inputs], [outputs, inputs], [outputs]]) {
      linearGELU($0[0], $0[1], $0[2])
    } reference: {
      reference($0).map(Reference.gelu)
    }
  }

  @Test(arguments: [(1, 2), (4, 16), (5, 33), (40, 7)])
  func norms(_ size: (Int, Int)) {
    let (rows, columns) = size
    expectGradients([[rows, columns], [columns], [columns]], tolerance: 1e-3) {
      layerNorm($0[0], gain: $0[1], bias: $0[2])
    } reference: {
      Reference.layerNorm($0[0], gain: $0[1], bias: $0[2])
    }
    expectGradients([[rows, columns], [columns]]) {
      rmsNorm($0[0], gain: $0[1])
    } reference: {
      Reference.rmsNorm($0[0], gain: $0[1])
    }
  }

  @Test(arguments: [1, 16, 19, 33])
  func activations(_ columns: Int) {
    expectGradients([[3, columns]], spread: 2) {
      gelu($0[0])
    } reference: {
      $0[0].map(Reference.gelu)
    }
    expectGradients([[3, 2 * columns]], spread: 2) {
      swiglu($0[0])
    } reference: {
      Reference.swiglu($0[0], columns: columns)
    }
  }

  @Test(arguments: [Float(0), 0.01, -0.5]) func leakyRectifiers(_ slope: Float) {
    expectGradients([[3, 37]]) {
      leakyReLU($0[0], slope: slope)
    } reference: { x in
      x[0].map { (v: Double) -> Double in v > 0 ? v : Double(slope) * v }
    }
    expectGradients([[5]]) {
      relu($0[0])
    } reference: { x in
      x[0].map { (v: Double) -> Double in max(v, 0) }
    }
  }

  @Test(arguments: [(1, 1, 1, 2), (2, 5, 2, 3), (1, 18, 1, 17), (3, 7, 2, 8)])
  func attention(_ size: (Int, Int, Int, Int)) {
    let (batch, tokens, heads, headSize) = size
    let width = heads * headSize
    expectGradients([[batch, tokens, 3 * width]]) {
      causalAttention($0[0], heads: heads)
    } reference: {
      Reference.causalAttention($0[0], batch: batch, tokens: tokens, width: width, heads: heads)
    }
  }

  @Test(arguments: [(1, 1, 1, 2), (2, 5, 2, 6), (1, 3, 2, 34)])
  func rotaryEmbedding(_ size: (Int, Int, Int, Int)) {
    let (batch, tokens, heads, headSize) = size
    let table = RotaryTable(positions: tokens + 2, headSize: headSize)
    expectGradients([[batch, tokens, 3 * heads * headSize]]) {
      rotary($0[0], table: table, heads: heads)
    } reference: {
      Reference.rotary($0[0], batch: batch, tokens: tokens, heads: heads, headSize: headSize)
    }
  }

  @Test func sumsAndProducts() {
    expectGradients([[3, 7], [3, 7]]) {
      $0[0] + $0[1]
    } reference: { x in
      zip(x[0], x[1]).map(+)
    }
    expectGradients([[3, 7], [3, 7]]) {
      $0[0] * $0[1]
    } reference: { x in
      zip(x[0], x[1]).map(*)
    }
    expectGradients([[5]]) {
      Float(-2.5) * $0[0]
    } reference: { x in
      x[0].map { (v: Double) in -2.5 * v }
    }
    expectGradients([[3, 7], [1]]) {
      scaled($0[0], by: $0[1])
    } reference: { x in
      x[0].map { (v: Double) in v * x[1][0] }
    }
  }

  @Test func sharedUses() {
    // A value used four times, twice by one operation: contributions are summed, and none is overwritten.
    expectGradients([[4, 3]]) { x in
      let y = gelu(x[0]) + x[0]
      return (y * y) + (x[0] + x[0])
    } reference: { x in
      x[0].map { (value: Double) -> Double in
        let y = Reference.gelu(value) + value
        return y * y + 2 * value
      }
    }
  }

  @Test func tokensAndTables() {
    let indices: [Int32] = [4, 0, 4, 2, 4, 1]
    expectGradients([[5, 3]]) {
      embedding($0[0], indices, shape: [2, 3])
    } reference: { x in
      var rows: [Double] = []
      for index in indices.map(Int.init) { rows += x[0][index * 3..<index * 3 + 3] }
      return rows
    }
    expectGradients([[3, 4, 5], [6, 5]]) {
      addingPositions($0[0], $0[1])
    } reference: { x in
      (0..<60).map { x[0][$0] + x[1][$0 % 20] }
    }
    expectGradients([[2, 3, 5], [2, 3, 5]]) {
      interleavingTokens([$0[0], $0[1], $0[0]])
    } reference: { x in
      var rows: [Double] = []
      for row in 0..<6 { for kind in [0, 1, 0] { rows += x[kind][row * 5..<row * 5 + 5] } }
      return rows
    }
    expectGradients([[2, 5, 3]]) {
      takingTokens($0[0], from: 1, by: 2)
    } reference: { x in
      var taken: [Double] = []
      for token in [1, 3, 6, 8] { taken += x[0][token * 3..<token * 3 + 3] }
      return taken
    }
  }

  @Test func losses() {
    var random = RandomStream(seed: 2)
    let target = random.normal([4, 3])
    expectGradients([[4, 3]]) {
      squaredError($0[0], target)
    } reference: {
      [Reference.squaredError($0[0], target.values.map(Double.init))]
    }
    let classes: [Int32] = [2, -1, 0, 18, -7, 5]
    expectGradients([[6, 19]], spread: 3) {
      crossEntropy($0[0], classes)
    } reference: {
      [Reference.crossEntropy($0[0], classes, classes: 19)]
    }
    expectGradients([[1], [1]]) { x in
      mean(of: [x[0], x[1], x[0]])
    } reference: {
      [(2 * $0[0][0] + $0[1][0]) / 3]
    }
    let rows = softmax(Tensor([1, 2, 3, 1000, 1000, -1000], shape: [2, 3])).values
    for (value, wanted) in zip(rows, Reference.softmax([1, 2, 3]) + [0.5, 0.5, 0]) {
      #expect(abs(Double(value) - wanted) < 1e-6)
    }
  }

  @Test func constantsAreNotDifferentiated() {
    let (x, weight) = (Variable(Tensor([1, 2], shape: [1, 2])), Parameter(Tensor([3, 4], shape: [1, 2])))
    let tape = Tape()
    let y = tape.record { linear(x, weight) }
    let constant = tape.record { linear(x, Variable(weight.value)) }
    #expect(tape.count == 1 && constant.slot == nil)
    tape.backward(from: y)
    #expect(weight.gradient?.values == [1, 2] && x.gradient == nil)
    // Outside a tape nothing is recorded; a second backward pass adds to the first.
    #expect(linear(x, weight).slot == nil)
    tape.backward(from: tape.record { linear(x, weight) }, seed: 2)
    #expect(weight.gradient?.values == [3, 6])
    weight.clearGradient()
    #expect(weight.gradient == nil)
  }
}
