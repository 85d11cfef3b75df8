/// Compiles the FLEQ language: numbers, vectors and matrices, functions, if, while, repeat, and loops over data.
///
///     var X = 0.05 * A'          # Newton's iteration for the inverse of A
///     repeat 10 {
///       X = X * (2 * identity(3) - A * X)
///     }
///
/// Everything a program computes, the network computes: each operator and function is one instruction, or calls of a
/// standard function (Sources/Machine/Programs/standard.fleq), which is itself written in the language.
/// See Documentation/FleqLanguage.md.
public enum FleqCompiler {
  /// What the compiler refuses, so that no input makes it slow or large.
  public struct Limits: Sendable {
    public var sourceBytes = 1 << 20
    public var nameBytes = 64
    /// Levels of brackets, blocks and operators within one another.
    public var nesting = 64
    public var instructions = 8192
    public var cells = 8192
    public init() {}
  }

  /// The most rows or columns of a matrix: the largest block of a FLEQ network.
  public static let largestBlock = 16

  /// - Complexity: O(source + instructions).
  /// - Throws: `SourceError`.
  public static func compile(
    _ text: [UInt8], file: String, limits: Limits = Limits()
  ) throws -> FleqProgram {
    guard text.count <= limits.sourceBytes else {
      throw SourceError(
        file: file, source: Array(text.prefix(256)), offset: 0,
        message: "the source has more than \(limits.sourceBytes) bytes")
    }
    let source = FleqSource(file: file, bytes: text)
    let elaboration = try FleqElaborator.elaborate(
      try FleqParser.parse(source, limits: limits), source: source, standard: standard.get(), limits: limits)
    return try FleqGenerator.generate(elaboration, source: source, limits: limits)
  }

  public static func compile(
    _ text: String, file: String, limits: Limits = Limits()
  ) throws -> FleqProgram {
    try compile(Array(text.utf8), file: file, limits: limits)
  }

  private static let standard = Result {
    try FleqParser.parse(
      FleqSource(file: "standard.fleq", bytes: PackageResources.standard_fleq, isStandard: true),
      limits: Limits())
  }
}
