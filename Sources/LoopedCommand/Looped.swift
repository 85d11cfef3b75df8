import ArgumentParser

@main
struct Looped: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "looped", abstract: "Looped transformers.")
}
