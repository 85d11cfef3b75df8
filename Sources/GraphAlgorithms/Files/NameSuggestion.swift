/// What a person may have meant.
public enum NameSuggestion {
  /// The name with the fewest typing mistakes between it and `word`, if they are few; of the first 100,000 names.
  ///
  /// - Complexity: O(names · word²); long words are not compared.
  public static func closest(to word: String, among names: some Sequence<String>) -> String? {
    let word = Array(word.utf8)
    guard word.count <= 40 else { return nil }
    let most = max(1, (word.count + 1) / 3)
    var best: (distance: Int, name: String)?
    for name in names.lazy.prefix(100_000) where abs(name.utf8.count - word.count) <= most {
      let distance = editDistance(word, Array(name.utf8))
      if distance <= most && distance < best?.distance ?? .max { best = (distance, name) }
    }
    return best?.name
  }

  /// Insertions, deletions, replacements, and neighbours swapped (optimal string alignment).
  private static func editDistance(_ first: [UInt8], _ second: [UInt8]) -> Int {
    var beforeLast: [Int] = []
    var last = Array(0...second.count)
    for i in first.indices {
      var row = [i + 1]
      for j in second.indices {
        var best = min(last[j] + (first[i] == second[j] ? 0 : 1), row[j] + 1, last[j + 1] + 1)
        if i > 0, j > 0, first[i] == second[j - 1], first[i - 1] == second[j] {
          best = min(best, beforeLast[j - 1] + 1)
        }
        row.append(best)
      }
      (beforeLast, last) = (last, row)
    }
    return last[second.count]
  }
}
