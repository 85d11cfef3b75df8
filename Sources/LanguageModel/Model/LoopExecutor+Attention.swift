import CKernels
import Tensors

extension LoopExecutor {
  /// Queries of one sequence that are multiplied with keys at once.
  private static let queryBlock = 64

  /// Makes room for what `attend` needs in this pass.
  func prepareAttention(_ rows: [LoopRow]) {
    let (cells, size) = (scratch.longestView, model.configuration.headSize)
    // Keys and values of a head, unpacked, and the scores of a block of queries; or the scores of one.
    scratch.reserveScores(scratch.segments.isEmpty ? cells : (2 * size + Self.queryBlock) * cells)
  }

  /// Every row over the cells it sees.
  func attend(_ rows: [LoopRow], layer: Int) {
    guard !scratch.segments.isEmpty else { return attendRows(0..<rows.count, rows, layer: layer) }
    for segment in scratch.segments {
      if segment.count >= 8 {
        attendSegment(segment, rows[segment.lowerBound], layer: layer)
      } else {
        attendRows(segment, rows, layer: layer)
      }
    }
  }

  /// Rows one by one: what a row computes depends on its own cells alone. All rows of a head follow each other, so that
  /// rows of one sequence find its keys and values in the cache.
  private func attendRows(_ range: Range<Int>, _ rows: [LoopRow], layer: Int) {
    let heads = model.configuration.heads
    // Work that is done before a second thread wakes up is done by one.
    let isSmall = range.count * heads * scratch.longestView * model.configuration.headSize < 50_000
    if isSmall {
      for item in 0..<range.count * heads {
        attendHead(item / range.count, range.lowerBound + item % range.count, rows, layer: layer, worker: 0)
      }
    } else {
      pool.run(range.count * heads) { item, worker in
        attendHead(
          item / range.count, range.lowerBound + item % range.count, rows, layer: layer, worker: worker)
      }
    }
  }

  private func attendHead(_ head: Int, _ number: Int, _ rows: [LoopRow], layer: Int, worker: Int) {
    let c = model.configuration
    let size = c.headSize
    let cache = rows[number].cache
    let format = cache.layout.format.kernelFormat
    let slot = cache.slot(loop: rows[number].loop, layer: layer)
    let view = scratch.views[number]
    let shared = head / (c.heads / c.keyValueHeads)
    let q = scratch.queries + (number * c.heads + head) * size
    let out = scratch.attended + (number * c.heads + head) * size
    let (scores, factor) = (scratch.scores(worker), 1 / Float(size).squareRoot())
    var n = 0
    func score(_ run: KVRun, _ count: Int) {
      ck_cells_scores(format, q, run.keys, run.keyScales, count, size, factor, scores + n)
      n += count
    }
    if view.settled > 0 { cache.shared[layer].forEachRun(0..<view.settled, head: shared, score) }
    for index in view.ranges { slot.forEachRun(scratch.ranges[index], head: shared, score) }
    ck_softmax(scores, scores, 1, n)
    out.update(repeating: 0, count: size)
    n = 0
    func mix(_ run: KVRun, _ count: Int) {
      ck_cells_mix(format, scores + n, run.values, run.valueScales, count, size, out)
      n += count
    }
    if view.settled > 0 { cache.shared[layer].forEachRun(0..<view.settled, head: shared, mix) }
    for index in view.ranges { slot.forEachRun(scratch.ranges[index], head: shared, mix) }
  }

  /// Rows that follow each other in one sequence: for every head of keys, blocks of queries as matrix products.
  private func attendSegment(_ segment: Range<Int>, _ first: LoopRow, layer: Int) {
    let c = model.configuration
    let (size, group, width) = (c.headSize, c.heads / c.keyValueHeads, c.heads * c.headSize)
    let multiplier = FastestMultiplier.shared
    let slot = first.cache.slot(loop: first.loop, layer: layer)
    let format = first.cache.layout.format.kernelFormat
    let seen = scratch.views[segment.lowerBound].cells
    let settled = scratch.views[segment.lowerBound].settled
    let all = seen + segment.count - 1
    // With fewer heads of keys than threads need, the queries of a head are shared out too.
    let parts = min(max(2 * pool.threads / c.keyValueHeads, 1), group)
    pool.run(c.keyValueHeads * parts) { item, worker in
      let (shared, part) = (item / parts, item % parts)
      let keys = scratch.scores(worker)
      let (values, scores) = (keys + all * size, keys + 2 * all * size)
      var n = 0
      func unpack(_ run: KVRun, _ count: Int) {
        ck_cells_load(format, run.keys, run.keyScales, keys + n * size, count, size)
        ck_cells_load(format, run.values, run.valueScales, values + n * size, count, size)
        n += count
      }
      if settled > 0 { first.cache.shared[layer].forEachRun(0..<settled, head: shared, unpack) }
      slot.forEachRun(0..<all - settled, head: shared, unpack)
      for head in stride(from: shared * group + part, to: (shared + 1) * group, by: parts) {
        for start in stride(from: 0, to: segment.count, by: Self.queryBlock) {
          let count = min(Self.queryBlock, segment.count - start)
          let offset = (segment.lowerBound + start) * width + head * size
          let visible = seen + start + count - 1
          multiplier.multiply(
            transposesA: false, transposesB: true, m: count, n: visible, k: size, a: scratch.queries + offset,
            lda: width, b: keys, ldb: size, beta: 0, c: scores, ldc: visible)
          for row in 0..<count {
            let (line, own) = (scores + row * visible, seen + start + row)
            ck_scale(1 / Float(size).squareRoot(), line, line, own)
            ck_softmax(line, line, 1, own)
            (line + own).update(repeating: 0, count: visible - own)
          }
          multiplier.multiply(
            transposesA: false, transposesB: false, m: count, n: size, k: visible, a: scores, lda: visible,
            b: values, ldb: size, beta: 0, c: scratch.attended + offset, ldc: width)
        }
      }
    }
  }
}
