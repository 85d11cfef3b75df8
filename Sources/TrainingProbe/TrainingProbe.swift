import ArgumentParser

/// Not for users: measures the training step, and writes what it computes for other tools to judge.
@main struct TrainingProbe: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "training-probe", abstract: "Measure the training engine, or dump what it computes.",
    subcommands: [StepBenchmark.self, GradientDump.self, DecoderDump.self, DecoderBenchmark.self])
}
