/// Writes a safetensors file: its header at once, then the bytes of its tensors as they come.
///
/// The file appears at its path when it is complete. Memory: O(header). Tensors stand in the file in the order given,
/// so that they can be written in the order in which a model is read.
public final class SafetensorsWriter {
  /// A tensor that will be written.
  public struct Tensor: Equatable, Sendable {
    public let name: String
    public let type: ElementType
    public let shape: [Int]
    public var byteCount: Int { shape.reduce(type.size, *) }

    public init(_ name: String, type: ElementType, shape: [Int]) {
      self.name = name
      self.type = type
      self.shape = shape
    }
  }

  private let stream: AtomicFile.Stream
  private let dataBytes: Int
  private var written = 0

  /// Writes the header. `tensors` are in the order in which their bytes will come.
  /// - Precondition: no two tensors of one name, and none named `__metadata__`.
  /// - Throws: `AtomicFile.Failure`.
  public init(path: String, tensors: [Tensor], metadata: [String: String] = [:]) throws {
    precondition(
      Set(tensors.map(\.name) + ["__metadata__"]).count == tensors.count + 1, "names must differ")
    dataBytes = tensors.reduce(0) { $0 + $1.byteCount }
    stream = try AtomicFile.Stream(path: path)
    try stream.write(
      SafetensorsFile.header(tensors.map { ($0.name, $0.type, $0.shape, $0.byteCount) }, metadata: metadata))
  }

  /// The next bytes of the tensors, in their order.
  /// - Throws: `AtomicFile.Failure`.
  public func write(_ bytes: UnsafeRawBufferPointer) throws {
    precondition(written + bytes.count <= dataBytes, "more bytes than the tensors have")
    try stream.write(bytes)
    written += bytes.count
  }

  /// Completes the file.
  /// - Precondition: every tensor has been written.
  /// - Throws: `AtomicFile.Failure`.
  public func finish() throws {
    precondition(written == dataBytes, "\(dataBytes - written) bytes are still to come")
    try stream.finish()
  }
}
