import Testing

@testable import Serving

struct FairQueueTests {
  @Test func clientsTakeTurns() {
    var queue = FairQueue<Int>()
    for number in 0..<4 { queue.append(number, of: "a") }
    queue.append(10, of: "b")
    queue.append(20, of: "c")
    queue.append(11, of: "b")
    #expect(queue.count == 7)
    #expect(queue.count(of: "b") == 2)
    var order: [Int] = []
    while let next = queue.popFirst() { order.append(next) }
    #expect(order == [0, 10, 20, 1, 11, 2, 3])
    #expect(queue.isEmpty)
  }

  @Test func removedOnesAreSkipped() {
    var queue = FairQueue<Int>()
    for number in 0..<6 { queue.append(number, of: number < 3 ? "a" : "b") }
    #expect(Set(queue.remove { $0 % 2 == 1 }) == [1, 3, 5])
    var order: [Int] = []
    while let next = queue.popFirst() { order.append(next) }
    #expect(order == [0, 4, 2])
    queue.append(7, of: "a")
    #expect(queue.remove { _ in true } == [7])
    #expect(queue.popFirst() == nil)
    #expect(queue.count(of: "a") == 0)
  }
}
