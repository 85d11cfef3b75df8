import ArgumentParser
import Foundation
import GraphAlgorithms
import Looping
import Reporting

struct GraphCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "graph", abstract: "Run a graph algorithm on a graph file.",
    discussion: """
      Reads DIMACS (.gr), edge lists (.txt, .edges, .el, .tsv), .csv, Matrix Market (.mtx), GraphML, DOT and JSON \
      node-link, plain or compressed with gzip. Documentation/GraphFiles.md says what is accepted.

        looped graph dijkstra Examples/town.gr --source 1 --target 16
        looped graph toposort Examples/kitchen.dot --check
        looped graph bfs Examples/town.gr --source 1 --picture town.html
      """)

  enum DataType: String, CaseIterable, ExpressibleByArgument { case f32, f64 }

  @Argument(
    help: "dijkstra, bfs, dfs, scc, components, toposort, mst, bellman-ford or pagerank (--list explains).")
  var algorithm: GraphAlgorithm?
  @Argument(help: "A graph file, or - for standard input.")
  var file: String?
  @Flag(help: "List the algorithms.")
  var list = false
  @Option(name: .shortAndLong, help: "The node to start from.")
  var source: String?
  @Option(name: .shortAndLong, help: "Show the path to this node.")
  var target: String?
  @Option(help: "gr, edges, csv, mtx, graphml, dot or json; by the file's extension if not given.")
  var format: GraphFormat?
  @Flag(help: "Take every edge as directed, whatever the file says.")
  var directed = false
  @Flag(help: "Take every edge both ways, whatever the file says.")
  var undirected = false
  @Option(
    help:
      "Who computes: \(GraphNetwork.allCases.map(\.rawValue).joined(separator: ", ")) (reference is plain Swift, without a network)."
  )
  var network = GraphNetwork.standard
  @Option(help: "Numbers: f32 or f64; f32 if not given and everything is exact in it.")
  var dataType: DataType?
  @Flag(help: "Compare the result with the plain Swift algorithm's.")
  var check = false
  @Option(help: "How many rows of the result to print; 0 for all.")
  var rows = 20
  @Flag(help: "Print the result as one JSON object.")
  var json = false
  @Flag(
    help:
      "Read a JSON node-link graph per line (its member source, if any, is the node to start from), write a result per line as --json does."
  )
  var lines = false
  @Option(help: "Write the graph with the result as attributes to FILE: .dot, .graphml or .json.")
  var to: String?
  @Option(help: "Draw the result to FILE: .svg, or .html with every loop.")
  var picture: String?
  @Option(help: "Write the trace to FILE: .jsonl for machines, .html for people.")
  var traceTo: String?
  @Flag(name: .shortAndLong, help: "Say what ran, and how fast.")
  var verbose = false

  func validate() throws {
    if list { return }
    guard algorithm != nil else { throw ValidationError("name an algorithm, or use --list") }
    guard file != nil else { throw ValidationError("name a graph file, or - for standard input") }
    if directed && undirected { throw ValidationError("--directed and --undirected exclude each other") }
    try validateLines()
    if rows < 0 { throw ValidationError("--rows cannot be negative") }
    if target != nil, let algorithm, ![.dijkstra, .bfs, .bellmanFord].contains(algorithm) {
      throw ValidationError("\(algorithm.rawValue) finds no paths: leave out --target")
    }
  }

  func run() throws {
    guard !list, let algorithm, let file else { return print(Self.algorithmList, terminator: "") }
    guard !lines else { return try runLines(algorithm, file) }
    // Before the work, so that a mistyped name costs nothing.
    let output = try to.map { try GraphOutput(path: $0) }
    let drawing = try picture.map { try GraphPictureOutput(path: $0) }
    let start = ContinuousClock.now
    let source = try GraphInput.read(
      file, format: format, isDirected: directed ? true : undirected ? false : nil)
    let reading = (ContinuousClock.now - start) / .seconds(1)
    let question = try GraphQuestion(
      algorithm, source, source: self.source, target: target, isFloat32: dataType.map { $0 == .f32 })
    try drawing?.check(question.graph)
    let name = file == "-" ? "standard input" : file

    let traceFile = try TraceOutput(toTerminal: false, path: traceTo)
    let trace = try traceFile.map { file in
      GraphTracer(question, network: try network.constructed(question), name: name) { try file.record($0) }
    }
    if let trace { try traceFile?.begin(trace.header) }
    var events: [GraphEvent] = []
    let keepsEvents = drawing?.isAnimated(question.graph) ?? false
    var observer: ((GraphEvent) throws -> Void)?
    if keepsEvents || trace != nil {
      observer = {
        try trace?.record($0)
        if keepsEvents { events.append($0) }
      }
    }
    let run = try GraphRun.run(network: network, question, observe: observer)
    if let trace { try traceFile?.end(loops: run.loops ?? trace.loops, halt: run.end.rawValue) }

    var report = GraphReport(question: question, run: run, name: name)
    let isChecked = check && run.end == .finished
    if isChecked { try report.check() }
    if run.result != GraphResult() {
      try output?.write(question, run.result)
      try drawing?.write(report, events: events)
    }
    if json {
      print(try report.json())
    } else {
      print(report.text(rows: rows == 0 ? .max : rows), terminator: "")
    }
    if verbose || (isChecked && !json) || run.end != .finished {
      var lines = run.end != .finished || verbose ? report.summary(reading: reading) + "\n" : ""
      if isChecked { lines += "equal to the plain Swift algorithm's result\n" }
      FileHandle.standardError.write(Data(lines.utf8))
    }
    if run.end != .finished { throw ExitCode(run.end == .interrupted ? 130 : 3) }
  }

  private static var algorithmList: String {
    var table = TextTable(header: ["algorithm", "finds", "needs"])
    for algorithm in GraphAlgorithm.allCases {
      table.add([algorithm.rawValue, algorithm.purpose, algorithm.needsSource ? "--source" : ""])
    }
    return table.text
  }
}

extension GraphAlgorithm: ExpressibleByArgument {}
extension GraphFormat: ExpressibleByArgument {}

extension GraphAlgorithm {
  var purpose: String {
    switch self {
    case .dijkstra: "shortest paths from a node; no negative weights"
    case .bfs: "paths with the fewest edges from a node"
    case .dfs: "the order of a depth-first search; --source starts it"
    case .scc: "strongly connected components"
    case .components: "connected components, edges taken both ways"
    case .topologicalOrder: "an order in which every edge points forward, or a cycle"
    case .minimumSpanningTree: "the lightest edges that keep the graph together, taken both ways"
    case .bellmanFord: "shortest paths with negative weights, or a negative cycle"
    case .pageRank: "where a random walk spends its time (damping 0.85)"
    }
  }
}
