import Tensors

/// Tables drawn from mixtures, for when no real ones are at hand: two classes, each one to three Gaussian clouds, seen
/// through a random linear map, with some labels turned.
///
/// What varies between tables is what varies between real ones: the number of features, how far the classes are apart,
/// whether a line separates them, how balanced and how noisy they are.
public enum SyntheticTables {
  public static func make(count: Int, rows: Int, dimension: Int, random: inout RandomStream) -> [NumericTable]
  {
    (0..<count).map { number in
      let f = min(dimension, 2 + Int(random.next() % UInt64(max(dimension - 1, 1))))
      let clouds = (0..<2).map { _ in 1 + Int(random.next() % 3) }
      let distance = 0.8 + 1.2 * random.uniform()
      let centres = clouds.map { (0..<$0).map { _ in normals(f, &random).map { distance * $0 } } }
      let map = normals(f * f, &random).map { $0 / Float(f).squareRoot() }
      let share = 0.35 + 0.3 * random.uniform()
      let turned = 0.1 * random.uniform()
      var (values, labels) = ([Float](), [UInt8]())
      for _ in 0..<rows {
        let label = random.uniform() < share ? 1 : 0
        let centre = centres[label][Int(random.next() % UInt64(clouds[label]))]
        let point = zip(centre, normals(f, &random)).map { $0 + $1 }
        for row in 0..<f { values.append(dot(map[row * f..<(row + 1) * f], point[...])) }
        labels.append(UInt8(random.uniform() < turned ? 1 - label : label))
      }
      return NumericTable(
        name: "synthetic \(number)", features: (0..<f).map { "x\($0)" }, values: values, labels: labels,
        classes: ["0", "1"])
    }
  }
}
