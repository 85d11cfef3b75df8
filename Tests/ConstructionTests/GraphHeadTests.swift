import Construction
import Testing

/// Three columns with values 10, 20, 30 and edges 0 → 1 (weight 2), 0 → 2 (3), 1 → 2 (5), 2 → 2 (7).
@Suite struct GraphHeadTests {
  static let graph = ColumnGraph(
    columnCount: 3,
    edges: [(0, 1, 2), (0, 2, 3), (1, 2, 5), (2, 2, 7)].map {
      ColumnGraph.Edge(source: $0.0, target: $0.1, weight: $0.2)
    })

  /// Runs one layer with one head, built by `build` from the rows (value, place 0/1/2, result).
  func run(_ build: (inout LayerBuilder, Field, Field, Field) -> Void) -> [Float] {
    var layout = ResidualLayout()
    let (value, place, result) = (
      layout.add("value", rows: 1), layout.add("place", rows: 3), layout.add("result", rows: 1)
    )
    var builder = LayerBuilder("layer", layout: layout)
    build(&builder, value, place, result)
    let network = ConstructedNetwork(name: "test", layout: layout, layers: [builder.build()])
    var executor = DenseExecutor<Float>(network, graph: Self.graph)
    var state = ResidualStream<Float>(width: layout.width, columnCount: 3)
    for column in 0..<3 {
      state[value[0], column] = Float(10 * (column + 1))
      state[place[column], column] = 1
    }
    _ = executor.apply(to: &state, loop: 0)
    return (0..<3).map { state[result[0], $0] }
  }

  @Test(
    arguments: [
      (GraphMixing(.alongEdges, isWeighted: false), [0, 10, 60]),
      (GraphMixing(.alongEdges, isWeighted: true), [0, 20, 340]),
      (GraphMixing(.againstEdges, isWeighted: false), [50, 30, 30]),
      (GraphMixing(.againstEdges, isWeighted: true), [130, 150, 210]),
    ] as [(GraphMixing, [Float])])
  func graphHeadsMultiplyByTheGraph(mixing: GraphMixing, expected: [Float]) {
    let result = run { layer, value, place, result in
      layer.attend("own", query: [place], key: [place], mixing: mixing, copies: [(from: value, to: result)])
    }
    #expect(result == expected)
  }

  @Test func theLeftmostOfTheLargestScoresTakesAll() {
    let result = run { layer, value, place, result in
      let everybody = place.rows.reduce(LinearForm()) { $0 + .row($1) }
      layer.attend(
        "largest of places 1 and 2", kind: .leftmost, query: [everybody],
        key: [.row(place[1]) + .row(place[2])], outputs: [(form: .row(value[0]), row: result[0])])
    }
    #expect(result == [20, 20, 20])
  }

  @Test func neighborhoodsFindTheLightestWay() {
    // Smallest value + weight among the sources of incoming edges, and that edge's weight on top.
    let result = run { layer, value, place, result in
      let everybody = place.rows.reduce(LinearForm()) { $0 + .row($1) }
      layer.attend(
        "relax", kind: .leftmost, query: [everybody], key: [-1 * .row(value[0])],
        neighborhood: .init(
          .alongEdges, scorePerWeight: -1, weightOutputs: [Term(row: result[0], coefficient: 1)]),
        outputs: [(form: .row(value[0]), row: result[0])])
    }
    #expect(result == [0, 12, 13])
  }
}
