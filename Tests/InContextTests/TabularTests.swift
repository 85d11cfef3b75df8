import Foundation
import InContext
import RecipeFiles
import Tensors
import Testing
import TextFiles

@Suite struct TabularTests {
  /// Tables of one feature whose number is 10 · table + row, so that a token says where it comes from.
  private func tables(_ count: Int, rows: Int) -> [NumericTable] {
    (0..<count).map { t in
      NumericTable(
        name: "t\(t)", features: ["f", "constant"],
        values: (0..<rows).flatMap { [Float(1000 * t + $0), 7] }, labels: (0..<rows).map { UInt8($0 % 2) },
        classes: ["0", "1"])
    }
  }

  private func task(_ tables: [NumericTable], heldOut: Int) -> TabularTask {
    var random = RandomStream(seed: 5)
    return TabularTask(tables, dimension: 4, heldOut: heldOut, random: &random)
  }

  @Test func promptsAreRowsOfOneTablePaddedOnTheLeft() {
    let task = task(tables(3, rows: 100), heldOut: 1)
    #expect(task.sources.map(\.testing.count) == [5, 5, 5])
    #expect(task.sources.map(\.training.count) == [95, 95, 95])
    #expect(Set(task.sources[0].training + task.sources[0].testing).count == 100)
    var random = RandomStream(seed: 6)
    let batch = task.batch(size: 200, points: 7, active: nil, random: &random)
    #expect(batch.tokens.shape == [200, 14, 4])
    let classes = batch.readings[0].classes!
    var firsts: Set<Float> = []
    for b in 0..<200 {
      var seen: Set<Float> = []
      for i in 0..<7 {
        // Two zeros of padding, the feature, and the constant one, which standardises to zero.
        let token: [Float] = (0..<4).map { batch.tokens[b, 2 * i, $0] }
        #expect(token[0] == 0 && token[1] == 0 && token[3] == 0)
        seen.insert(batch.tokens[b, 2 * i, 2])
        #expect(batch.tokens[b, 2 * i + 1, 0] == Float(classes[b * 7 + i]))
      }
      #expect(seen.count == 7)  // Without replacement.
      firsts.insert(batch.tokens[b, 0, 2])
    }
    #expect(firsts.count > 50)
  }

  @Test func featuresOfTrainingRowsHaveMeanZeroAndDeviationOne() {
    let task = task(tables(2, rows: 100), heldOut: 1)
    // Every training row once, as a prompt of all of them.
    var random = RandomStream(seed: 7)
    let batch = task.batch(size: 1, points: 95, active: nil, random: &random)
    let values = (0..<95).map { Double(batch.tokens[0, 2 * $0, 2]) }
    let mean = values.reduce(0, +) / 95
    let square = values.reduce(0) { $0 + $1 * $1 } / 95
    #expect(abs(mean) < 1e-5 && abs(square - 1) < 1e-4)
  }

  @Test func whatIsHeldOutIsNeverTrainedOn() {
    // Labels tell the tables apart: class 1 is the one that is left out.
    var three = tables(3, rows: 100)
    for t in 0..<3 { three[t].labels = [UInt8](repeating: t == 2 ? 1 : 0, count: 100) }
    let task = task(three, heldOut: 2)
    var random = RandomStream(seed: 8)
    let batch = task.batch(size: 300, points: 10, active: nil, random: &random)
    #expect(batch.readings[0].classes!.allSatisfy { $0 == 0 })
    let held = task.heldOutBatch(size: 30, points: 10, random: &random)
    #expect(held.readings[0].classes!.allSatisfy { $0 == 1 })
    // Of five test rows no prompt of ten can be made: the table left out has its other rows, the others none.
    #expect(task.testPrompts(2, count: 9, points: 10, random: &random).count == 9)
    #expect(task.testPrompts(0, count: 9, points: 10, random: &random).isEmpty)
    // Of five rows five fit: every row is the last question in turn, and no training row is among them.
    let prompts = task.testPrompts(0, count: 5, points: 5, random: &random)
    #expect(Set(prompts.map { $0.x[4 * 4 + 2] }).count == 5)
    let values: [Float] = prompts.flatMap { prompt in (0..<5).map { prompt.x[$0 * 4 + 2] } }
    #expect(Set(values).count == 5)
  }

  @Test func problemsOfTablesAreNamed() {
    func problem(_ tables: [NumericTable], dimension: Int = 4, points: Int = 5, heldOut: Int = 0) -> String? {
      TabularTask.problem(with: tables, dimension: dimension, points: points, heldOut: heldOut)
    }
    let good = tables(2, rows: 20)
    #expect(problem(good) == nil)
    #expect(problem(Array(good[..<1]))?.contains("two tables") == true)
    #expect(problem(good, dimension: 1)?.contains("2 features") == true)
    #expect(problem(good, points: 20)?.contains("19 rows") == true)
    #expect(problem(good, heldOut: 2)?.contains("counted from 0") == true)
    #expect(problem(good, dimension: 1 << 26)?.contains("GiB") == true)
    #expect(throws: SourceError.self) {
      try Recipe(
        yaml: Array(
          "task:\n  family: tabular\n  tables: 1000\n  table-rows: 100000\n  dimension: 1024\n".utf8),
        file: "r")
    }
  }

  @Test func recipesReadTheirFilesOrSayWhatIsWrong() throws {
    let folder = NSTemporaryDirectory() + "looped-tables-\(UInt64.random(in: 0 ... .max))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    func write(_ name: String, _ text: String) throws -> String {
      try AtomicFile.write([Array(text.utf8)], to: folder + "/" + name)
      return folder + "/" + name
    }
    let rows = (0..<30).map { "\($0 % 7),\($0),\($0 % 3 == 0 ? "a" : "b")" }.joined(separator: "\n")
    let (one, two) = (try write("one.csv", "x,z,y\n" + rows), try write("two.csv", "x,z,y\n" + rows))
    let wrong = try write("wrong.csv", "x,z,y\n" + rows + "\n1,,a\n")
    func recipe(_ files: [String]) throws -> Recipe {
      try Recipe(
        yaml: Array(
          "task:\n  family: tabular\n  files: [\(files.joined(separator: ", "))]\n  points: 6\n".utf8),
        file: "r.yaml", settings: ["model.width=16", "training.loops=3", "training.window=2"])
    }
    let good = try recipe([one, two])
    #expect(try Recipe(yaml: Array(good.yaml.utf8), file: "r") == good)
    let run = TrainingRun(good)
    _ = try run.step()
    do {
      _ = try recipe([one, wrong])
      Issue.record("a missing value was read")
    } catch let error as SourceError {
      #expect(error.line == 3 && error.message.contains("wrong.csv:32:3: error: a missing value"))
    }
    #expect(throws: SourceError.self) { try recipe([one, folder + "/absent.csv"]) }
    #expect(throws: SourceError.self) { try recipe([one]) }
  }

  @Test func aRunOnSyntheticTablesLearnsAndIsMeasured() throws {
    let run = TrainingRun(
      tinyRecipe {
        $0.family = .tabular
        ($0.dimension, $0.points, $0.tables, $0.tableRows) = (3, 8, 3, 200)
        ($0.loops, $0.window, $0.batch, $0.steps, $0.rate) = (2, 2, 32, 60, 3e-3)
        ($0.prompts, $0.baselines) = (
          120, ["nearest:3", "logistic:1", "least-squares", "tree:2", "majority"]
        )
        $0.evaluateEvery = 30
      })
    var losses: [Double] = []
    while !run.isDone { losses.append(try run.step().values[0].value) }
    // The cross-entropy of knowing nothing is ln 2 = 0.693.
    #expect(abs(losses[0] - 0.693) < 0.2)
    #expect(losses.suffix(10).reduce(0, +) < losses.prefix(10).reduce(0, +))
    let evaluation = try #require(Evaluator(run).evaluate())
    #expect(evaluation.measure == "share of wrong answers" && evaluation.parts.count == 2)
    #expect(evaluation.parts[0].name == "the table left out, synthetic 0")
    for curve in evaluation.parts.flatMap(\.curves) {
      #expect(curve.mean.compactMap(\.self).allSatisfy { (0...1).contains($0) })
    }
    #expect(evaluation.parts[0].curves.count == 6)
    #expect(Evaluator(run).evaluate() == evaluation)
    #expect(Evaluator(run).evaluate(progress: { $0 < 3 }) == nil)
  }

  @Test func syntheticTablesVaryAndRepeat() {
    var (a, b) = (RandomStream(seed: 1), RandomStream(seed: 1))
    let tables = SyntheticTables.make(count: 12, rows: 200, dimension: 6, random: &a)
    #expect(tables == SyntheticTables.make(count: 12, rows: 200, dimension: 6, random: &b))
    let counts = tables.map(\.features.count)
    #expect(Set(counts).count > 2)
    #expect(counts.allSatisfy { (2...6).contains($0) })
    for table in tables {
      let share = Double(table.labels.reduce(0) { $0 + Int($1) }) / 200
      #expect((0.2...0.8).contains(share) && table.values.allSatisfy(\.isFinite))
    }
    #expect(SyntheticTables.make(count: 1, rows: 10, dimension: 1, random: &a)[0].features.count == 1)
  }
}

@Suite struct ClassifierTests {
  @Test func logisticRegressionIsAtItsMinimum() {
    var random = RandomStream(seed: 2)
    let (d, n) = (3, 40)
    let x = (0..<n * d).map { _ in Double(random.normal()) }
    let y = (0..<n).map { i in x[i * d] + 0.5 * x[i * d + 1] + Double(random.normal()) > 0 ? 1.0 : -1.0 }
    let model = LogisticRegression(alpha: 0.5)
    var weights = [Double](repeating: 0, count: d + 1)
    model.fit(&weights, x, y, points: n, d)
    #expect(model.gradient(weights, x, y, points: n, d).allSatisfy { abs($0) < 1e-6 })
    #expect(weights[0] > 0.3)
    // One class alone, and classes that a plane parts, are no trouble.
    var one = [Double](repeating: 0, count: d + 1)
    model.fit(&one, x, [Double](repeating: 1, count: n), points: n, d)
    #expect(one.allSatisfy { $0.isFinite } && one[d] > 1)
    var parted = [Double](repeating: 0, count: d + 1)
    LogisticRegression(alpha: 1e-9).fit(
      &parted, x, (0..<n).map { x[$0 * d] > 0 ? 1 : -1 }, points: n, d)
    #expect(parted.allSatisfy { $0.isFinite })
  }

  @Test func majorityCountsTheContext() {
    let prompt = RegressionPrompt(dimension: 1, x: [0, 0, 0, 0], y: [1, 1, -1, 1])
    #expect(Majority().predictions(prompt) == [0, 1, 2, 1])
  }
}
