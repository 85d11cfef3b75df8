/// A binary heap of nodes: the smallest key first, of equal keys the lowest node.
///
/// A node may be pushed again with a smaller key; whoever pops skips the stale entry.
/// - Complexity: O(log count) per push and pop.
struct MinimumHeap<Key: Comparable> {
  private var entries: [(key: Key, node: Int)] = []

  mutating func push(_ key: Key, _ node: Int) {
    entries.append((key, node))
    var child = entries.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard entries[child] < entries[parent] else { return }
      entries.swapAt(child, parent)
      child = parent
    }
  }

  mutating func pop() -> (key: Key, node: Int)? {
    guard let top = entries.first, let last = entries.popLast() else { return nil }
    guard !entries.isEmpty else { return top }
    entries[0] = last
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2]
      where child < entries.count && entries[child] < entries[least] {
        least = child
      }
      guard least != parent else { return top }
      entries.swapAt(parent, least)
      parent = least
    }
  }
}
