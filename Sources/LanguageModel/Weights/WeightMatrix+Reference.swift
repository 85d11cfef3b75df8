import Foundation

extension WeightMatrix {
  /// The slow, obvious product of the dequantised weights in double precision: what `multiply` is tested against.
  /// Activations are not quantised here, so formats with groups agree within that rounding.
  public func multiplyReference(
    _ x: UnsafePointer<Float>, batch: Int, into y: UnsafeMutablePointer<Float>
  ) {
    var weights = [Float](repeating: 0, count: columns)
    for row in 0..<rows {
      dequantize(rows: row..<row + 1, into: &weights)
      for b in 0..<batch {
        var sum = 0.0
        for c in 0..<columns { sum += Double(weights[c]) * Double(x[b * columns + c]) }
        y[b * rows + row] = Float(sum)
      }
    }
  }
}
