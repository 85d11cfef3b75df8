import ArgumentParser
import Construction
import Foundation
import GraphAlgorithms
import Looping
import Tensors

/// Graph algorithms: the network's weights, its state before the first loop, and the graph as input.
extension ExportCommand {
  func validateGraph() throws {
    guard algorithm != nil else {
      if source != nil { throw ValidationError("--source is for graphs, with --algorithm") }
      if let format, ProgramSource.Format(rawValue: format) == nil {
        throw ValidationError(
          "--format \(format): known are "
            + ProgramSource.Format.allCases.map(\.rawValue).joined(separator: ", "))
      }
      return
    }
    if machine.cells != nil { throw ValidationError("--cells is for programs, not for graphs") }
    if let format, GraphFormat(rawValue: format) == nil {
      throw ValidationError(
        "--format \(format): known for graphs are "
          + GraphFormat.allCases.map(\.rawValue).joined(separator: ", "))
    }
  }

  func graph(_ algorithm: GraphAlgorithm) throws -> NetworkExport {
    let file = try GraphInput.read(
      program, format: format.flatMap(GraphFormat.init(rawValue:)), isDirected: nil)
    let question = try GraphQuestion(
      algorithm, file, source: source, isFloat32: dataType.map { $0 == .f32 })
    // Before a state is made: a matrix of the graph has nodes² entries.
    let bytes = Double(question.graph.nodeCount) * Double(question.graph.nodeCount) * 8
    guard bytes <= Double(NetworkExport.byteLimit) else {
      throw CommandError(
        "the graph's two matrices of \(question.graph.nodeCount) nodes would take \(Int(bytes) >> 20) MiB or more, "
          + "more than the \(NetworkExport.byteLimit >> 20) MiB an export may have",
        hint: "`looped graph` runs large graphs")
    }
    return question.isFloat32 ? try graph(question, Float.self) : try graph(question, Double.self)
  }

  private func graph<Scalar: BinaryFloatingPoint & Sendable>(
    _ question: GraphQuestion, _ type: Scalar.Type
  ) throws -> NetworkExport {
    let (algorithm, graph) = (question.algorithm, question.graph)
    let name = "\(algorithm.rawValue) on \(program == "-" ? "standard input" : program)"
    switch network {
    case .compact:
      let network = algorithm.compactNetwork()
      let source = algorithm.needsSource || algorithm == .dfs ? question.source : nil
      let decoding = try network.decoding(of: graph, source: source, as: type)
      let columns = network.columnGraph(of: graph)
      return try export(
        name, network.network, network.prelude(graph, source: source, as: type), decoding, columns,
        ExactExecutor<Scalar>(network.network, graph: columns))
    case .paper:
      let network = try GraphNetwork.paperNetwork(question)
      let input = try network.prelude(
        graph, algorithm, source: question.source, attention: .hard, as: type)
      return try export(
        name, network.network, input.state, network.decoding(of: input, algorithm, graph), input.graph,
        DenseExecutor<Scalar>(network.network, attention: .hard, graph: input.graph))
    }
  }

  private func export<Body: LoopBody, Scalar>(
    _ name: String, _ network: ConstructedNetwork, _ initial: ResidualStream<Scalar>,
    _ decoding: StateDecoding, _ graph: ColumnGraph, _ body: Body
  ) throws -> NetworkExport where Body.State == ResidualStream<Scalar> {
    var loop = Loop(body: body, limit: min(after, decoding.loopLimit ?? after))
    if let halting = decoding.halting {
      loop.haltingRules = [HaltingRule("TERM") { state, _ in state[halting.row, halting.column] > 0 }]
    }
    var state = initial
    let done = try loop.run(&state).loops
    var exported = ResidualStream<Double>(width: state.width, columnCount: state.columnCount)
    for column in 0..<state.columnCount {
      for row in 0..<state.width { exported[row, column] = Double(state[row, column]) }
    }
    return try NetworkExport(
      program: name, network: network, state: exported, decoding: decoding, graph: graph,
      elementType: Scalar.self == Float.self ? .float32 : .float64, loopsDone: done)
  }
}
