import ArgumentParser
import CKernels
import Foundation
import Gradients
import Layers
import Tensors

/// Times the training step of the looped model: forward, backward, Adam.
struct StepBenchmark: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Time the looped training step, and the products it is bound by.")

  @Option(help: "paper: D 256, 82 tokens, 20 loops, 15 taped. scaled: D 64, 22 tokens, 15 loops, 10 taped.")
  var setting: Setting = .paper
  @Option(help: "Steps that are timed, after two that are not.") var steps = 5
  @Option(help: "Loops with gradient, instead of the setting's.") var window: Int?
  @Flag(help: "Compute the loops of the window again in the backward pass.") var checkpoints = false
  @Flag(help: "One JSON object.") var json = false

  enum Setting: String, ExpressibleByArgument, CaseIterable {
    case paper, scaled

    /// width, heads, coordinates, points, loops, window
    var sizes: (Int, Int, Int, Int, Int, Int) {
      self == .paper ? (256, 8, 20, 41, 20, 15) : (64, 4, 5, 11, 15, 10)
    }
  }

  func run() throws {
    let (width, heads, inputs, points, loops, taped) = setting.sizes
    let (batch, tokens) = (64, 2 * points)
    let window = LoopWindow(loops: loops, window: self.window ?? taped, checkpoints: checkpoints)
    var random = RandomStream(seed: 1)
    let model = LoopedGPT2(inputs: inputs, tokens: tokens, width: width, heads: heads, random: &random)
    let trainer = Trainer(model.parameters, rate: LearningRate(peak: 1e-4))
    let prompts = random.normal([batch, tokens, inputs])
    let targets = random.normal([batch, points, 1])
    func step() throws {
      _ = try trainer.train { _ in model.loss(prompts, targets: targets, window: window) }
    }
    for _ in 0..<2 { try step() }
    TensorMemory.shared.resetPeak()
    let allocations = TensorMemory.shared.use.systemAllocations
    let processorTime = Self.processorSeconds()
    let times = try (0..<steps).map { _ in try seconds(step) }.sorted()
    let processorSeconds = (Self.processorSeconds() - processorTime) / Double(steps)
    let allocated = TensorMemory.shared.use.systemAllocations - allocations

    // Per pass: 24 D² + the causal half of 4 D T, per token (specification, section 7); backward is twice that.
    let rows = batch * tokens
    let pass = Double(rows) * (24 * Double(width * width) + 2 * Double(width * tokens))
    let recomputed = checkpoints ? window.taped.count : 0
    let work = pass * Double(loops + recomputed + 2 * window.taped.count)
    let median = times[times.count / 2]
    let rate = work / median / 1e9
    // The faster of the library's product and our own.
    let peak = max(
      ProductRate.measure(2048, 2048, 2048), ProductRate.measure(2048, 2048, 2048, with: nil))
    let shapes = [
      ProductRate.measure(rows, 3 * width, width), ProductRate.measure(rows, width, width),
      ProductRate.measure(rows, 4 * width, width), ProductRate.measure(rows, width, 4 * width),
    ]
    let results: [(String, Double)] = [
      ("milliseconds", median * 1000), ("fastest_milliseconds", times[0] * 1000), ("gflop", work / 1e9),
      ("gflops", rate), ("processor_milliseconds", processorSeconds * 1000),
      ("gflop_per_processor_second", work / processorSeconds / 1e9),
      ("product_gflop_per_processor_second", Self.productRatePerProcessorSecond()), ("product_gflops", peak),
      ("fraction_of_product", rate / peak),
      ("product_of_qkv_gflops", shapes[0]), ("product_of_output_gflops", shapes[1]),
      ("product_of_expand_gflops", shapes[2]), ("product_of_contract_gflops", shapes[3]),
      ("tensor_peak_mib", Double(TensorMemory.shared.use.peakBytes) / 1_048_576),
      ("system_allocations", Double(allocated)), ("threads", Double(WorkerPool.shared.threads)),
    ]
    if json {
      let members = results.map { "\"\($0.0)\": \($0.1)" }
      print(
        "{\"setting\": \"\(setting.rawValue)\", \"kernels\": \"\(KernelLevel.current)\", ", terminator: "")
      print("\(members.joined(separator: ", "))}")
    } else {
      print(
        "\(setting.rawValue): width \(width), \(tokens) tokens, batch \(batch), \(loops) loops, ",
        terminator: "")
      print("\(window.taped.count) taped, kernels \(KernelLevel.current), \(FastestMultiplier.shared.name)")
      for (name, value) in results {
        print("  \(name.padding(toLength: 28, withPad: " ", startingAt: 0)) \(String(format: "%.2f", value))")
      }
    }
  }

  private func seconds(_ body: () throws -> Void) rethrows -> Double {
    let clock = ContinuousClock()
    return try clock.measure(body) / .seconds(1)
  }

  /// What all threads together have spent computing: says what a step costs where other processes use the machine.
  static func processorSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  static func productRatePerProcessorSecond() -> Double {
    let before = processorSeconds()
    _ = ProductRate.measure(1024, 1024, 1024, repeats: 15)
    return 15 * 2 * 1.073741824 / (processorSeconds() - before)
  }
}
