import Foundation

/// The operations in f64, in the plainest loops: what the fast ones mean.
///
/// Forward only: a test takes finite differences of these, and so needs no second derivation of a gradient. Arrays
/// are row-major; parameters have the meaning they have in the fast operation of the same name.
public enum Reference {
  public static func linear(
    _ x: [Double], _ weight: [Double], _ bias: [Double], rows: Int, inputs: Int, outputs: Int
  ) -> [Double] {
    var y = [Double](repeating: 0, count: rows * outputs)
    for row in 0..<rows {
      for o in 0..<outputs {
        var sum = bias.isEmpty ? 0 : bias[o]
        for i in 0..<inputs { sum += x[row * inputs + i] * weight[o * inputs + i] }
        y[row * outputs + o] = sum
      }
    }
    return y
  }

  public static func layerNorm(
    _ x: [Double], gain: [Double], bias: [Double], epsilon: Double = 1e-5
  ) -> [Double] {
    rows(of: x, gain.count) { row in
      let mean = row.reduce(0, +) / Double(row.count)
      let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(row.count)
      return row.indices.map { (row[$0] - mean) / (variance + epsilon).squareRoot() * gain[$0] + bias[$0] }
    }
  }

  public static func rmsNorm(_ x: [Double], gain: [Double], epsilon: Double = 1e-6) -> [Double] {
    rows(of: x, gain.count) { row in
      let square = row.reduce(0) { $0 + $1 * $1 } / Double(row.count)
      return row.indices.map { row[$0] / (square + epsilon).squareRoot() * gain[$0] }
    }
  }

  public static func gelu(_ x: Double) -> Double {
    x / 2 * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
  }

  public static func swiglu(_ x: [Double], columns: Int) -> [Double] {
    rows(of: x, 2 * columns) { row in
      (0..<columns).map { row[$0] / (1 + exp(-row[$0])) * row[columns + $0] }
    }
  }

  public static func softmax(_ row: [Double]) -> [Double] {
    let top = row.max() ?? 0
    let exponentials = row.map { exp($0 - top) }
    let sum = exponentials.reduce(0, +)
    return exponentials.map { $0 / sum }
  }

  public static func causalAttention(
    _ qkv: [Double], batch: Int, tokens: Int, width: Int, heads: Int, scale: Double? = nil
  ) -> [Double] {
    let size = width / heads
    let scale = scale ?? 1 / Double(size).squareRoot()
    func at(_ b: Int, _ t: Int, _ part: Int, _ h: Int, _ c: Int) -> Double {
      qkv[(b * tokens + t) * 3 * width + part * width + h * size + c]
    }
    var y = [Double](repeating: 0, count: batch * tokens * width)
    for b in 0..<batch {
      for h in 0..<heads {
        for i in 0..<tokens {
          let scores = (0...i).map { j in
            scale * (0..<size).reduce(0) { $0 + at(b, i, 0, h, $1) * at(b, j, 1, h, $1) }
          }
          let weights = softmax(scores)
          for c in 0..<size {
            y[(b * tokens + i) * width + h * size + c] = (0...i).reduce(0) {
              $0 + weights[$1] * at(b, $1, 2, h, c)
            }
          }
        }
      }
    }
    return y
  }

  public static func rotary(
    _ qkv: [Double], batch: Int, tokens: Int, heads: Int, headSize: Int, base: Double = 10_000
  ) -> [Double] {
    var y = qkv
    let (width, half) = (3 * heads * headSize, headSize / 2)
    for b in 0..<batch {
      for t in 0..<tokens {
        for h in 0..<2 * heads {
          for i in 0..<half {
            let angle = Double(t) / pow(base, Double(2 * i) / Double(headSize))
            let place = (b * tokens + t) * width + h * headSize + i
            y[place] = qkv[place] * cos(angle) - qkv[place + half] * sin(angle)
            y[place + half] = qkv[place + half] * cos(angle) + qkv[place] * sin(angle)
          }
        }
      }
    }
    return y
  }

  public static func squaredError(_ prediction: [Double], _ target: [Double]) -> Double {
    zip(prediction, target).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } / Double(prediction.count)
  }

  public static func crossEntropy(_ logits: [Double], _ targets: [Int32], classes: Int) -> Double {
    let counted = targets.indices.filter { targets[$0] >= 0 }
    return counted.reduce(0) { sum, row in
      sum - log(softmax(Array(logits[row * classes..<(row + 1) * classes]))[Int(targets[row])])
    } / Double(counted.count)
  }

  private static func rows(of x: [Double], _ columns: Int, _ map: ([Double]) -> [Double]) -> [Double] {
    stride(from: 0, to: x.count, by: columns).flatMap { map(Array(x[$0..<$0 + columns])) }
  }
}
