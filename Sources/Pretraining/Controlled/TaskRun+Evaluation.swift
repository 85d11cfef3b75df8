import Gradients
import Layers
import Tensors

extension TaskRun {
  /// Measures the network on questions drawn anew; the same for every call.
  ///
  /// - Parameter goesOn: asked before every batch; `false` ends without a result.
  public func evaluate(goesOn: () -> Bool = { true }) -> TaskEvaluation? {
    var result = TaskEvaluation(blank: recipe)
    (result.name, result.parameters) = (recipe.name, model.parameterCount)
    let (loops, hardest) = (recipe.loops, result.groups.count - 1)
    var random = recipe.stream(.evaluation)
    for group in result.groups.indices {
      var left = recipe.questions
      while left > 0 {
        guard goesOn() else { return nil }
        let questions = (0..<min(left, recipe.batch)).map { _ in task.question(group: group, &random) }
        left -= questions.count
        let answered = answers(questions)
        for (index, question) in questions.enumerated() {
          let right = (0..<loops).map { answered.tokens[$0][index] == question.answer }
          for loop in 0..<loops where right[loop] { result.accuracy[group][loop] += 1 }
          if group == hardest {
            for a in 0..<loops {
              for b in 0..<loops where answered.tokens[a][index] == answered.tokens[b][index] {
                result.agreement[a][b] += 1
              }
            }
          }
          guard loops > 1 else { continue }
          for loop in 1..<loops { result.changes[loop - 1] += answered.changes[loop - 1][index] }
          let p = ExitDistribution.probabilities(answered.gates.map { $0[index] })
          for (loop, p) in p.enumerated() { result.gateExits[group] += p * Double(loop + 1) }
          for place in result.exits.indices {
            let loop = Self.exit(
              result.exits[place], probabilities: p, changes: answered.changes.map { $0[index] })
            result.exits[place].meanLoops += Double(loop + 1)
            if right[loop] { result.exits[place].accuracy += 1 }
          }
        }
      }
    }
    result.divide()
    return result
  }

  /// The loop, counted from 0, after which a question leaves.
  static func exit(_ rule: TaskEvaluation.Exit, probabilities: [Double], changes: [Double]) -> Int {
    let last = probabilities.count - 1
    switch rule.rule {
    case "gate":
      var sum = 0.0
      for (loop, p) in probabilities.enumerated() {
        sum += p
        if sum >= rule.threshold { return loop }
      }
      return last
    case "change":
      // That the state no longer changes is seen after the loop that did not change it.
      return changes.firstIndex { $0 < rule.threshold }.map { $0 + 1 } ?? last
    default: return min(Int(rule.threshold) - 1, last)
    }
  }

  /// Of each loop and question: the likeliest token, the gate before its sigmoid, and how far the state moved.
  private func answers(
    _ questions: [TaskQuestion]
  ) -> (tokens: [[Int32]], gates: [[Double]], changes: [[Double]]) {
    let batch = TokenBatch(questions)
    let ends = batch.segments.map { $0.upperBound - 1 }
    let classes = model.configuration.vocabularySize
    return Tape.withoutRecording {
      let states = model.states(batch, loops: recipe.loops, table: table)
      let width = model.configuration.hiddenSize
      let taken = states.map { state in
        let rows = Tensor(uninitialized: [ends.count, width])
        for (row, end) in ends.enumerated() {
          (rows.pointer + row * width).update(from: state.value.pointer + end * width, count: width)
        }
        return Variable(rows)
      }
      let tokens = taken.map { rows in
        let logits = linear(rows, model.readoutWeight).value
        return ends.indices.map { row in
          let row = UnsafeBufferPointer(start: logits.pointer + row * classes, count: classes)
          return Int32(row.indices.max { row[$0] < row[$1] } ?? 0)
        }
      }
      let gates = model.gates(taken).map { $0.value.values.map(Double.init) }
      let changes = zip(taken, taken.dropFirst()).map { before, after in
        ends.indices.map { row in
          var (moved, length) = (0.0, 0.0)
          for i in row * width..<(row + 1) * width {
            let (a, b) = (Double(before.value.pointer[i]), Double(after.value.pointer[i]))
            moved += (b - a) * (b - a)
            length += b * b
          }
          return (moved / max(length, 1e-30)).squareRoot()
        }
      }
      return (tokens, gates, changes)
    }
  }
}

extension TaskEvaluation {
  /// Sums as means.
  fileprivate mutating func divide() {
    let (group, all) = (1 / Double(questions), 1 / Double(questions * groups.count))
    accuracy = accuracy.map { $0.map { $0 * group } }
    agreement = agreement.map { $0.map { $0 * group } }
    changes = changes.map { $0 * all }
    gateExits = gateExits.map { $0 * group }
    for place in exits.indices {
      exits[place].meanLoops *= all
      exits[place].accuracy *= all
    }
  }
}
