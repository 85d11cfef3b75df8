import CommandSupport
import Foundation
import GraphAlgorithms
import Tensors

/// What `looped doctor` finds: the machine, what was chosen for it, how fast that is, and what is wrong.
struct DoctorReport: Encodable {
  struct Products: Encodable {
    /// Of this project's kernels.
    var kernelsGFLOPs: Double
    /// Of the system's library.
    var libraryGFLOPs: Double
    /// m, n and k, in f32.
    var extent = 1024
  }

  var version = loopedVersion
  var system = ProcessInfo.processInfo.operatingSystemVersionString
  var processor = Processor.name
  var features = Processor.features
  var cores = ProcessInfo.processInfo.activeProcessorCount
  var threads = WorkerPool.shared.threads
  var memoryBytes = ProcessInfo.processInfo.physicalMemory
  var memoryGBPerSecond = 0.0
  var kernels = "\(KernelLevel.current)"
  var availableKernels = KernelLevel.allCases.filter(\.isAvailable).map(\.description)
  var products: Products
  var libraries = [FastestMultiplier.shared.name, "zlib \(Gzip.libraryVersion)"]
  /// Where the shipped model is.
  var model = try? ShippedModel.find()
  var server = ServeCommand.program
  var warnings: [String] = []

  init() {
    let memory = MemoryRate()
    memoryGBPerSecond = (0..<6).map { _ in memory.measure() }.max() ?? 0
    products = Products(
      kernelsGFLOPs: ProductRate.measure(1024, 1024, 1024, with: nil),
      libraryGFLOPs: ProductRate.measure(1024, 1024, 1024))
    warn(ProcessInfo.processInfo.environment)
  }

  private mutating func warn(_ environment: [String: String]) {
    if let wish = environment["LOOPED_KERNELS"], wish != kernels {
      warnings.append(
        "LOOPED_KERNELS=\(wish) is not among \(availableKernels.joined(separator: ", ")), so \(kernels) is used"
      )
    }
    if let wish = environment["LOOPED_THREADS"], Int(wish) != threads {
      warnings.append("LOOPED_THREADS=\(wish) is not followed: \(threads) threads are used")
    }
    let best = max(products.kernelsGFLOPs, products.libraryGFLOPs)
    if KernelLevel.current != .scalar, best / Double(threads) < ProductRate.suspicious {
      warnings.append("products are slow for this processor: is it busy?")
    } else if KernelLevel.current != .scalar, products.libraryGFLOPs < products.kernelsGFLOPs / 4 {
      warnings.append("\(libraries[0]) runs code that was made for another processor")
    }
  }

  var text: String {
    let rates = [
      "\(Int(products.kernelsGFLOPs.rounded())) GFLOP/s by the kernels",
      "\(Int(products.libraryGFLOPs.rounded())) by \(libraries[0])",
      "f32, \(products.extent) × \(products.extent) × \(products.extent)",
    ]
    let rows = [
      ("looped", version), ("system", system),
      ("processor", ([processor ?? "unknown"] + features).joined(separator: ", ")),
      ("cores", "\(cores), \(threads) threads (LOOPED_THREADS=N)"),
      ("memory", "\(memoryBytes >> 20) MiB, read at \(Int(memoryGBPerSecond.rounded())) GB/s"),
      ("kernels", "\(kernels) of \(availableKernels.joined(separator: ", ")) (LOOPED_KERNELS=NAME)"),
      ("products", rates.joined(separator: ", ")),
      ("libraries", libraries.joined(separator: ", ")),
      ("model", model ?? "the shipped one is not beside this program"),
      ("server", server ?? "not built: ./looped serve"),
    ]
    let lines = rows.map { $0.0.padding(toLength: 11, withPad: " ", startingAt: 0) + $0.1 }
    return (lines + warnings.map { "warning: \($0)" }).joined(separator: "\n")
  }
}

/// What the system says of the processor; little outside Linux.
enum Processor {
  private static let information = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""

  private static func line(_ name: String) -> Substring? {
    information.split(separator: "\n").first { $0.hasPrefix(name) }
  }

  static var name: String? {
    line("model name")?.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) }
  }

  /// The extensions that kernels or libraries use.
  static var features: [String] {
    let words = Set((line("flags") ?? line("Features") ?? "").split(separator: " "))
    return [
      ("AVX2", "avx2"), ("FMA", "fma"), ("AVX-512", "avx512f"), ("VNNI", "avx512_vnni"),
      ("BF16", "avx512_bf16"), ("AMX", "amx_tile"), ("NEON", "asimd"),
    ]
    .filter { words.contains(Substring($0.1)) }.map(\.0)
  }
}
