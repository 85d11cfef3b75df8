import Foundation
import Gradients
import LanguageModel
import Layers
import Tensors
import Testing

@testable import Pretraining

@Suite struct TaskMeasuringTests {
  private let reading = LoopReading(
    tokens: [4, 7, 7], losses: [3, 1, 2], confidences: [0.2, 0.6, 0.5], entropies: [2, 0.9, 1],
    divergences: [0.7, 0.01], changes: [0.8, 0.3], exits: [0.2, 0.5, 0.3])

  @Test func exitsFollowTheirRules() {
    func exits(_ rule: TaskEvaluation.Rule, _ thresholds: [Double]) -> [Int] {
      thresholds.map { reading.exit(rule, $0) }
    }
    #expect(exits(.gate, [0.1, 0.5, 0.8, 2]) == [0, 1, 2, 2])
    #expect(exits(.change, [0.9, 0.5, 0.1]) == [1, 2, 2])
    #expect(exits(.divergence, [1, 0.1, 0.001]) == [1, 2, 2])
    #expect(exits(.confidence, [0.1, 0.3, 0.9]) == [0, 1, 2])
    #expect(exits(.entropy, [2, 0.95, 0.1]) == [0, 1, 2])
    #expect(exits(.agreement, [1]) == [2])
    #expect(exits(.fixed, [1, 3, 9]) == [0, 2, 2])
    var early = reading
    early.tokens = [7, 7, 4]
    #expect(early.exit(.agreement, 1) == 1)
    early.tokens = [1, 2, 3]
    #expect(early.exit(.agreement, 1) == 2)
  }

  @Test func sumsAreMeans() {
    var evaluation = TaskEvaluation(seed: 1, steps: 0, groups: ["a", "b"], loops: 3)
    evaluation.add(reading, answer: 7, group: 0)
    evaluation.add(reading, answer: 4, group: 1)
    evaluation.add(reading, answer: 1, group: 1)
    evaluation.divide()
    #expect(evaluation.accuracy == [[0, 1, 1], [0.5, 0, 0]] && evaluation.losses[1] == [3, 1, 2])
    #expect(evaluation.answers == [1, 2] && evaluation.agreement[1] == [0, 1, 1])
    #expect(evaluation.value("agreement 2 3") == 1 && evaluation.value("agreement 1") == 0)
    #expect(abs(evaluation.gateExits[0] - 2.1) < 1e-9 && abs(evaluation.changes[0] - 0.8) < 1e-9)
    #expect(evaluation.value("fixed 2.0 loss") == 1 && evaluation.value("fixed 1.0 accuracy") == 1 / 3)
    // Between depths: half of the places after two loops, half after three.
    #expect(evaluation.value("fixed loss at 2.5 loops") == 1.5)
    // No threshold of the gate's leaves after less than the first loop or more than the last.
    #expect(evaluation.value("gate loss at 1.5 loops") == 2)
    #expect(evaluation.value("change loss at 1.5 loops") == nil)
    #expect(evaluation.isWhole)
    evaluation.losses[0] = [1]
    #expect(!evaluation.isWhole)
  }

  /// Readings against the definitions, in f64 from the states.
  @Test func readingsAreTheDefinitions() throws {
    var random = RandomStream(seed: 2)
    let recipe = try TaskRecipe(
      yaml: [], file: "a",
      settings: ["training.loops=3", "model.width=16", "task.modulus=5", "task.operations=2"])
    let run = TaskRun(recipe)
    let gate = try #require(run.model.gate)
    for i in 0..<16 { gate.weight.value.pointer[i] = Float(i % 3) - 1 }
    let batch = TokenBatch((0..<70).map { _ in run.task.trainingQuestion(&random) })
    let (rows, targets) = (Array(0..<batch.tokens.count), batch.tokens)
    Tape.withoutRecording {
      let states = run.model.states(batch, loops: 3, table: run.table)
      let readings = run.model.readings(states, rows: rows, targets: targets)
      let classes = run.task.vocabulary
      for row in rows {
        var (before, left) = ([Double](), 1.0)
        for loop in 0..<3 {
          let state = (0..<16).map { Double(states[loop].value.pointer[row * 16 + $0]) }
          let weight = run.model.readoutWeight.value
          let powers = (0..<classes).map { word in
            exp((0..<16).reduce(0) { $0 + state[$1] * Double(weight.pointer[word * 16 + $1]) })
          }
          let p = powers.map { $0 / powers.reduce(0, +) }
          let reading = readings[row]
          func near(_ a: Double, _ b: Double) -> Bool { abs(a - b) < 1e-4 * max(1, abs(b)) }
          #expect(near(reading.losses[loop], -log(p[Int(targets[row])])))
          #expect(near(reading.confidences[loop], p.max()!) && near(p[Int(reading.tokens[loop])], p.max()!))
          #expect(near(reading.entropies[loop], -p.reduce(0) { $0 + $1 * log($1) }))
          if loop > 0 {
            #expect(
              near(reading.divergences[loop - 1], zip(p, before).reduce(0) { $0 + $1.0 * log($1.0 / $1.1) }))
            let old = (0..<16).map { Double(states[loop - 1].value.pointer[row * 16 + $0]) }
            let moved = zip(state, old).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
            #expect(near(reading.changes[loop - 1], (moved / state.reduce(0) { $0 + $1 * $1 }).squareRoot()))
          }
          let logit = (0..<16).reduce(Double(gate.bias!.value.pointer[0])) {
            $0 + state[$1] * Double(gate.weight.value.pointer[$1])
          }
          let leaves = loop == 2 ? 1 : 1 / (1 + exp(-logit))
          #expect(near(reading.exits[loop], left * leaves))
          left *= 1 - leaves
          before = p
        }
      }
    }
  }

  @Test func capacityIsMeasuredOfEverybody() throws {
    let recipe = try TaskRecipe(
      yaml: [], file: "a",
      settings: [
        "task.kind=capo", "task.people=24", "task.names=8,8", "task.values=4, 4", "model.width=16",
        "model.heads=2", "training.steps=300", "training.batch=24", "training.rate=1e-2",
        "training.warmup=10",
        "training.decay=0",
      ])
    let run = TaskRun(recipe)
    let task = try #require(run.task as? CapoTask)
    let before = try #require(run.evaluate())
    #expect(before.answers == [48, 48] && before.isWhole)
    while !run.isDone { _ = try run.step() }
    let after = try #require(run.evaluate())
    // The bits are of what is known, which is at most what there is, up to the little that a name's odds are unequal.
    #expect(before.bits[0] < 0.2 * task.mostBits && after.bits[0] > 0.8 * task.mostBits)
    #expect(after.bits[0] < 1.01 * task.mostBits)
    #expect(after.value("bits per parameter") == after.bits[0] / Double(run.model.parameterCount))
  }

  @Test func textIsMeasuredAsItIsEvaluated() throws {
    let folder = try Folder()
    let text = (0..<60).map {
      "chapter \($0) of \($0 % 7)\n" + String(repeating: "word \($0 % 5) ", count: 20)
    }
    .joined(separator: "\n<|endoftext|>\n")
    try Data(text.utf8).write(to: URL(fileURLWithPath: folder.path + "/a.txt"))
    func recipe(_ settings: [String]) throws -> PretrainingRecipe {
      try PretrainingRecipe(
        yaml: [], file: "a",
        settings: [
          "data.text=\(folder.path)/a.txt", "data.vocabulary=270", "data.held-out-every=10", "model.width=16",
          "model.heads=2", "model.layers=1", "training.loops=3", "training.steps=4", "training.batch=2",
          "training.sequence=32", "evaluation.sequences=0", "evaluation.sample=0", "evaluation.every=0",
        ] + settings)
    }
    let path = folder.path + "/run"
    let run = try PretrainingRun.opened(recipe([]), folder: path)
    #expect(try run.train())
    let measured = try #require(try run.measure())
    let evaluated = try #require(try run.evaluate())
    #expect(measured.answers == [evaluated.statistics.tokens] && measured.loops == 3)
    for loop in 0..<3 {
      #expect(abs(measured.losses[0][loop] - evaluated.statistics.losses[loop]) < 1e-4)
    }
    #expect(abs(measured.gateExits[0] - evaluated.statistics.meanExit) < 1e-4)
    for exit in evaluated.exits {
      let same = try #require(measured.exits.first { $0.rule == .gate && $0.threshold == exit.threshold })
      #expect(abs(same.meanLoops - exit.meanLoops) < 1e-4 && abs(same.loss - exit.loss) < 1e-4)
    }
    // Opened again it is the same, also where another part is measured; it does not go on as another.
    #expect(try PretrainingRun.opened(recipe([]), folder: path).measure() == measured)
    let part = try PretrainingRun.opened(recipe(["evaluation.sequences=1"]), folder: path)
    #expect(try part.isDone && part.measure()?.answers == [32])
    let error = #expect(throws: DataError.self) {
      _ = try PretrainingRun.opened(recipe(["training.rate=0.5"]), folder: path)
    }
    #expect("\(error!)".contains("training.rate"))
    // A model as it is.
    let start = ["model.start=\(path)/model", "training.steps=0"]
    let same = try PretrainingRun.opened(recipe(start), folder: folder.path + "/as-it-is")
    let asItIs = try #require(try same.measure())
    #expect(abs(asItIs.losses[0][2] - measured.losses[0][2]) < 0.02, "bf16 once")
    #expect(try PretrainingRun.opened(recipe(start), folder: folder.path + "/as-it-is").measure() == asItIs)
  }
}
