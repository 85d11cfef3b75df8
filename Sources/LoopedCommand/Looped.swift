import ArgumentParser

@main
struct Looped: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "looped",
    abstract: "Looped transformers: one block of layers, applied again and again.",
    subcommands: [TourCommand.self, DoctorCommand.self])
}
