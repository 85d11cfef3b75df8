/// A program in the FLEQ language that comes with the command.
public struct FleqLibraryProgram: Sendable {
  public let name: String
  public let description: String
  public let source: [UInt8]

  /// - Throws: `SourceError`.
  public func compile() throws -> FleqProgram { try FleqCompiler.compile(source, file: "\(name).fleq") }
}

/// The FLEQ programs in Sources/Machine/Programs, built into the binary.
public enum FleqLibrary {
  public static subscript(name: String) -> FleqLibraryProgram? { all.first { $0.name == name } }

  public static let all: [FleqLibraryProgram] = [
    .init(
      name: "pocket-calculator", description: "+ − × ÷ % √ exp log sin",
      source: PackageResources.pocket_calculator_fleq),
    .init(
      name: "matrix-product", description: "matrices and vectors multiplied",
      source: PackageResources.matrix_product_fleq),
    .init(name: "transpose", description: "a matrix transposed", source: PackageResources.transpose_fleq),
    .init(
      name: "matrix-inverse", description: "the inverse of a matrix, by Newton's iteration",
      source: PackageResources.matrix_inverse_fleq),
    .init(
      name: "power-iteration", description: "the largest eigenvalue and its eigenvector",
      source: PackageResources.power_iteration_fleq),
    .init(
      name: "linear-regression", description: "a line through points, by stochastic gradient descent",
      source: PackageResources.linear_regression_fleq),
    .init(
      name: "backpropagation", description: "a two-layer network learns exclusive or",
      source: PackageResources.backpropagation_fleq),
  ]
}
