import Foundation
import Gradients
import Tensors
import Tokenization

/// What a model does on the held-out documents.
public struct HeldOutEvaluation: Equatable, Sendable {
  /// Leaving after the first loop whose cumulative exit probability reaches a threshold.
  public struct Exit: Equatable, Sendable {
    public var threshold: Double
    public var meanLoops: Double
    public var loss: Double
  }

  public var step: Int
  public var statistics: ExitStatistics
  public var exits: [Exit]

  /// As the log writes it: `loss_1` … and for every threshold the loops and the loss.
  public var entry: LogEntry {
    var values: [(String, Double)] = [("tokens", Double(statistics.tokens))]
    for (loop, loss) in statistics.losses.enumerated() { values.append(("loss_\(loop + 1)", loss)) }
    for (loop, p) in statistics.exits.enumerated() { values.append(("exit_\(loop + 1)", p)) }
    values += [("exit", statistics.meanExit), ("entropy", statistics.entropy)]
    for exit in exits {
      values += [("loops@\(exit.threshold)", exit.meanLoops), ("loss@\(exit.threshold)", exit.loss)]
    }
    return LogEntry(step: step, values)
  }
}

extension PretrainingRun {
  static let thresholds = [0.3, 0.5, 0.7, 0.9]

  /// Losses per loop, exits and early exits on the held-out documents, read from the beginning.
  ///
  /// - Parameters:
  ///   - loops: as the recipe's last if not given; more than trained extrapolates.
  ///   - goesOn: asked before every batch; `false` ends without a result.
  /// - Returns: `nil` where no document was held out, or the evaluation was ended.
  public func evaluate(loops: Int? = nil, goesOn: () -> Bool = { true }) throws -> HeldOutEvaluation? {
    guard let heldOut = data.heldOut else { return nil }
    let length = min(recipe.sequence, max(1, heldOut.count - 1))
    let source = try TokenSource([heldOut], length: length, seed: 0, shuffles: false)
    let limit = recipe.evaluationSequences
    let sequences = limit > 0 ? min(limit, source.sequencesPerEpoch) : source.sequencesPerEpoch
    let step = max(0, trainer.step - 1)
    let (loops, table) = (loops ?? self.loops(at: step), table(at: step))
    var parts: [ExitStatistics] = []
    var exits = Self.thresholds.map { (loops: 0.0, loss: 0.0, threshold: $0) }
    var counted = 0
    for first in stride(from: 0, to: sequences, by: recipe.batch) {
      guard goesOn() else { return nil }
      let batch = source.batch(from: first, count: min(recipe.batch, sequences - first))
      guard batch.targets.contains(where: { $0 >= 0 }) else { continue }
      Tape.withoutRecording {
        let states = model.states(batch, loops: loops, table: table)
        let gates = model.gates(states)
        let losses = crossEntropies(
          states.map(\.value), readout: model.readoutWeight.value, targets: batch.targets)
        var statistics = ExitStatistics(loops: loops)
        let rows = batch.targets.count
        for row in 0..<rows where batch.targets[row] >= 0 {
          let p =
            gates.isEmpty
            ? Array(repeating: 0, count: loops - 1) + [1]
            : ExitLogarithms.probabilities(gates.map { Double($0.value.pointer[row]) })
          statistics.tokens += 1
          for loop in 0..<loops {
            let loss = Double(losses.pointer[loop * rows + row])
            statistics.losses[loop] += loss
            statistics.exits[loop] += p[loop]
            statistics.expectedLoss += p[loop] * loss
            statistics.entropy -= p[loop] > 0 ? p[loop] * log(p[loop]) : 0
          }
          for (index, exit) in exits.enumerated() {
            var (sum, loop) = (p[0], 0)
            while sum < exit.threshold, loop < loops - 1 {
              loop += 1
              sum += p[loop]
            }
            exits[index].loops += Double(loop + 1)
            exits[index].loss += Double(losses.pointer[loop * rows + row])
          }
        }
        counted += statistics.tokens
        parts.append(statistics.divided)
      }
    }
    guard let statistics = ExitStatistics.mean(parts) else { return nil }
    let scale = 1 / Double(counted)
    return HeldOutEvaluation(
      step: trainer.step, statistics: statistics,
      exits: loops > 1 && model.gate != nil
        ? exits.map { .init(threshold: $0.threshold, meanLoops: $0.loops * scale, loss: $0.loss * scale) }
        : [])
  }

  /// Text that the model writes after `prompt`, with all loops: every token from the whole text before it, without a
  /// cache. For looking at while training; `looped generate` is the fast way.
  ///
  /// - Parameters:
  ///   - temperature: 0 takes the likeliest token. - count: tokens; an end of text ends earlier.
  public func sample(prompt: String, count: Int, temperature: Float = 0.7) -> String {
    var tokens = [data.beginning] + data.tokenizer.encode(prompt)
    var random = recipe.stream(.sampling)
    let step = max(0, trainer.step - 1)
    let (loops, table) = (self.loops(at: step), table(at: step))
    for _ in 0..<count {
      let seen = Array(tokens.suffix(recipe.sequence))
      let batch = TokenBatch(
        sequences: 1, length: seen.count, tokens: seen, targets: seen.map { _ in -1 })
      let next: TokenID = Tape.withoutRecording {
        let state = model.states(batch, loops: loops, table: table).last!.value
        let width = state.columns
        let last = Tensor(uninitialized: [1, width])
        last.pointer.update(from: state.pointer + (seen.count - 1) * width, count: width)
        let logits = linear(Variable(last), model.readoutWeight).value
        if temperature <= 0 {
          return TokenID((0..<logits.count).max { logits.pointer[$0] < logits.pointer[$1] } ?? 0)
        }
        for i in 0..<logits.count { logits.pointer[i] /= temperature }
        let probabilities = softmax(logits)
        var left = random.uniform()
        for i in 0..<probabilities.count {
          left -= probabilities.pointer[i]
          if left < 0 { return TokenID(i) }
        }
        return TokenID(probabilities.count - 1)
      }
      if data.tokenizer.isSpecial(next) { break }
      tokens.append(next)
    }
    return data.tokenizer.decode(tokens, skipSpecialTokens: true)
  }
}

extension ExitStatistics {
  /// Sums as means over the tokens.
  fileprivate var divided: ExitStatistics {
    var result = self
    let scale = 1 / Double(max(tokens, 1))
    result.losses = losses.map { $0 * scale }
    result.exits = exits.map { $0 * scale }
    result.expectedLoss *= scale
    result.entropy *= scale
    return result
  }
}
