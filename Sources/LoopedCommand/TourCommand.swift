import ArgumentParser
import Construction
import Foundation
import Machine

struct TourCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tour", abstract: "Run every family on real input and check the results.")

  /// 6 × 7 by repeated subtraction of −6, then prints the product as a character ('*' is 42).
  private static let product = [
    24, 22, 3, 23, 21, 9, 25, 25, 0, 22, -1, 12, 25, 25, -1, 0, 0, 0, 0, 0, 0, 7, 0, 1, -6, 0,
  ]

  func run() throws {
    let image = MemoryImage(words: Self.product)
    let network = try UnifiedSubleqNetwork(cells: image.words.count)
    let digest = network.network.digest
    var machine = try SubleqMachine(
      network, image: image, body: ExactExecutor<Float>(network.network))
    var interpreter = try SubleqInterpreter(image, cells: image.words.count, dialect: network.dialect)
    var output: [UInt8] = []
    let (instructions, end) = try machine.run(
      limit: 1000, write: { output.append($0) },
      observe: { machine, _ in
        _ = try interpreter.step()
        guard machine.memory == interpreter.memory else { throw PrecisionLoss(what: "the memory") }
      })
    guard network.network.digest == digest else { throw ExitCode.failure }
    print(
      "SUBLEQ 6 x 7: \(instructions) loops of \(network.network.layers.count) layers, width \(network.network.width), "
        + "\(network.network.parameterCount) weights; every state equal to the interpreter; \(end.rawValue); "
        + "printed \(String(decoding: output, as: UTF8.self)) = \(output.first ?? 0)")
  }
}
