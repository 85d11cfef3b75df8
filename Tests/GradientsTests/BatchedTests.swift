import Gradients
import Tensors
import Testing

@Suite struct BatchedTests {
  @Test(arguments: [(1, 1, 1, 1), (3, 5, 7, 2), (4, 17, 3, 9)])
  func batchedLinearLayersAreLinearLayers(_ size: (Int, Int, Int, Int)) {
    let (layers, rows, inputs, outputs) = size
    expectGradients([[layers, rows, inputs], [layers, outputs, inputs], [layers, outputs]]) {
      batchedLinear($0[0], $0[1], $0[2])
    } reference: { x in
      (0..<layers).flatMap { layer -> [Double] in
        Reference.linear(
          Array(x[0][layer * rows * inputs..<(layer + 1) * rows * inputs]),
          Array(x[1][layer * outputs * inputs..<(layer + 1) * outputs * inputs]),
          Array(x[2][layer * outputs..<(layer + 1) * outputs]), rows: rows, inputs: inputs, outputs: outputs)
      }
    }
  }

  @Test(arguments: [1, 2, 22, 33]) func softmaxHasAGradient(_ columns: Int) {
    expectGradients([[3, columns]], spread: 2) {
      softmax($0[0])
    } reference: { x in
      (0..<3).flatMap { Reference.softmax(Array(x[0][$0 * columns..<($0 + 1) * columns])) }
    }
  }
}
