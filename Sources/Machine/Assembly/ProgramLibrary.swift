/// Programs that come with the command, and what they must print.
public struct LibraryProgram: Sendable {
  public let name: String
  public let description: String
  public let source: [UInt8]
  /// Memory it needs; at least its own words.
  public let cells: Int?
  public let sampleInput: String
  public let expectedOutput: String

  /// - Throws: `SourceError`.
  public func assemble() throws -> MemoryImage {
    try SubleqAssembler.assemble(source, file: "\(name).asq")
  }
}

/// The assembly programs in Sources/Machine/Programs, built into the binary.
public enum ProgramLibrary {
  public static subscript(name: String) -> LibraryProgram? { all.first { $0.name == name } }

  public static let all: [LibraryProgram] = [
    program("hello", "writes a text", PackageResources.hello_asq, "Hello, world!\n"),
    program("echo", "writes what it reads", PackageResources.echo_asq, "looped\n", input: "looped\n"),
    program("multiply", "123 × 45", PackageResources.multiply_asq, "5535\n"),
    program("divide", "1234 ÷ 56, quotient and remainder", PackageResources.divide_asq, "22 2\n"),
    program("factorial", "7!", PackageResources.factorial_asq, "5040\n"),
    program("gcd", "greatest common divisor of 252 and 105", PackageResources.gcd_asq, "21\n"),
    program(
      "fibonacci", "Fibonacci numbers", PackageResources.fibonacci_asq,
      "0 1 1 2 3 5 8 13 21 34 55 89 144 233 377 610 987 1597 2584 4181 6765 10946 17711 \n"),
    program(
      "primes", "primes below 50", PackageResources.primes_asq, "2 3 5 7 11 13 17 19 23 29 31 37 41 43 47 \n"),
    program("collatz", "steps from 9 to 1", PackageResources.collatz_asq, "19\n"),
    program(
      "bubble-sort", "sorts eight numbers", PackageResources.bubble_sort_asq, "0 3 7 7 13 42 512 1999 \n"),
    program("linear-search", "where 512 is in a list", PackageResources.linear_search_asq, "6\n"),
    program(
      "list-reversal", "reverses a list in place", PackageResources.list_reversal_asq, "21 13 8 5 3 2 1 1 \n"),
    program(
      "calculator", "reads and computes 12*7", PackageResources.calculator_asq, "84\n", input: "12*7\n"),
    program(
      "self-copy", "copies itself and compares", PackageResources.self_copy_asq, "184\n", cells: 512),
  ]

  private static func program(
    _ name: String, _ description: String, _ source: [UInt8], _ output: String, input: String = "",
    cells: Int? = nil
  ) -> LibraryProgram {
    LibraryProgram(
      name: name, description: description, source: source, cells: cells, sampleInput: input,
      expectedOutput: output)
  }
}
