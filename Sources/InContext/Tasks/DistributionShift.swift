import Tensors

/// Prompts unlike those of training. Source: Garg et al., arXiv 2208.01066, section 4 and their code.
public enum DistributionShift: Equatable, Sendable {
  /// x ← x T, T symmetric with eigenvalues ∝ 1/i, Σ eigenvalue² = d; one T per evaluation.
  case skewed
  /// The same with eigenvalues 1 on half of the space and 0 on the other.
  case subspace
  case scaledInputs(Float)
  case scaledAnswers(Float)
  /// The context in one random orthant per prompt, the query anywhere.
  case quadrants
  /// The context in one random orthant, the query in the opposite one.
  case oppositeQuadrants
  /// The query orthogonal to the context, of its own length; only while the context leaves a direction.
  case orthogonal
  /// The query is one of the context points.
  case overlapping
  /// Noise on y, and y scaled to the standard deviation √d over the prompts.
  case noise(Float)

  public static let names =
    "skewed, subspace, scale-x:FACTOR, scale-y:FACTOR, quadrants, opposite-quadrants, orthogonal, overlapping, "
    + "noise:DEVIATION"

  public init?(name: String) {
    let parts = name.split(separator: ":", omittingEmptySubsequences: false)
    let number = parts.count == 2 ? Float(parts[1]).flatMap { (0...1e6).contains($0) ? $0 : nil } : nil
    switch (parts.first, parts.count, number) {
    case ("skewed", 1, _): self = .skewed
    case ("subspace", 1, _): self = .subspace
    case ("scale-x", 2, let factor?): self = .scaledInputs(factor)
    case ("scale-y", 2, let factor?): self = .scaledAnswers(factor)
    case ("quadrants", 1, _): self = .quadrants
    case ("opposite-quadrants", 1, _): self = .oppositeQuadrants
    case ("orthogonal", 1, _): self = .orthogonal
    case ("overlapping", 1, _): self = .overlapping
    case ("noise", 2, let deviation?): self = .noise(deviation)
    default: return nil
    }
  }

  /// Prompts of the task's functions under this shift.
  public func prompts(
    _ task: FunctionTask, points: Int, count: Int, random: inout RandomStream
  ) -> [RegressionPrompt] {
    let d = task.dimension
    let matrix: [Float]? =
      switch self {
      case .skewed: Self.symmetric((1...d).map { 1 / Float($0) }, random: &random)
      case .subspace: Self.symmetric((0..<d).map { $0 < max(1, d / 2) ? 1 : 0 }, random: &random)
      default: nil
      }
    var prompts: [RegressionPrompt] = []
    for _ in 0..<count {
      let function = task.family.draw(dimension: d, active: d, random: &random)
      let context = inputs(normals(points * d, &random), d, matrix, random: &random)
      let asked = queries(context, d, points, random: &random)
      var y = task.answers(function, context, random: &random)
      if case .noise(let deviation) = self { y = y.map { $0 + deviation * random.normal() } }
      let answers = asked.map { task.answers(function, $0, random: &random) }
      if case .scaledAnswers(let factor) = self { y = y.map { factor * $0 } }
      prompts.append(
        RegressionPrompt(dimension: d, x: context, y: y, queries: asked.map { ($0, answers!) }))
    }
    if case .noise = self {
      let all = prompts.flatMap(\.y)
      let square = all.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(max(all.count, 1))
      let factor = Float((Double(d) / max(square, 1e-30)).squareRoot())
      for i in prompts.indices { prompts[i].y = prompts[i].y.map { factor * $0 } }
    }
    return prompts
  }

  private func inputs(
    _ x: [Float], _ d: Int, _ matrix: [Float]?, random: inout RandomStream
  ) -> [Float] {
    switch self {
    case .scaledInputs(let factor): return x.map { factor * $0 }
    case .quadrants, .oppositeQuadrants:
      let signs = (0..<d).map { _ in random.next() & 1 == 0 ? Float(1) : -1 }
      return x.enumerated().map { abs($1) * signs[$0 % d] }
    default:
      guard let matrix else { return x }
      return stride(from: 0, to: x.count, by: d).flatMap { start in
        (0..<d).map { dot(x[start..<start + d], matrix[$0 * d..<($0 + 1) * d]) }
      }
    }
  }

  /// What is asked at every position, if not the context point there.
  private func queries(_ x: [Float], _ d: Int, _ points: Int, random: inout RandomStream) -> [Float]? {
    switch self {
    case .quadrants: return normals(points * d, &random)
    case .oppositeQuadrants:
      return normals(points * d, &random).enumerated().map { x[$0 % d] > 0 ? -abs($1) : abs($1) }
    case .overlapping:
      var asked = Array(x[..<min(d, x.count)])
      for i in 1..<max(points, 1) {
        let place = Int(random.next() % UInt64(i))
        asked += x[place * d..<(place + 1) * d]
      }
      return asked
    case .orthogonal:
      var (asked, basis) = ([Float](), [[Float]]())
      for i in 0..<points {
        let query = Array(x[i * d..<(i + 1) * d])
        // With d context points nothing is left to be orthogonal to: the point is asked as it is.
        let rest = basis.count < d ? Self.removing(basis, from: query) : query
        let factor = (dot(query[...], query[...]) / max(dot(rest[...], rest[...]), 1e-30)).squareRoot()
        asked += rest.map { factor * $0 }
        if basis.count < d { basis.append(Self.unit(Self.removing(basis, from: query))) }
      }
      return asked
    default: return nil
    }
  }

  /// U diag(e) Uᵀ with a random orthogonal U, scaled so that Σ e² = d.
  private static func symmetric(_ eigenvalues: [Float], random: inout RandomStream) -> [Float] {
    let d = eigenvalues.count
    let scale = (Float(d) / dot(eigenvalues[...], eigenvalues[...])).squareRoot()
    var basis: [[Float]] = []
    for _ in 0..<d { basis.append(unit(removing(basis, from: normals(d, &random)))) }
    return (0..<d * d).map { place in
      (0..<d).reduce(0) { $0 + scale * eigenvalues[$1] * basis[$1][place / d] * basis[$1][place % d] }
    }
  }

  /// Gram and Schmidt, twice: once leaves rounding errors.
  private static func removing(_ basis: [[Float]], from vector: [Float]) -> [Float] {
    var rest = vector
    for _ in 0..<2 {
      for unit in basis {
        let part = dot(unit[...], rest[...])
        for i in rest.indices { rest[i] -= part * unit[i] }
      }
    }
    return rest
  }

  private static func unit(_ vector: [Float]) -> [Float] {
    let length = max(dot(vector[...], vector[...]).squareRoot(), 1e-30)
    return vector.map { $0 / length }
  }
}
