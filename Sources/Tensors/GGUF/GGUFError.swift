/// What is wrong with a GGUF file, and at which of its bytes.
public struct GGUFError: Error, Equatable, CustomStringConvertible {
  public enum Problem: Equatable, Sendable {
    case cannotOpen(reason: String)
    case notGGUF
    case bigEndian
    case version(UInt32)
    /// The file ends within what stands there.
    case truncated(what: String)
    /// More elements are claimed than the rest of the file can hold.
    case tooMany(what: String, claimed: UInt64, possible: Int)
    case invalidText(what: String)
    case unknownValueType(key: String, type: UInt32)
    case invalidBool(key: String, value: UInt8)
    case nestedTooDeep(key: String)
    case duplicateKey(String)
    case duplicateTensor(String)
    case alignment(String)
    case rank(tensor: String, dimensions: UInt32)
    case unknownTensorType(tensor: String, type: String)
    case shapeTooLarge(tensor: String)
    case partialBlock(tensor: String, columns: Int, blockSize: Int)
    case misaligned(tensor: String, offset: UInt64, alignment: Int)
    case outOfRange(tensor: String, end: UInt64, dataBytes: Int)
    case overlap(tensor: String, with: String)
    case noTensor(named: String)
  }

  public let file: String
  /// Where in the file, counted from 0; `nil` if the problem has no place.
  public let offset: Int?
  public let problem: Problem

  public init(file: String, offset: Int?, problem: Problem) {
    self.file = file
    self.offset = offset
    self.problem = problem
  }

  public var description: String {
    let place = offset.map { "byte \($0): " } ?? ""
    return "\(file): error: \(place)\(what)" + (hint.map { "\nhint: \($0)" } ?? "")
  }

  private var what: String {
    switch problem {
    case .cannotOpen(let reason): "cannot be opened: \(reason)"
    case .notGGUF: "this is no GGUF file: it does not begin with \"GGUF\""
    case .bigEndian: "the file was written for big-endian machines"
    case .version(let version): "GGUF version \(version); versions 2 and 3 are read"
    case .truncated(let what): "the file ends within \(what)"
    case .tooMany(let what, let claimed, let possible):
      "\(claimed) \(what) are claimed where the file has room for \(possible)"
    case .invalidText(let what): "\(what) is not valid UTF-8"
    case .unknownValueType(let key, let type): "the value of \(key) has an unknown type, \(type)"
    case .invalidBool(let key, let value): "the value of \(key) is \(value), neither false (0) nor true (1)"
    case .nestedTooDeep(let key):
      "the value of \(key) has arrays in arrays deeper than \(GGUFFile.deepestArray)"
    case .duplicateKey(let key): "the key \(key) is there twice"
    case .duplicateTensor(let name): "tensor \(name) is there twice"
    case .alignment(let value): "general.alignment is \(value), not a power of two from 1 to 65536"
    case .rank(let tensor, let dimensions):
      "tensor \(tensor) has \(dimensions) dimensions; at most 4 are allowed"
    case .unknownTensorType(let tensor, let type):
      "tensor \(tensor) has elements of type \(type); known are "
        + GGUFTensorType.allCases.map(\.name).joined(separator: " ")
    case .shapeTooLarge(let tensor): "tensor \(tensor) has a shape beyond what memory can address"
    case .partialBlock(let tensor, let columns, let blockSize):
      "tensor \(tensor) has rows of \(columns) elements, which are not whole blocks of \(blockSize)"
    case .misaligned(let tensor, let offset, let alignment):
      "tensor \(tensor) starts at \(offset) of the data, not at a multiple of \(alignment)"
    case .outOfRange(let tensor, let end, let dataBytes):
      "tensor \(tensor) ends at byte \(end) of \(dataBytes) bytes of data"
    case .overlap(let tensor, let other): "tensors \(other) and \(tensor) share bytes"
    case .noTensor(let name): "holds no tensor named \(name)"
    }
  }

  private var hint: String? {
    switch problem {
    case .truncated, .tooMany, .outOfRange: "is the file complete? compare its size with the source's"
    case .notGGUF: "a safetensors checkpoint is given by its folder"
    case .bigEndian, .version: "convert the model anew with a current tool"
    case .unknownTensorType: "quantise the original model to one of the known types"
    default: nil
    }
  }
}
