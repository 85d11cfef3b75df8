import Collectives
import Testing

/// Rings against what they are to compute, on threads as ranks.
@Suite struct CollectiveTests {
  /// Whole numbers, whose sums are exact in any order.
  private func values(_ count: Int, rank: Int) -> [Float] {
    (0..<count).map { Float(($0 * 7 + rank * 13) % 101 - 50) }
  }

  @Test(arguments: [1, 2, 3, 4, 7], [0, 1, 3, 16, 1001])
  func ringsAreSums(_ size: Int, _ count: Int) throws {
    let inputs = (0..<size).map { values(count, rank: $0) }
    let wanted = (0..<count).map { i in inputs.reduce(0) { $0 + $1[i] } }
    let results = try LocalGroup.run(size) { ranks -> [[Float]] in
      var (all, part) = (inputs[ranks.rank], inputs[ranks.rank])
      try all.withUnsafeMutableBufferPointer { try ranks.sum($0) }
      var scratch = [Float](repeating: .nan, count: count / size + 1)
      try part.withUnsafeMutableBufferPointer { part in
        try scratch.withUnsafeMutableBufferPointer { try ranks.reduceScatter(part, scratch: $0) }
      }
      var gathered = [Float](repeating: .nan, count: count)
      let share = ranks.share(of: count)
      gathered.replaceSubrange(share, with: part[share])
      try gathered.withUnsafeMutableBufferPointer { try ranks.allGather($0) }
      return [all, Array(part[share]), gathered]
    }
    for (rank, result) in results.enumerated() {
      #expect(result[0] == wanted && result[2] == wanted)
      #expect(result[1] == Array(wanted[count * rank / size..<count * (rank + 1) / size]))
    }
  }

  @Test func sumsOfFractionsAreTheSameEverywhereAndAgain() throws {
    func once() throws -> [[Float]] {
      try LocalGroup.run(4) { ranks in
        var values = (0..<97).map { 1 / Float($0 * 4 + ranks.rank + 1) }
        try values.withUnsafeMutableBufferPointer { try ranks.sum($0) }
        return values
      }
    }
    let first = try once()
    #expect(first.allSatisfy { $0 == first[0] })
    #expect(try once() == first)
  }

  @Test func fewNumbersAndBytes() throws {
    let results = try LocalGroup.run(3) { ranks -> [Double] in
      var bytes: [UInt8] = ranks.rank == 1 ? [1, 255, 7] : [9, 9, 9]
      try bytes.withUnsafeMutableBytes { try ranks.broadcast($0, from: 1) }
      var sums: [Double] = []
      for round in 0..<50 { sums += try ranks.sum([Double(ranks.rank * round), 0.5]) }
      try ranks.barrier()
      let agrees = [try ranks.agrees(true), try ranks.agrees(ranks.rank != 2)]
      return sums + bytes.map(Double.init) + agrees.map { $0 ? 1 : 0 }
    }
    let wanted: [Double] =
      (0..<50).flatMap { round -> [Double] in [Double(3 * round), 1.5] } + [1, 255, 7, 1, 0]
    #expect(results.allSatisfy { $0 == wanted })
  }

  @Test func aRankThatFailsEndsTheOthers() throws {
    struct Trouble: Error, CustomStringConvertible { var description: String { "no more paper" } }
    let outcomes = LocalGroup.outcomes(4) { ranks -> Int in
      try ranks.barrier()
      if ranks.rank == 2 { throw Trouble() }
      var values = [Float](repeating: 1, count: 100)
      try values.withUnsafeMutableBufferPointer { try ranks.sum($0) }
      return ranks.rank
    }
    for (rank, outcome) in outcomes.enumerated() {
      do {
        _ = try outcome.get()
        Issue.record("rank \(rank) went on alone")
      } catch {
        #expect(
          rank == 2
            ? error is Trouble
            : error as? CollectiveError == .rankFailed(rank: 2, message: "no more paper"))
      }
    }
  }

  @Test func theQueueRunsInOrderAndHandsErrorsOver() throws {
    let queue = CommunicationQueue()
    defer { queue.close() }
    let group = try LocalGroup.run(2) { ranks -> [Double] in
      let queue = CommunicationQueue()
      defer { queue.close() }
      nonisolated(unsafe) var found: [Double] = []
      let handles = (0..<20).map { round in
        queue.start { found += try ranks.sum([Double(round + ranks.rank)]) }
      }
      for handle in handles { try handle.wait() }
      return found
    }
    #expect(group.allSatisfy { $0 == (0..<20).map { Double(2 * $0 + 1) } })
    let handle = queue.start { throw CollectiveError.launch("a", hint: "b") }
    #expect(throws: CollectiveError.launch("a", hint: "b")) { try handle.wait() }
    #expect(throws: CollectiveError.self) { try handle.wait() }
    try queue.start {}.wait()
  }

  @Test func whatLaunchersSay() throws {
    #expect(Launch.processes([:]) == 1 && Launch.processes(["OMPI_COMM_WORLD_SIZE": "1"]) == 1)
    #expect(Launch.processes(["OMPI_COMM_WORLD_SIZE": "4"]) == 4 && Launch.processes(["PMI_SIZE": "3"]) == 3)
    // A batch script's own shell is no rank.
    #expect(
      Launch.processes(["SLURM_NTASKS": "8"]) == 1 && Launch.processes(["SLURM_STEP_NUM_TASKS": "8"]) == 8)
    #expect(Launch.processes(["PMI_SIZE": "many"]) == 1)
    func threads(_ local: String?, _ processors: Int, _ usable: Int) -> Int? {
      Launch.threads(
        local.map { ["OMPI_COMM_WORLD_LOCAL_SIZE": $0] } ?? [:], processors: processors, usable: usable)
    }
    #expect(threads(nil, 8, 8) == nil && threads("1", 8, 8) == nil)
    #expect(threads("4", 8, 8) == 2 && threads("4", 8, 1) == 1 && threads("4", 2, 2) == 1)
  }
}
