extension SafetensorsFile {
  /// The parts of a file, in order: its header, then each tensor. The header is padded with blanks, so that data
  /// starts at a multiple of eight; wider elements come first, so that every tensor is aligned to its elements.
  ///
  /// - Precondition: no two tensors of one name, and none named `__metadata__`.
  public static func parts(_ tensors: [StoredTensor], metadata: [String: String] = [:]) -> [[UInt8]] {
    precondition(
      Set(tensors.map(\.name) + ["__metadata__"]).count == tensors.count + 1, "names must differ")
    let order = tensors.indices.sorted { (-tensors[$0].type.size, $0) < (-tensors[$1].type.size, $1) }
    let header = header(
      order.map { (tensors[$0].name, tensors[$0].type, tensors[$0].shape, tensors[$0].bytes.count) },
      metadata: metadata)
    return [header] + order.map { tensors[$0].bytes }
  }

  /// The header's length and the header, for tensors in the order of their bytes.
  static func header(
    _ tensors: [(name: String, type: ElementType, shape: [Int], byteCount: Int)], metadata: [String: String]
  ) -> [UInt8] {
    var members: [String] = []
    if !metadata.isEmpty {
      let pairs = metadata.sorted { $0.key < $1.key }.map { "\(quoted($0.key)):\(quoted($0.value))" }
      members.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
    }
    var offset = 0
    for tensor in tensors {
      let end = offset + tensor.byteCount
      let shape = tensor.shape.map(String.init).joined(separator: ",")
      members.append(
        "\(quoted(tensor.name)):{\"dtype\":\"\(tensor.type.rawValue)\",\"shape\":[\(shape)],"
          + "\"data_offsets\":[\(offset),\(end)]}")
      offset = end
    }
    var header = Array("{\(members.joined(separator: ","))}".utf8)
    header += Array(repeating: UInt8(ascii: " "), count: (8 - header.count % 8) % 8)
    return (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) } + header
  }

  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case _ where scalar.value < 32:
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
