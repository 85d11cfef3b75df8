import ArgumentParser
import CommandSupport
import Foundation
import Tensors

struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "Show what machine this is, what was chosen for it, and how fast it is.",
    discussion: """
      Products and memory are measured, in about a second: they are the ceilings of training and of decoding. \
      The variables in brackets choose otherwise, for one command or for a whole test run:

        looped doctor
        LOOPED_KERNELS=avx2 ONEDNN_MAX_CPU_ISA=AVX2 looped doctor
        LOOPED_KERNELS=scalar ONEDNN_MAX_CPU_ISA=SSE41 ./test
      """)

  @Flag(help: "One JSON object.") var json = false

  func run() throws {
    let report = DoctorReport()
    guard json else {
      print(report.text)
      return
    }
    print(try jsonText(report, [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]))
  }
}
