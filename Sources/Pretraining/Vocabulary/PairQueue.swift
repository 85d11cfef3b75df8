/// The most frequent pair of neighbours, while the counts change: a binary heap with entries that may be out of date.
///
/// Every pair that occurs at least twice has an entry with at least its count: one that rises gets another entry, one
/// that falls is found out when its entry comes up. So a merge costs O(log entries) for each pair whose count it
/// changes, and not a look at every pair.
struct PairQueue {
  typealias Pair = TrainedVocabulary.Pair

  private(set) var counts: [Pair: Int]
  private var heap: [(count: Int, pair: Pair)]

  init(_ counts: [Pair: Int]) {
    self.counts = counts
    heap = counts.map { ($0.value, $0.key) }
    for index in stride(from: heap.count / 2 - 1, through: 0, by: -1) { sink(index) }
  }

  /// Adds to the count of a pair.
  mutating func change(_ pair: Pair, by difference: Int) {
    guard difference != 0 else { return }
    let count = counts[pair, default: 0] + difference
    counts[pair] = count > 0 ? count : nil
    guard difference > 0, count > 1 else { return }
    heap.append((count, pair))
    rise(heap.count - 1)
  }

  /// The most frequent pair, of equally frequent ones that of the smaller numbers; `nil` where none occurs twice.
  mutating func first() -> Pair? {
    while let top = heap.first {
      let count = counts[top.pair] ?? 0
      if count == top.count, count > 1 { return top.pair }
      if count > 1, count < top.count {
        heap[0].count = count
      } else {
        // Gone, or it has risen since, and has a newer entry.
        let last = heap.removeLast()
        if !heap.isEmpty { heap[0] = last }
      }
      sink(0)
    }
    return nil
  }

  private func isAbove(_ a: Int, _ b: Int) -> Bool {
    (-heap[a].count, heap[a].pair) < (-heap[b].count, heap[b].pair)
  }

  private mutating func rise(_ index: Int) {
    var index = index
    while index > 0, isAbove(index, (index - 1) / 2) {
      heap.swapAt(index, (index - 1) / 2)
      index = (index - 1) / 2
    }
  }

  private mutating func sink(_ index: Int) {
    var index = index
    while true {
      var best = index
      for child in [2 * index + 1, 2 * index + 2] where child < heap.count && isAbove(child, best) {
        best = child
      }
      if best == index { return }
      heap.swapAt(index, best)
      index = best
    }
  }
}
