import Foundation
import Gradients
import Tensors
import Testing
import TextFiles

@testable import Pretraining

@Suite struct TaskRunTests {
  private func recipe(_ settings: [String] = []) throws -> TaskRecipe {
    try TaskRecipe(
      yaml: [], file: "test",
      settings: [
        "task.modulus=3", "task.operations=2", "model.width=16", "model.heads=2", "model.layers=1",
        "training.steps=10", "training.batch=16", "training.warmup=2", "training.rate=1e-2",
        "training.log-every=1", "training.checkpoint-every=4", "evaluation.questions=40",
      ] + settings)
  }

  @Test func aResumedRunIsTheSameBitByBit() throws {
    let folder = try Folder()
    let recipe = try recipe([
      "training.loops=2", "training.objective=expected", "training.gate-steps=3",
    ])
    let whole = TaskRun(recipe)
    #expect(try whole.train(into: folder.path + "/whole"))
    let parts = folder.path + "/parts"
    let first = try TaskRun(recipe, resuming: parts)
    #expect(try !first.train(into: parts, goesOn: { first.trainer.step < 5 }))
    let second = try TaskRun(recipe, resuming: parts)
    #expect(second.trainer.step == 5)
    #expect(try second.train(into: parts))
    #expect(second.model.parameters.map(\.value.values) == whole.model.parameters.map(\.value.values))
    #expect(second.evaluate() == whole.evaluate())
    for part in ["/log.jsonl", "/recipe.yaml"] {
      #expect(
        try String(contentsOfFile: parts + part, encoding: .utf8)
          == String(contentsOfFile: folder.path + "/whole" + part, encoding: .utf8))
    }
    // What trains otherwise does not go on there; what is measured may change.
    let other = try self.recipe(["training.loops=2", "training.objective=expected"])
    let error = #expect(throws: DataError.self) { _ = try TaskRun(other, resuming: parts) }
    #expect("\(error!)".contains("training.gate-steps"))
    var measured = recipe
    measured.questions = 7
    #expect(try TaskRun(measured, resuming: parts).isDone)
  }

  @Test func itLearns() throws {
    // Three numbers, one operation: 27 questions.
    let run = TaskRun(
      try recipe([
        "task.operations=1", "training.steps=500", "training.batch=64", "training.decay=0", "model.width=32",
        "model.layers=2", "training.rate=3e-3",
      ]))
    let before = try #require(run.evaluate()).accuracy[0][0]
    while !run.isDone { _ = try run.step() }
    let after = try #require(run.evaluate()).accuracy[0][0]
    #expect(before < 0.7 && after > 0.9, "\(before) \(after)")
  }

  @Test func stageTwoTrainsTheGateAlone() throws {
    let run = TaskRun(try recipe(["training.loops=3", "training.gate-steps=2"]))
    while run.trainer.step < 10 { _ = try run.step() }
    let before = run.model.namedParameters().map { ($0.name, $0.parameter.value.values) }
    while !run.isDone { _ = try run.step() }
    for ((name, old), new) in zip(before, run.model.parameters) {
      #expect((old == new.value.values) == !name.hasPrefix("gate"), "\(name)")
    }
  }

  @Test func loopsShareParameters() throws {
    let counts = try [["training.loops=1"], ["training.loops=4"], ["model.layers=4"]].map {
      TaskRun(try recipe($0)).model.parameterCount
    }
    #expect(counts[0] == counts[1] && counts[2] > 2 * counts[0])
  }

  @Test func packedQuestionsDoNotSeeEachOther() throws {
    let run = TaskRun(try recipe(["training.loops=2"]))
    var random = RandomStream(seed: 1)
    let questions = (0..<5).map { run.task.examination($0, of: 3, &random) }
    let packed = TokenBatch(questions)
    let states = run.model.states(packed, loops: 2, table: run.table)
    for (question, segment) in zip(questions, packed.segments) {
      let alone = run.model.states(TokenBatch([question]), loops: 2, table: run.table)
      for (a, b) in zip(alone, states) {
        let part = b.value.values[segment.lowerBound * 16..<segment.upperBound * 16]
        #expect(zip(a.value.values, part).allSatisfy { abs($0 - $1) < 1e-4 })
      }
    }
  }

  @Test func measurementsAgreeWithEachOther() throws {
    let evaluation = try #require(TaskRun(try recipe(["training.loops=3"])).evaluate())
    #expect(evaluation.isWhole && evaluation.groups == ["operations 1", "operations 2"])
    for loop in 0..<3 {
      #expect(evaluation.agreement[loop][loop] == 1)
      let fixed = try #require(
        evaluation.value("fixed accuracy at \(loop + 1) loops")
          ?? evaluation.exits.first { $0.rule == .fixed }?.accuracy)
      #expect(abs(fixed - evaluation.value("all loop \(loop + 1)")!) < 1e-9)
      #expect(evaluation.value("fixed \(loop + 1).0 loops") == Double(loop + 1))
      for other in 0..<3 { #expect(evaluation.agreement[loop][other] == evaluation.agreement[other][loop]) }
    }
    #expect(evaluation.value("operations 2") == evaluation.value("operations 2 loop 3"))
    #expect(
      try evaluation.values.map(\.name)
        == recipe(["training.loops=3"]).blank.values.map(\.name))
    let file = try JSONEncoder().encode(evaluation)
    #expect(try JSONDecoder().decode(TaskEvaluation.self, from: file) == evaluation)
  }

  @Test(arguments: [
    (["model.heads=3"], "model.heads"), (["training.gate-steps=1"], "training.gate-steps"),
    (["training.objective=expected"], "training.objective"),
    (["task.kind=hops", "task.relations=10000"], "task.people"),
    (["task.kind=hops", "task.share=0"], "task.share"), (["task.kind=hops", "task.share=1"], "task.share"),
    (["training.batch=65536", "training.loops=64", "model.width=4096"], "training.batch"),
    (["model.width=4096", "model.layers=64", "training.batch=1"], "model.layers"),
    (["task.modulus=1"], "task.modulus"),
    (["task.kind=capo", "task.names=9, 9", "task.people=82"], "task.names"),
    (
      ["task.kind=capo", "task.names=" + Array(repeating: "9999", count: 5).joined(separator: ",")],
      "task.names"
    ),
    (["task.names=0"], "task.names"), (["task.names="], "task.names"), (["task.values=3,,x"], "task.values"),
    (["task.values=" + Array(repeating: "2", count: 17).joined(separator: ",")], "task.values"),
    (
      [
        "task.kind=capo", "task.values=" + Array(repeating: "100000", count: 16).joined(separator: ","),
        "model.width=512",
      ], "model.layers"
    ),
    (["task.templates=0"], "task.templates"), (["training.loops=0"], "training.loops"),
    (["training.loops=1e9"], "training.loops"), (["seed=-1"], "seed"), (["task.kind=poem"], "task.kind"),
    (["training.speed=1"], "training.speed"), (["training.rate=nan"], "training.rate"),
  ])
  func contradictionsAreRefusedByName(_ settings: [String], _ key: String) throws {
    let error = #expect(throws: SourceError.self) { _ = try recipe(settings) }
    #expect("\(error!)".contains(key), "\(error!)")
  }

  @Test func recipesReadBack() throws {
    let recipe = try recipe(["task.kind=hops", "task.share=0.25", "training.entropy-weight=0.5, 0.1@9"])
    #expect(try TaskRecipe(yaml: Array(recipe.yaml.utf8), file: "again") == recipe)
    let capo = try self.recipe(["task.kind=capo", "task.names=40, 5,60", "task.values=7"])
    #expect(capo.names == [40, 5, 60] && capo.values == [7])
    #expect(try TaskRecipe(yaml: Array(capo.yaml.utf8), file: "again") == capo)
    let list = "task: {names: [3, 4], values: [5]}"
    #expect(try TaskRecipe(yaml: Array(list.utf8), file: "list").names == [3, 4])
  }
}
