import Foundation
import Tensors
import Testing

@testable import Pretraining

@Suite struct TokenTaskTests {
  /// The value of a prefix expression, from its end with a stack of whole numbers, reduced only at last.
  private func value(_ tokens: ArraySlice<Int32>, of task: ManoTask) -> Int? {
    var stack: [Int] = []
    for token in tokens.reversed() {
      guard token >= task.modulus else {
        stack.append(Int(token))
        continue
      }
      guard stack.count > 1 else { return nil }
      let (a, b) = (stack.removeLast(), stack.removeLast())
      switch token {
      case task.token(.add): stack.append(a + b)
      case task.token(.subtract): stack.append(a - b)
      case task.token(.multiply): stack.append(a * b)
      default: return nil
      }
    }
    guard stack.count == 1 else { return nil }
    return (stack[0] % task.modulus + task.modulus) % task.modulus
  }

  @Test(arguments: [(2, 1), (11, 4), (23, 6)])
  func expressionsHaveTheirValues(_ modulus: Int, _ operations: Int) throws {
    let task = ManoTask(modulus: modulus, operations: operations)
    var random = RandomStream(seed: 3)
    var lengths = Array(repeating: 0, count: operations)
    for _ in 0..<2000 {
      let question = task.trainingQuestion(&random)
      let tokens = question.tokens
      #expect(tokens[0] == task.beginning && tokens.last == task.answerMark)
      let body = tokens[2..<tokens.count - 1]
      #expect(body.count { $0 >= modulus } == (body.count - 1) / 2)
      #expect(tokens[1] == task.lengthMark((body.count - 1) / 2))
      #expect(value(body, of: task) == Int(question.answer))
      #expect(tokens.count <= task.longest && tokens.allSatisfy { (0..<Int32(task.vocabulary)) ~= $0 })
      lengths[(body.count - 1) / 2 - 1] += 1
    }
    // Lengths are uniform: four deviations of a binomial.
    let mean = 2000 / Double(operations)
    for count in lengths { #expect(abs(Double(count) - mean) < 4 * mean.squareRoot() + 1) }
    #expect(task.groups.count == operations)
  }

  @Test func theSameSeedAsksTheSame() {
    let task = ManoTask(modulus: 13, operations: 3)
    func questions(_ seed: UInt64) -> [TaskQuestion] {
      var random = RandomStream(seed: seed)
      return (0..<50).map { task.question(group: $0 % 3, &random) }
    }
    #expect(questions(1) == questions(1) && questions(1) != questions(2))
  }

  @Test func shapesAreAllDrawn() {
    // Of two operations there are two shapes, of three five.
    let task = ManoTask(modulus: 2, operations: 3)
    var random = RandomStream(seed: 1)
    for (group, count) in [(0, 1), (1, 2), (2, 5)] {
      let shapes = Set((0..<400).map { _ in task.question(group: group, &random).tokens.map { $0 < 2 } })
      #expect(shapes.count == count)
    }
  }

  @Test func hopsAreWalks() {
    var random = RandomStream(seed: 5)
    let task = MultiHopTask(people: 6, relations: 3, hops: 3, share: 0.4, random: &random)
    let count = 6 * 27
    #expect(task.trained == Int(0.4 * Double(count)))
    var seen: [Set<[Int32]>] = [[], []]
    for group in 0..<2 {
      for _ in 0..<3000 {
        let question = task.question(group: group, &random)
        let tokens = question.tokens
        #expect(tokens.count == task.longest && tokens.allSatisfy { (0..<Int32(task.vocabulary)) ~= $0 })
        // The last relation named is the first taken.
        var person = Int(tokens[4])
        for (layer, relation) in tokens[1...3].reversed().enumerated() {
          person = task.link(layer: layer, relation: Int(relation) - 24, person: person)
        }
        #expect(question.answer == Int32(18 + person))
        seen[group].insert(tokens)
      }
    }
    #expect(seen[0].isDisjoint(with: seen[1]) && seen[0].count == task.trained)
    #expect(seen[0].count + seen[1].count == count)
    let (again, other) = (RandomStream(seed: 5), RandomStream(seed: 6))
    func links(_ random: RandomStream) -> [Int] {
      var random = random
      let task = MultiHopTask(people: 6, relations: 3, hops: 3, share: 0.4, random: &random)
      return (0..<18).map { task.link(layer: $0 % 3, relation: $0 / 6, person: $0 % 6) }
    }
    #expect(links(again) == links(again) && links(again) != links(other))
  }

  @Test func tooManyQuestionsAreCounted() {
    #expect(MultiHopTask.questions(people: 100, relations: 20, hops: 3) == 800_000)
    #expect(MultiHopTask.questions(people: 100, relations: 20, hops: 5) == nil)
    #expect(MultiHopTask.questions(people: 100_000, relations: 10_000, hops: 20) == nil)
  }

  @Test func batchesTeachAnswersAlone() {
    let batch = TokenBatch([
      TaskQuestion(tokens: [5, 1, 6], answer: 2), TaskQuestion(tokens: [5, 1, 1, 6], answer: 3),
    ])
    #expect(batch.tokens == [5, 1, 6, 5, 1, 1, 6] && batch.targets == [-1, -1, 2, -1, -1, -1, 3])
    #expect(batch.segments == [0..<3, 3..<7] && batch.shape == [1, 7])
  }

  @Test func biographiesAreTheSameEveryTime() throws {
    var random = RandomStream(seed: 5)
    let task = CapoTask(people: 60, names: [4, 4, 5], values: [12, 1, 3], templates: 2, random: &random)
    #expect(task.vocabulary == 13 + 16 + 6 + 1 && task.longest == 9)
    #expect(abs(task.nameBits - log2(80)) < 1e-12 && abs(task.valueBits - log2(36)) < 1e-12)
    var people: [[Int32]: Int] = [:]
    for person in 0..<60 {
      let questions = (0..<30).map { _ in task.biography(of: person, &random) }
      for question in questions {
        #expect(question.answers.map(\.token) == questions[0].answers.map(\.token))
        #expect(question.answers.map(\.group) == [0, 0, 0, 1, 1, 1])
        #expect(question.answers.map(\.place) == [0, 1, 2, 4, 6, 8] && question.tokens.count == 9)
        // Every answer but the last is the token behind its place.
        for answer in question.answers.dropLast() {
          #expect(question.tokens[answer.place + 1] == answer.token)
        }
        #expect(question.tokens.allSatisfy { (0..<Int32(task.vocabulary)) ~= $0 })
      }
      // Both marks of an attribute are drawn, and no mark stands for two attributes.
      let marks = [4, 6, 8].map { place in Set(questions.map { $0.tokens[place] }) }
      #expect(marks.allSatisfy { $0.count == 2 } && Set(marks.joined()).count == 6)
      people[Array(questions[0].answers.map(\.token).prefix(3)), default: 0] += 1
    }
    #expect(people.count == 60, "no two people have one name")
    #expect(task.examined(7) == 7 && task.examined(1000) == 60)
    let everybody = (0..<60).map { task.examination($0, of: 1000, &random).answers.map(\.token) }
    #expect(Set(everybody).count == 60)
    // As many people as names is a permutation.
    let full = CapoTask(people: 8, names: [2, 4], values: [2], templates: 1, random: &random)
    #expect(Set((0..<8).map { full.biography(of: $0, &random).tokens.prefix(3) }).count == 8)
  }

  @Test func knowledgeIsCountedInBits() {
    var random = RandomStream(seed: 5)
    let task = CapoTask(people: 16, names: [8, 16], values: [4, 32], templates: 1, random: &random)
    let ln = { (x: Int) in log(Double(x)) }
    // Who knows nothing guesses uniformly; who knows everything knows which of all names there are.
    #expect(abs(task.bits(name: (ln(8) + ln(16)) / 2, value: (ln(4) + ln(32)) / 2)) < 1e-9)
    #expect(abs(task.bits(name: ln(16) / 2, value: 0) - task.mostBits) < 1e-9)
    #expect(abs(task.mostBits - 16 * (7 - 4 + 7)) < 1e-9)
    // A bit less of a value is a bit more for each of the people.
    let a = task.bits(name: 1, value: 1)
    #expect(abs(task.bits(name: 1, value: 1 - ln(2) / 2) - a - 16) < 1e-9)
  }
}
