/// What is wrong with a safetensors file.
public struct SafetensorsError: Error, Equatable, CustomStringConvertible {
  public enum Problem: Equatable, Sendable {
    case cannotOpen
    /// The file ends before the eight bytes that give the length of the header.
    case tooShort(bytes: Int)
    /// The header would be longer than the file, or than `SafetensorsFile.headerLimit`.
    case headerTooLong(length: UInt64, available: Int)
    /// The header is not the JSON it should be, from this byte of the file on.
    case malformedHeader(offset: Int, why: String)
    case duplicateKey(String)
    case unknownType(tensor: String, type: String)
    case shapeTooLarge(tensor: String)
    case wrongByteCount(tensor: String, needed: Int, given: Int)
    case outOfRange(tensor: String, end: Int, dataBytes: Int)
    case overlap(tensor: String, with: String)
    /// Bytes of the data that no tensor owns.
    case hole(start: Int, end: Int)
    /// The file became shorter after it was opened.
    case readFailed(tensor: String)
    case noTensor(named: String)
  }

  public let file: String
  public let problem: Problem

  public init(file: String, problem: Problem) {
    self.file = file
    self.problem = problem
  }

  public var description: String {
    let what =
      switch problem {
      case .cannotOpen: "cannot be opened"
      case .tooShort(let bytes): "has \(bytes) bytes; a safetensors file has at least 8"
      case .headerTooLong(let length, let available):
        "claims a header of \(length) bytes where \(available) are possible; is this a safetensors file?"
      case .malformedHeader(let offset, let why): "header, byte \(offset): \(why)"
      case .duplicateKey(let key): "header: \"\(key)\" is there twice"
      case .unknownType(let tensor, let type):
        "tensor \(tensor) has elements of type \(type); known are "
          + ElementType.allCases.map(\.rawValue).joined(separator: " ")
      case .shapeTooLarge(let tensor): "tensor \(tensor) has a shape beyond what memory can address"
      case .wrongByteCount(let tensor, let needed, let given):
        "tensor \(tensor) needs \(needed) bytes for its shape and type, but its offsets span \(given)"
      case .outOfRange(let tensor, let end, let dataBytes):
        "tensor \(tensor) ends at byte \(end) of \(dataBytes) bytes of data; is the file truncated?"
      case .overlap(let tensor, let other): "tensors \(other) and \(tensor) share bytes"
      case .hole(let start, let end): "bytes \(start)..<\(end) of the data belong to no tensor"
      case .readFailed(let tensor): "tensor \(tensor) could not be read; was the file changed meanwhile?"
      case .noTensor(let name): "holds no tensor named \(name)"
      }
    return "\(file): error: \(what)"
  }
}
