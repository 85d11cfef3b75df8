import Foundation
import Testing

/// `looped icl experiment` from outside.
@Suite struct ExperimentTinyTests {
  /// - Returns: the experiment's file.
  private func write(into folder: borrowing TemporaryFolder) throws -> String {
    _ = try folder.write(
      """
      name: tiny
      expected: nothing
      task: {dimension: 2, points: 4}
      model: {width: 16}
      training: {steps: 3, loops: 4, window: 2, batch: 4}
      evaluation: {prompts: 40, baselines: [least-squares], shifts: [skewed]}

      """, to: "tiny.yaml")
    return try folder.write(
      """
      name: Two | runs
      runs:
        - {name: narrow, recipe: tiny.yaml}
        - {name: wide, recipe: tiny.yaml, set: {model.width: 32}}
      table: [context 3, loops 4, skewed 3]
      figures:
        - {name: context, title: By context, baselines: [least squares]}
        - {name: loops, over: loops}
        - {name: width, over: model.width, at: context 3}
      claims:
        - {says: Errors are not negative, that: [narrow @ context 3 > 0, wide @ loops 16 > 0]}
        - {says: Pigs fly, that: [narrow @ context 3 < 0]}
        - {says: Far away, that: [narrow @ context 99 < 1]}

      """, to: "pair.yaml")
  }

  @Test func trainsOnceAndReports() throws {
    let folder = try TemporaryFolder()
    let (experiment, runs) = (try write(into: folder), folder.path("runs"))
    let first = try LoopedBinary.run(["icl", "experiment", experiment, "--runs", runs])
    #expect(first.status == 0 && first.errors.contains("training wide"))
    #expect(
      first.output == "holds: Errors are not negative\ndiffers: Pigs fly\nnot measured: Far away\n")
    func file(_ name: String) throws -> String {
      try String(contentsOfFile: folder.path("pair/" + name), encoding: .utf8)
    }
    let (report, results) = (try file("report.md"), try file("results.json"))
    #expect(report.contains("**differs.** Pigs fly") && report.contains("![By context](context.svg)"))
    #expect(report.contains("| wide | [tiny.yaml](../tiny.yaml) `model.width=32` |"))
    for chart in ["context", "loops", "width"] { #expect(try file(chart + ".svg").contains("<polyline")) }
    // Nothing is trained twice, and the same comes out.
    let again = try LoopedBinary.run(["icl", "experiment", experiment, "--runs", runs])
    #expect(again.status == 0 && !again.errors.contains("training"))
    #expect(try file("report.md") == report && file("results.json") == results)
    // The report alone needs no runs.
    try FileManager.default.removeItem(atPath: runs)
    let reported = try LoopedBinary.run(["icl", "experiment", experiment, "--runs", runs, "--report-only"])
    #expect(reported.output == first.output && FileManager.default.fileExists(atPath: runs) == false)
    #expect(try file("report.md") == report)
    let drawn = try LoopedBinary.run(["icl", "plot", folder.path("pair/results.json")])
    #expect(drawn.status == 0 && drawn.output.contains("wide"))
  }

  @Test func refusesWithARemedy() throws {
    let folder = try TemporaryFolder()
    let (experiment, runs) = (try write(into: folder), folder.path("runs"))
    let absent = try LoopedBinary.run(["icl", "experiment", folder.path("none.yaml")])
    #expect(absent.status == 1 && absent.errors.contains("hint: experiments are YAML"))
    let early = try LoopedBinary.run(["icl", "experiment", experiment, "--report-only"])
    #expect(early.status == 1 && early.errors.contains("hint: leave out --report-only"))
    let lazy = try LoopedBinary.run(["icl", "experiment", experiment, "--runs", runs, "--trained-only"])
    #expect(lazy.status == 0 && lazy.errors.contains("left out, not trained: wide"))
    #expect(lazy.output.contains("not measured: Errors"))
    _ = try LoopedBinary.run(
      ["icl", "train", folder.path("tiny.yaml"), "--output", runs + "/tiny", "--set", "training.rate=0.5"])
    let other = try LoopedBinary.run(["icl", "experiment", experiment, "--runs", runs])
    #expect(other.status == 1 && other.errors.contains("hint: remove it, or choose another --runs"))
  }
}
