import Foundation
import Testing

/// `looped pretrain experiment` from outside.
@Suite struct PretrainExperimentTinyTests {
  private func run(_ arguments: [String]) throws -> LoopedBinary.Outcome {
    try LoopedBinary.run(["pretrain", "experiment"] + arguments)
  }

  @Test func tasksAreTrainedOnceAndReported() throws {
    let folder = try TemporaryFolder()
    _ = try folder.write(
      """
      name: tiny
      task: {kind: capo, people: 9, names: [4, 4], values: [3, 5]}
      model: {width: 16, heads: 2, layers: 1}
      training: {steps: 3, batch: 4, warmup: 1, rate: 1e-2}

      """, to: "tiny.yaml")
    let experiment = try folder.write(
      """
      name: Two | runs
      seeds: 2
      runs:
        - {name: one, recipe: tiny.yaml}
        - {name: two, recipe: tiny.yaml, set: {training.loops: 2}}
      table: [bits, bits per parameter, values, agreement 1 2]
      figures:
        - {name: bits, over: training.loops, shows: bits}
        - {name: losses, over: groups, shows: loss}
        - {name: exits, over: exits, runs: [two]}
        - {name: agreement, over: agreement}
      claims:
        - {says: Losses are not negative, that: [one @ loss values > 0, two @ loss values loop 1 > 0]}
        - {says: Pigs fly, that: [one @ values > 2]}

      """, to: "pair.yaml")
    let runs = folder.path("runs")
    let first = try run([experiment, "--runs", runs])
    #expect(first.status == 0 && first.errors.contains("training two, seed 2"), "\(first.errors)")
    #expect(first.output == "holds: Losses are not negative\ndiffers: Pigs fly\n")
    func file(_ name: String) throws -> String {
      try String(contentsOfFile: folder.path("pair/" + name), encoding: .utf8)
    }
    let (report, results) = (try file("report.md"), try file("results.json"))
    #expect(report.contains("of 18 answers of each kind") && report.contains("(2 of 2 seeds)"))
    for chart in ["bits", "losses", "exits", "agreement"] {
      #expect(try file(chart + ".svg").contains("<polyline"))
    }
    let again = try run([experiment, "--runs", runs])
    #expect(again.status == 0 && !again.errors.contains("training"))
    #expect(try file("report.md") == report && file("results.json") == results)
    try FileManager.default.removeItem(atPath: runs)
    #expect(try run([experiment, "--report-only"]).output == first.output)
    #expect(try file("report.md") == report)
    // Results that were changed by hand do not crash.
    for (old, new) in [
      ("\"bits\":[", "\"bits\":[1,2,3,4,"), ("\"accuracy\":[[", "\"accuracy\":[[0,0],["),
      ("\"gate\"", "\"door\""),
      ("\"seed\":1", "\"seed\":\"one\""), ("[\n", "[\n{},"),
    ] {
      let changed = results.replacing(old, with: new)
      #expect(changed != results)
      _ = try folder.write(changed, to: "pair/results.json")
      let outcome = try run([experiment, "--report-only"])
      #expect(outcome.status == 1 && outcome.errors.contains("holds no measurements"), "\(old)")
    }
  }

  @Test func modelsOfTextAreTrainedAndMeasured() throws {
    let folder = try TemporaryFolder()
    let text = try folder.write(
      (1...8).map { "the king went into city \($0) and the king said go\n" }.joined(
        separator: "<|endoftext|>\n"), to: "story.txt")
    _ = try folder.write(
      """
      data: {text: "\(text)", vocabulary: 270, held-out-every: 4}
      model: {width: 16, heads: 2, layers: 1}
      training: {steps: 2, batch: 2, sequence: 8, warmup: 1}
      evaluation: {sample: 0}

      """, to: "small.yaml")
    let experiment = try folder.write(
      """
      name: Loops
      trains: text
      runs:
        - {name: two, recipe: small.yaml, set: {training.loops: 2}}
        - {name: untrained, recipe: small.yaml, set: {training.steps: 0, training.loops: 1}}
      table: [loss held-out, held-out, gate-exit held-out]
      figures: [{name: loops, over: loops, shows: loss}]
      claims:
        - {says: Losses are not negative, that: [two @ loss held-out > 0, untrained @ loss held-out > 0]}

      """, to: "text.yaml")
    let runs = folder.path("runs")
    let first = try run([experiment, "--runs", runs])
    #expect(first.status == 0 && first.errors.contains("training two, seed 1"), "\(first.errors)")
    #expect(
      !first.errors.contains("training untrained") && first.output == "holds: Losses are not negative\n")
    let report = try String(contentsOfFile: folder.path("text/report.md"), encoding: .utf8)
    #expect(report.contains("held-out tokens") && report.contains("| untrained |"))
    let again = try run([experiment, "--runs", runs])
    #expect(again.status == 0 && !again.errors.contains("training"), "\(again.errors)")
    _ = try folder.write(
      "data: {text: \"\(text)\", vocabulary: 280, held-out-every: 4}\nmodel: {width: 16, heads: 2}\n",
      to: "small.yaml")
    let other = try run([experiment, "--runs", runs])
    #expect(other.status == 1 && other.errors.contains("hint: remove it, or choose another --runs"))
  }

  @Test func mistakesAreNamed() throws {
    let folder = try TemporaryFolder()
    #expect(try run([]).errors.contains("an experiment is needed"))
    let absent = try run([folder.path("none.yaml")])
    #expect(absent.status == 1 && absent.errors.contains("hint: experiments are YAML"))
    let songs = try folder.write("trains: songs\n", to: "songs.yaml")
    #expect(try run([songs]).errors.contains("songs.yaml:1:9: error: an experiment trains neither"))
    let keys = try run(["--keys"])
    #expect(keys.status == 0 && keys.output.contains("task.names"))
  }
}
