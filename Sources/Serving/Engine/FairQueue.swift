/// Waiting work in the order of arrival within a client, one of every client in turn: who sends a thousand requests
/// makes nobody else wait for more than one of them.
struct FairQueue<Element> {
  private var queues: [String: [Element]] = [:]
  /// Clients that have something waiting, the next one first.
  private var turns: [String] = []
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }

  func count(of client: String) -> Int { queues[client]?.count ?? 0 }

  mutating func append(_ element: Element, of client: String) {
    if queues[client] == nil { turns.append(client) }
    queues[client, default: []].append(element)
    count += 1
  }

  /// The oldest element of the client whose turn it is.
  mutating func popFirst() -> Element? {
    guard !turns.isEmpty else { return nil }
    let client = turns.removeFirst()
    guard var queue = queues.removeValue(forKey: client), !queue.isEmpty else { return nil }
    let element = queue.removeFirst()
    count -= 1
    if !queue.isEmpty {
      queues[client] = queue
      turns.append(client)
    }
    return element
  }

  /// Takes out what the condition names.
  mutating func remove(where condition: (Element) -> Bool) -> [Element] {
    var removed: [Element] = []
    for client in turns {
      removed += queues[client, default: []].filter(condition)
      queues[client]?.removeAll(where: condition)
      if queues[client]?.isEmpty ?? true { queues[client] = nil }
    }
    turns.removeAll { queues[$0] == nil }
    count -= removed.count
    return removed
  }
}
