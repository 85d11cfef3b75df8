import Gradients
import Layers
import Tensors

extension TaskRun {
  /// Measures the network on questions drawn anew; the same for every call.
  ///
  /// - Parameter goesOn: asked before every batch; `false` ends without a result.
  public func evaluate(goesOn: () -> Bool = { true }) -> TaskEvaluation? {
    var result = recipe.blank
    (result.name, result.parameters) = (recipe.name, model.parameterCount)
    var random = recipe.stream(.evaluation)
    let examined = task.examined(recipe.questions)
    for first in stride(from: 0, to: examined, by: recipe.batch) {
      guard goesOn() else { return nil }
      let questions = (first..<min(first + recipe.batch, examined)).map {
        task.examination($0, of: recipe.questions, &random)
      }
      let batch = TokenBatch(questions)
      let places = zip(questions, batch.segments).flatMap { question, segment in
        question.answers.map { (row: segment.lowerBound + $0.place, answer: $0) }
      }
      let readings = Tape.withoutRecording {
        model.readings(
          model.states(batch, loops: recipe.loops, table: table), rows: places.map(\.row),
          targets: places.map(\.answer.token))
      }
      for (place, reading) in zip(places, readings) {
        result.add(reading, answer: place.answer.token, group: place.answer.group)
      }
    }
    result.divide()
    result.bits = (0..<recipe.loops).compactMap { loop in task.knownBits(result.losses.map { $0[loop] }) }
    return result
  }
}
