/// An ONNX computation graph under construction: nodes in the order of their computation, and named constants.
public struct OnnxGraph: Sendable {
  public enum Extent: Sendable {
    case fixed(Int)
    /// Known only at run time; equal names mean equal extents.
    case named(String)
  }

  /// A graph input or output. An input with an initializer of its name may be left out by the caller.
  public struct Value: Sendable {
    public let name: String
    public let type: ElementType
    public let shape: [Extent]

    public init(_ name: String, _ type: ElementType, _ shape: [Extent] = []) {
      self.name = name
      self.type = type
      self.shape = shape
    }
  }

  public enum Attribute: Sendable {
    case integer(Int)
    case float(Float)
    case graph(OnnxGraph)
  }

  struct Node: Sendable {
    let operation: String
    let inputs: [String]
    let outputs: [String]
    let attributes: [(String, Attribute)]
  }

  public let name: String
  public var inputs: [Value] = []
  public var outputs: [Value] = []
  public private(set) var constants: [StoredTensor] = []
  private var constantNames: Set<String> = []
  private var nodes: [Node] = []

  public init(_ name: String) { self.name = name }

  /// Adds a node with one output, which gives the node its name; returns that name.
  @discardableResult
  public mutating func add(
    _ operation: String, _ inputs: [String], to output: String, _ attributes: [(String, Attribute)] = []
  ) -> String {
    add(operation, inputs, to: [output], attributes)
    return output
  }

  public mutating func add(
    _ operation: String, _ inputs: [String], to outputs: [String], _ attributes: [(String, Attribute)] = []
  ) {
    nodes.append(Node(operation: operation, inputs: inputs, outputs: outputs, attributes: attributes))
  }

  /// Adds a constant, which subgraphs see too, and returns its name. One that is there already is not added again.
  @discardableResult
  public mutating func constant(_ tensor: StoredTensor) -> String {
    if constantNames.insert(tensor.name).inserted { constants.append(tensor) }
    return tensor.name
  }

  // MARK: Encoding. Field numbers: onnx.proto, IR version 9.

  func encode(into writer: inout ProtobufWriter) {
    for node in nodes {
      writer.message(1) { writer in
        for input in node.inputs { writer.data(1, input.utf8) }
        for output in node.outputs { writer.data(2, output.utf8) }
        writer.data(3, node.outputs[0].utf8)
        writer.data(4, node.operation.utf8)
        for (name, attribute) in node.attributes { writer.message(5) { attribute.encode(name, into: &$0) } }
      }
    }
    writer.data(2, name.utf8)
    for constant in constants {
      writer.message(5) { writer in
        for extent in constant.shape { writer.integer(1, extent) }
        writer.integer(2, constant.type.onnxCode)
        writer.data(8, constant.name.utf8)
        writer.data(9, constant.bytes)
      }
    }
    for input in inputs { writer.message(11, input.encode) }
    for output in outputs { writer.message(12, output.encode) }
  }
}

extension OnnxGraph.Attribute {
  fileprivate func encode(_ name: String, into writer: inout ProtobufWriter) {
    writer.data(1, name.utf8)
    switch self {
    case .float(let value):
      writer.float(2, value)
      writer.integer(20, 1)
    case .integer(let value):
      writer.integer(3, value)
      writer.integer(20, 2)
    case .graph(let graph):
      writer.message(6) { graph.encode(into: &$0) }
      writer.integer(20, 5)
    }
  }
}

extension OnnxGraph.Value {
  @Sendable fileprivate func encode(into writer: inout ProtobufWriter) {
    writer.data(1, name.utf8)
    writer.message(2) { writer in
      writer.message(1) { writer in
        writer.integer(1, type.onnxCode)
        writer.message(2) { writer in
          for extent in shape {
            writer.message(1) { writer in
              switch extent {
              case .fixed(let count): writer.integer(1, count)
              case .named(let name): writer.data(2, name.utf8)
              }
            }
          }
        }
      }
    }
  }
}

extension ElementType {
  /// `TensorProto.DataType`.
  fileprivate var onnxCode: Int {
    switch self {
    case .float32: 1
    case .uint8: 2
    case .int8: 3
    case .uint16: 4
    case .int16: 5
    case .int32: 6
    case .int64: 7
    case .bool: 9
    case .float16: 10
    case .float64: 11
    case .uint32: 12
    case .uint64: 13
    case .bfloat16: 16
    }
  }
}

/// A whole ONNX model file.
public struct OnnxModel: Sendable {
  /// Operator set 18 (2022): reductions take their axes as inputs, and every current runtime has it.
  public static let operatorSet = 18
  public static let intermediateVersion = 9

  public let graph: OnnxGraph
  public let description: String
  public let metadata: [(key: String, value: String)]

  public init(graph: OnnxGraph, description: String, metadata: [(key: String, value: String)]) {
    self.graph = graph
    self.description = description
    self.metadata = metadata
  }

  /// - Complexity: O(size), with a few copies of the constants on the way.
  public func encoded() -> [UInt8] {
    var writer = ProtobufWriter()
    writer.integer(1, Self.intermediateVersion)
    writer.data(2, "looped".utf8)
    writer.data(6, description.utf8)
    writer.message(7) { graph.encode(into: &$0) }
    writer.message(8) { writer in
      writer.data(1, "".utf8)
      writer.integer(2, Self.operatorSet)
    }
    for (key, value) in metadata {
      writer.message(14) { writer in
        writer.data(1, key.utf8)
        writer.data(2, value.utf8)
      }
    }
    return writer.bytes
  }
}
