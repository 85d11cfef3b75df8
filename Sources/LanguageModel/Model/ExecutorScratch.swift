import CKernels
import Foundation

/// The memory between the steps of a pass; grows to the longest pass and stays.
final class ExecutorScratch {
  private(set) var normed, queries, keys, values, attended, branch, gate, up,
    scales: UnsafeMutablePointer<Float>
  private var cosines, sines: UnsafeMutablePointer<Float>
  /// What each row sees.
  private(set) var views: [RowView] = []
  /// The ranges of all views, one row's after the other.
  private(set) var ranges: [Range<Int>] = []
  /// Runs of rows that follow each other in one sequence at one loop, in passes longer than a decoding pass.
  private(set) var segments: [Range<Int>] = []
  /// The most cells that a row sees.
  private(set) var longestView = 0
  /// For every worker the scores of one head.
  private var scores: [UnsafeMutablePointer<Float>]
  private var scoreCapacity = 1
  private var capacity = 0
  /// θ^(-2j / headSize), rounded to f32 as the models were trained with it.
  private let frequencies: [Float]

  init(_ c: ModelConfiguration, threads: Int) {
    func none() -> UnsafeMutablePointer<Float> { .allocate(capacity: 1) }
    (normed, queries, keys, values, attended) = (none(), none(), none(), none(), none())
    (branch, gate, up, scales, cosines, sines) = (none(), none(), none(), none(), none(), none())
    scores = (0..<threads).map { _ in none() }
    frequencies = (0..<c.headSize / 2).map {
      Float(1 / pow(c.ropeBase, 2 * Double($0) / Double(c.headSize)))
    }
  }

  deinit {
    for memory in [normed, queries, keys, values, attended, branch, gate, up, scales, cosines, sines] + scores
    {
      memory.deallocate()
    }
  }

  /// The cells a row sees, in the order of their positions.
  struct RowView {
    /// So many cells from the first on, in the shared slots.
    var settled: Int
    /// Which of `ranges`: cells of the loop's own slots.
    var ranges: Range<Int>
    var cells: Int
  }

  /// Makes room for the rows, and works out what they see and by which angles they turn.
  func prepare(_ rows: [LoopRow], _ c: ModelConfiguration) {
    grow(to: rows.count, c)
    views.removeAll(keepingCapacity: true)
    ranges.removeAll(keepingCapacity: true)
    longestView = 0
    let half = frequencies.count
    for (number, row) in rows.enumerated() {
      look(row)
      // The product is f32, as in training: at the position 60000 that is more than the rounding of cos.
      for j in 0..<half {
        let angle = Float(row.position) * frequencies[j]
        cosines[number * half + j] = cos(angle)
        sines[number * half + j] = sin(angle)
      }
    }
    findSegments(rows)
  }

  private func look(_ row: LoopRow) {
    let cache = row.cache
    precondition(
      row.cell >= cache.settledCount && row.cell < cache.contextLimit && row.loop < cache.loops,
      "the cell \(row.cell) at the loop \(row.loop) is outside the cache, or settled")
    let (settled, first) = (cache.settledCount, ranges.count)
    var cells = settled
    func see(_ range: Range<Int>) {
      guard !range.isEmpty else { return }
      cells += range.count
      if ranges.count > first, ranges[ranges.count - 1].upperBound == range.lowerBound {
        ranges[ranges.count - 1] = ranges[ranges.count - 1].lowerBound..<range.upperBound
      } else {
        ranges.append(range)
      }
    }
    if let path = row.path {
      see(0..<cache.count - settled)
      for cell in path { see(cell - settled..<cell - settled + 1) }
      see(row.cell - settled..<row.cell - settled + 1)
    } else {
      see(0..<row.cell - settled + 1)
    }
    views.append(RowView(settled: settled, ranges: first..<ranges.count, cells: cells))
    longestView = max(longestView, cells)
  }

  private func findSegments(_ rows: [LoopRow]) {
    segments.removeAll(keepingCapacity: true)
    guard rows.count > LoopExecutor.decodeRows else { return }
    var start = 0
    for i in 1...rows.count {
      if i < rows.count, rows[i].cache === rows[i - 1].cache, rows[i].loop == rows[i - 1].loop,
        rows[i].cell == rows[i - 1].cell + 1, rows[i].path == nil, rows[i - 1].path == nil
      {
        continue
      }
      segments.append(start..<i)
      start = i
    }
  }

  /// Scratch of `count` floats for one worker.
  /// - Precondition: `reserveScores` made room for them.
  func scores(_ worker: Int) -> UnsafeMutablePointer<Float> { scores[worker] }

  /// Grows the workers' scratch to at least `count` floats each; contents are lost.
  func reserveScores(_ count: Int) {
    guard count > scoreCapacity else { return }
    scoreCapacity = count + count / 4
    for i in scores.indices {
      scores[i].deallocate()
      scores[i] = Self.allocate(scoreCapacity)
    }
  }

  func rotate(rows: Range<Int>, _ c: ModelConfiguration) {
    let (queryWidth, keyWidth, half) = (c.heads * c.headSize, c.keyValueHeads * c.headSize, c.headSize / 2)
    let first = rows.lowerBound
    ck_rotary(
      queries + first * queryWidth, queryWidth, cosines + first * half, sines + first * half, 1, rows.count,
      c.heads, c.headSize)
    ck_rotary(
      keys + first * keyWidth, keyWidth, cosines + first * half, sines + first * half, 1, rows.count,
      c.keyValueHeads, c.headSize)
  }

  private static func allocate(_ count: Int) -> UnsafeMutablePointer<Float> {
    UnsafeMutableRawPointer.allocate(byteCount: max(count * 4, 64), alignment: 64)
      .bindMemory(to: Float.self, capacity: count)
  }

  private func grow(to rows: Int, _ c: ModelConfiguration) {
    guard rows > capacity else { return }
    capacity = rows
    func renew(_ memory: inout UnsafeMutablePointer<Float>, _ columns: Int) {
      memory.deallocate()
      memory = Self.allocate(rows * columns)
    }
    let (queryWidth, keyWidth) = (c.heads * c.headSize, c.keyValueHeads * c.headSize)
    renew(&normed, c.hiddenSize)
    renew(&queries, queryWidth)
    renew(&keys, keyWidth)
    renew(&values, keyWidth)
    renew(&attended, queryWidth)
    renew(&branch, c.hiddenSize)
    renew(&gate, c.intermediateSize)
    renew(&up, c.intermediateSize)
    renew(&scales, 1)
    renew(&cosines, c.headSize / 2)
    renew(&sines, c.headSize / 2)
  }
}
