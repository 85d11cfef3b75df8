import Foundation
import Gradients
import LanguageModel
import Layers
import Tensors

/// What a network says at one place after every loop.
struct LoopReading: Equatable {
  /// The likeliest token, [loop].
  var tokens: [Int32] = []
  /// -log p of the right one, in nats, [loop].
  var losses: [Double] = []
  /// The probability of the likeliest token, [loop].
  var confidences: [Double] = []
  /// Of the prediction, in nats, [loop].
  var entropies: [Double] = []
  /// KL(p_t ‖ p_{t-1}) of the predictions, in nats, from loop 2 on.
  var divergences: [Double] = []
  /// ‖h_t - h_{t-1}‖ / ‖h_t‖, from loop 2 on.
  var changes: [Double] = []
  /// p_1 … p_T of the gate; empty of one loop or without a gate.
  var exits: [Double] = []

  /// The loop, counted from 0, after which this place leaves by a rule.
  func exit(_ rule: TaskEvaluation.Rule, _ threshold: Double) -> Int {
    let last = tokens.count - 1
    /// What compares two loops is seen after the second of them.
    func second(_ index: Int?) -> Int { index.map { $0 + 1 } ?? last }
    switch rule {
    case .gate:
      var sum = 0.0
      for (loop, p) in exits.enumerated() {
        sum += p
        if sum >= threshold { return loop }
      }
      return last
    case .change: return second(changes.firstIndex { $0 < threshold })
    case .divergence: return second(divergences.firstIndex { $0 < threshold })
    case .agreement: return second(zip(tokens, tokens.dropFirst()).map(==).firstIndex(of: true))
    case .confidence: return confidences.firstIndex { $0 >= threshold } ?? last
    case .entropy: return entropies.firstIndex { $0 <= threshold } ?? last
    case .fixed: return min(max(Int(threshold) - 1, 0), last)
    }
  }
}

extension LoopedDecoder {
  /// Rows that are read out at once: bounds the memory of logits.
  private static let readoutRows = 64

  /// Reads out some places after every loop.
  ///
  /// - Parameters:
  ///   - states: after each loop, [rows, hidden].
  ///   - rows: the places. - targets: what should be predicted at each.
  /// Complexity: a readout for every place and loop.
  func readings(_ states: [Variable], rows: [Int], targets: [Int32]) -> [LoopReading] {
    let width = configuration.hiddenSize
    var readings: [LoopReading] = []
    for start in stride(from: 0, to: rows.count, by: Self.readoutRows) {
      let places = rows[start..<min(start + Self.readoutRows, rows.count)]
      let taken = states.map { state in
        let part = Tensor(uninitialized: [places.count, width])
        for (row, place) in places.enumerated() {
          (part.pointer + row * width).update(from: state.value.pointer + place * width, count: width)
        }
        return Variable(part)
      }
      let logits = taken.map { linear($0, readoutWeight).value }
      let gates = gates(taken).map(\.value)
      for row in 0..<places.count {
        readings.append(
          reading(row, states: taken, logits: logits, gates: gates, target: Int(targets[start + row])))
      }
    }
    return readings
  }

  private func reading(
    _ row: Int, states: [Variable], logits: [Tensor], gates: [Tensor], target: Int
  ) -> LoopReading {
    let (width, classes) = (configuration.hiddenSize, configuration.vocabularySize)
    var (reading, before) = (LoopReading(), [Double]())
    for (loop, logits) in logits.enumerated() {
      let row = UnsafeBufferPointer(start: logits.pointer + row * classes, count: classes)
      let likeliest = row.indices.max { row[$0] < row[$1] } ?? 0
      let most = Double(row[likeliest])
      let sum = log(row.reduce(0.0) { $0 + exp(Double($1) - most) }) + most
      let logs = row.map { Double($0) - sum }
      reading.tokens.append(Int32(likeliest))
      reading.losses.append(-logs[target])
      reading.confidences.append(exp(logs[likeliest]))
      var (entropy, divergence) = (0.0, 0.0)
      for (index, log) in logs.enumerated() {
        let p = exp(log)
        entropy -= p * log
        if loop > 0 { divergence += p * (log - before[index]) }
      }
      reading.entropies.append(entropy)
      if loop > 0 { reading.divergences.append(divergence) }
      before = logs
    }
    for (before, after) in zip(states, states.dropFirst()) {
      var (moved, length) = (0.0, 0.0)
      for i in row * width..<(row + 1) * width {
        let (a, b) = (Double(before.value.pointer[i]), Double(after.value.pointer[i]))
        moved += (b - a) * (b - a)
        length += b * b
      }
      reading.changes.append((moved / max(length, 1e-30)).squareRoot())
    }
    reading.exits =
      gates.isEmpty ? [] : ExitLogarithms.probabilities(gates.map { Double($0.pointer[row]) })
    return reading
  }
}
