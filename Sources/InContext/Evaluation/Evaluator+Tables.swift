import Tensors

extension Evaluator {
  /// Shares of wrong answers on the table that was left out, and on rows of the other tables that training never saw.
  func evaluateTables(_ tables: TabularTask, _ advance: () -> Bool) -> Evaluation? {
    let points = run.recipe.points
    var random = RandomStream(seed: UInt64(bitPattern: Int64(run.recipe.seed)), stream: 100)
    let left = tables.testPrompts(tables.heldOut, count: prompts, points: points, random: &random)
    let others = tables.sources.indices.filter { $0 != tables.heldOut }
    let seen = others.flatMap {
      tables.testPrompts($0, count: max(prompts / others.count, 1), points: points, random: &random)
    }
    let kinds = [
      ("the table left out, \(tables.sources[tables.heldOut].name)", left),
      ("unseen rows of the other tables", seen),
    ]
    var parts: [Evaluation.Part] = []
    for (name, held) in kinds where !held.isEmpty {
      let batches = tableBatches(held)
      var curves = [curve(networkName, errors(of: batches), 1)]
      guard advance() else { return nil }
      for baseline in baselines.compactMap({ Baselines.make($0, task: nil) }) {
        let some = held.prefix(baseline.promptLimit)
        let errors = zip(some, Classified(base: baseline).predictions(some)).map { prompt, predictions in
          predictions.enumerated().map { place, said in
            said.isFinite ? said == 0.5 ? 0.5 : said == Double(prompt.answer(place)) ? 0 : 1 : Double.nan
          }
        }
        curves.append(curve(baseline.name, errors, 1))
        guard advance() else { return nil }
      }
      parts.append(Evaluation.Part(name: name, curves: curves))
    }
    guard loops > 1 else { return evaluation(parts, []) }
    let (last, sums) = loopErrors(tableBatches(left))
    return evaluation(parts, [curve(networkName, last, 1)], loopMap(sums, left.count, 1))
  }

  private func tableBatches(_ held: [RegressionPrompt]) -> [PromptBatch] {
    stride(from: 0, to: held.count, by: batch).map {
      TabularTask.batch(held[$0..<min($0 + batch, held.count)])
    }
  }
}
