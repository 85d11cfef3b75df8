import Foundation

/// A value as JSON with sorted keys, for `--json`. Numbers that JSON does not have are the words "inf", "-inf" and "nan".
func jsonText(
  _ value: some Encodable, _ formatting: JSONEncoder.OutputFormatting = [.sortedKeys]
) throws -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = formatting
  encoder.nonConformingFloatEncodingStrategy = .convertToString(
    positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
  return String(decoding: try encoder.encode(value), as: UTF8.self)
}
