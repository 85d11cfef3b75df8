import CKernels
import Foundation

/// The memory between the steps of a pass; grows to the longest pass and stays.
final class ExecutorScratch {
  private(set) var normed, queries, keys, values, attended, branch, gate, up,
    scales: UnsafeMutablePointer<Float>
  private var cosines, sines: UnsafeMutablePointer<Float>
  /// What each row sees, as ranges of cells.
  private(set) var runs: [[Range<Int>]] = []
  /// For every worker the scores of one head.
  private(set) var scores: [UnsafeMutablePointer<Float>]
  private var scoreCapacity = 0
  private var capacity = 0
  /// θ^(-2j / headSize) in f32, as the models were trained.
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

  /// Makes room for the rows, and works out what they see and by which angles they turn.
  func prepare(_ rows: [LoopRow], _ c: ModelConfiguration) {
    grow(to: rows.count, c)
    runs.removeAll(keepingCapacity: true)
    var longest = 0
    let half = frequencies.count
    for (number, row) in rows.enumerated() {
      precondition(row.cell < row.cache.contextLimit && row.loop < row.cache.loops, "row outside its cache")
      runs.append(Self.cells(seenBy: row))
      longest = max(longest, runs[number].reduce(0) { $0 + $1.count })
      for j in 0..<half {
        let angle = Float(row.position) * frequencies[j]
        cosines[number * half + j] = cos(angle)
        sines[number * half + j] = sin(angle)
      }
    }
    if longest > scoreCapacity {
      scoreCapacity = longest * 2
      for i in scores.indices {
        scores[i].deallocate()
        scores[i] = .allocate(capacity: scoreCapacity)
      }
    }
  }

  private static func cells(seenBy row: LoopRow) -> [Range<Int>] {
    guard let path = row.path else { return [0..<row.cell + 1] }
    var runs = [0..<row.cache.count]
    for cell in path + [row.cell] {
      if runs[runs.count - 1].upperBound == cell {
        runs[runs.count - 1] = runs[runs.count - 1].lowerBound..<cell + 1
      } else {
        runs.append(cell..<cell + 1)
      }
    }
    return runs
  }

  func rotate(rows: Int, _ c: ModelConfiguration) {
    ck_rotary(queries, c.heads * c.headSize, cosines, sines, 1, rows, c.heads, c.headSize)
    ck_rotary(keys, c.keyValueHeads * c.headSize, cosines, sines, 1, rows, c.keyValueHeads, c.headSize)
  }

  private func grow(to rows: Int, _ c: ModelConfiguration) {
    guard rows > capacity else { return }
    capacity = rows
    func renew(_ memory: inout UnsafeMutablePointer<Float>, _ columns: Int) {
      memory.deallocate()
      memory = UnsafeMutableRawPointer.allocate(byteCount: max(rows * columns * 4, 64), alignment: 64)
        .bindMemory(to: Float.self, capacity: rows * columns)
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
