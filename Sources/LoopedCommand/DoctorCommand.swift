import ArgumentParser
import Foundation
import Tensors

struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "Show what machine this is and what was chosen for it.")

  func run() throws {
    let process = ProcessInfo.processInfo
    print("looped      \(Looped.configuration.version)")
    print("system      \(process.operatingSystemVersionString)")
    print("processor   \(Self.processorName ?? "unknown")")
    print("cores       \(process.activeProcessorCount)")
    print("memory      \(process.physicalMemory >> 20) MiB")
    for (feature, present) in Self.features {
      print("\(feature.padding(toLength: 12, withPad: " ", startingAt: 0))\(present ? "yes" : "no")")
    }
    let (rate, threads) = (ProductRate.measure(1024, 1024, 1024), WorkerPool.shared.threads)
    print("kernels     \(KernelLevel.current), \(threads) threads")
    print(
      "products    \(Int(rate.rounded())) GFLOP/s (\(FastestMultiplier.shared.name), f32, 1024 × 1024 × 1024)"
    )
    if KernelLevel.avx2.isAvailable, rate / Double(threads) < ProductRate.suspicious {
      print(
        "warning: products are slow for this processor; is it busy, or is \(FastestMultiplier.shared.name) an old one?"
      )
    }
  }

  private static var processorInformation: String {
    (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
  }

  private static var processorName: String? {
    processorInformation.split(separator: "\n").first { $0.hasPrefix("model name") }
      .flatMap { $0.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) } }
  }

  private static var features: [(String, Bool)] {
    let flags = processorInformation.split(separator: "\n").first { $0.hasPrefix("flags") } ?? ""
    let words = Set(flags.split(separator: " "))
    return [
      ("AVX2", "avx2"), ("FMA", "fma"), ("AVX-512", "avx512f"), ("VNNI", "avx512_vnni"),
      ("BF16", "avx512_bf16"),
    ]
    .map { ($0.0, words.contains(Substring($0.1))) }
  }
}
