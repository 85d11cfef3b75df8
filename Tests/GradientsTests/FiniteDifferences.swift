import Gradients
import Tensors
import Testing

/// Holds an operation to its f64 reference: the values, and the gradient of every input against central differences
/// of the reference. The outputs are weighted by random numbers, so that no part of the gradient cancels.
func expectGradients(
  _ shapes: [[Int]], seed: UInt64 = 1, spread: Float = 1, tolerance: Double = 2e-4,
  _ operation: ([Variable]) -> Variable, reference: ([[Double]]) -> [Double],
  sourceLocation: SourceLocation = #_sourceLocation
) {
  var random = RandomStream(seed: seed)
  let inputs = shapes.map { Variable.leaf(random.normal($0, deviation: spread)) }
  let exact = inputs.map { $0.value.values.map(Double.init) }
  let tape = Tape()
  let output = tape.record { operation(inputs) }
  let expected = reference(exact)
  #expect(output.value.count == expected.count, sourceLocation: sourceLocation)
  let scale = 1 + expected.reduce(0) { max($0, abs($1)) }
  for (value, wanted) in zip(output.value.values, expected) {
    #expect(abs(Double(value) - wanted) < 2e-6 * scale, sourceLocation: sourceLocation)
  }
  let weights = random.normal(output.shape)
  let exactWeights = weights.values.map(Double.init)
  output.slot!.accumulate(weights.copy())
  tape.runBackward()
  #expect(tape.count == 0)
  func loss(_ inputs: [[Double]]) -> Double {
    zip(reference(inputs), exactWeights).reduce(0) { $0 + $1.0 * $1.1 }
  }
  for (number, input) in inputs.enumerated() {
    guard let gradient = input.gradient else {
      Issue.record("no gradient for input \(number)", sourceLocation: sourceLocation)
      continue
    }
    #expect(gradient.shape == input.shape, sourceLocation: sourceLocation)
    for i in 0..<input.value.count {
      let step = 1e-5
      var (above, below) = (exact, exact)
      above[number][i] += step
      below[number][i] -= step
      let difference = (loss(above) - loss(below)) / (2 * step)
      let error = abs(Double(gradient.pointer[i]) - difference)
      #expect(
        error < tolerance * (1 + abs(difference)),
        "input \(number), element \(i): \(gradient.pointer[i]), \(difference)",
        sourceLocation: sourceLocation)
    }
  }
}
