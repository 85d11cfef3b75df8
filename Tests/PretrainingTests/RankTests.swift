import Collectives
import Foundation
import Gradients
import Tensors
import Testing

@testable import Pretraining

/// A run on several ranks is the run of one process, but for rounding; its files are the same.
@Suite struct RankTests {
  private static func recipe(_ folder: Folder, _ settings: [String] = []) throws -> PretrainingRecipe {
    let text = try folder.write(storyText(documents: 40), to: "story.txt")
    return try PretrainingRecipe(
      yaml: Array("data:\n  text: \(text)\n".utf8), file: "test",
      settings: [
        "data.vocabulary=280", "data.held-out-every=6", "model.width=16", "model.heads=2", "model.layers=2",
        "training.loops=3, 2@4", "training.sequence=48", "training.batch=12", "training.steps=10",
        "training.warmup=2", "training.rate=3e-3", "training.log-every=1", "training.checkpoint-every=3",
        "evaluation.every=5", "evaluation.sample=4", "evaluation.sequences=3",
      ] + settings)
  }

  /// The log, without its times.
  private static func log(_ folder: String) throws -> [[String: Double]] {
    try String(contentsOfFile: folder + "/log.jsonl", encoding: .utf8).split(separator: "\n").map { line in
      var entry = try #require(
        try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
      for key in ["tokens_per_second", "time"] { entry[key] = nil }
      return entry.compactMapValues { ($0 as? NSNumber)?.doubleValue }
    }
  }

  @Test(
    arguments: [2, 4],
    [
      [], ["training.accumulation=2", "model.ties-embeddings=true"],
      ["training.checkpoints-loops=true", "training.batch=5"], ["training.loops=1", "model.family=llama"],
      // Shards of other sizes weigh a loss otherwise, and bf16 rounds what is weighed: as far apart as rounding.
      ["training.precision=bf16"],
    ])
  func aRunOnRanksIsTheRunOfOne(_ size: Int, _ settings: [String]) throws {
    let folder = try Folder()
    let recipe = try Self.recipe(folder, settings)
    let path = folder.path
    #expect(try PretrainingRun(recipe, folder: path + "/one").train())
    let done = try LocalGroup.run(size) { ranks in
      try PretrainingRun(recipe, folder: path + "/many", communicator: ranks).train()
    }
    #expect(done.allSatisfy { $0 })
    let (one, many) = (try Self.log(path + "/one"), try Self.log(path + "/many"))
    #expect(one.count == 10 && many.count == 10)
    let tolerance = recipe.precision == .float32 ? 1e-5 : 5e-3
    for (a, b) in zip(many, one) {
      #expect(a.keys == b.keys && a.count > 5)
      for (name, value) in b {
        #expect(abs(a[name]! - value) <= tolerance * max(1, abs(value)), "\(name) of step \(b["step"] ?? 0)")
      }
    }
    let names = try [path + "/one", path + "/many"].map {
      try FileManager.default.subpathsOfDirectory(atPath: $0).filter { !$0.hasPrefix("events/") }.sorted()
    }
    #expect(names[0] == names[1] && names[0].contains("model/model.safetensors"))
  }

  @Test func ranksMayBecomeFewerAndMore() throws {
    let folder = try Folder()
    let recipe = try Self.recipe(folder)
    let path = folder.path
    #expect(try PretrainingRun(recipe, folder: path + "/one").train())
    // Ctrl-C on one rank, after the second step, the fifth, and the seventh.
    for (size, end) in [(4, 2), (2, 5), (1, 7), (3, 10)] {
      let done = try LocalGroup.run(size) { ranks in
        let run =
          size == 4
          ? try PretrainingRun(recipe, folder: path + "/many", communicator: ranks)
          : try PretrainingRun.resume(path + "/many", communicator: ranks)
        let done = try run.train(goesOn: { ranks.rank != ranks.size - 1 || run.trainer.step < end })
        #expect(run.trainer.step == end)
        return done
      }
      #expect(done.allSatisfy { $0 == (end == 10) })
    }
    let (one, many) = (try Self.log(path + "/one"), try Self.log(path + "/many"))
    for (a, b) in zip(many, one) { #expect(abs(a["loss"]! - b["loss"]!) <= 1e-5 * b["loss"]!) }
    #expect(many.map { $0["step"] } == one.map { $0["step"] })
  }

  @Test func theGateAloneAndChatsWithoutAnswers() throws {
    let folder = try Folder()
    let path = folder.path
    #expect(try PretrainingRun(Self.recipe(folder, ["training.steps=3"]), folder: path + "/start").train())
    // A rank's share of a batch may hold no answer at all.
    let lines = (0..<6).map { index in
      let question = Array(repeating: "Go", count: index % 3 == 1 ? 40 : 1).joined(separator: " ")
      return
        #"{"messages":[{"role":"user","content":"\#(question)"},{"role":"assistant","content":"the king"}]}"#
    }
    let chats = try folder.write(lines.joined(separator: "\n"), to: "chats.jsonl")
    for stage in ["gate", "chat"] {
      let recipe = try Self.recipe(
        folder,
        [
          "training.stage=\(stage)", "model.start=\(path)/start/model", "data.chats=\(chats)",
          "training.loops=3", "training.rope-base=0", "training.sequence=24", "training.batch=3",
          "training.decay=0.1", "data.held-out-every=0",
        ])
      let one = try PretrainingRun(recipe, folder: path + "/one-\(stage)")
      #expect(try one.train())
      let wanted = one.model.parameters.map(\.value.values)
      _ = try LocalGroup.run(3) { ranks in
        let run = try PretrainingRun(recipe, folder: path + "/many-\(stage)", communicator: ranks)
        #expect(try run.train())
        for (a, b) in zip(run.model.parameters.map(\.value.values).joined(), wanted.joined()) {
          #expect(abs(a - b) <= 1e-4 * (1 + abs(b)))
        }
      }
    }
  }

  @Test func whatRanksCannotShareIsSaid() throws {
    let folder = try Folder()
    let recipe = try Self.recipe(folder, ["training.batch=3"])
    let path = folder.path
    let outcomes = LocalGroup.outcomes(4) { ranks in
      try PretrainingRun(recipe, folder: path + "/run", communicator: ranks).isDone
    }
    for outcome in outcomes {
      do {
        _ = try outcome.get()
        Issue.record("three sequences on four ranks")
      } catch { #expect("\(error)".contains("too small for 4 ranks") || error is CollectiveError) }
    }
    // A rank that sees another folder.
    let apart = LocalGroup.outcomes(2) { ranks in
      try PretrainingRun(recipe, folder: path + "/run-\(ranks.rank)", communicator: ranks).isDone
    }
    #expect(throws: DataError.self) { try apart[1].get() }
  }
}
