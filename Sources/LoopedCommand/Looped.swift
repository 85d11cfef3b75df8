import ArgumentParser
@_exported import CommandSupport
import Construction
import Foundation
import GraphAlgorithms
import LanguageModel
import Machine
import Tensors

struct Looped: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "looped",
    abstract: "Looped transformers: one block of layers, applied again and again.",
    discussion: """
        looped tour                            every family on real input, checked
        looped run primes --trace              a program: one loop, one instruction
        looped graph dijkstra Examples/town.gr --source 1 --picture town.html
        looped icl train Recipes/linear-looped-tiny.yaml --output runs/tiny
        looped generate -p "And the LORD said" --exit-threshold 0.5
        looped inspect -p "In the beginning"   what every loop would say
        looped export primes --to primes.onnx  the network, for other tools
        looped serve                           OpenAI's interface, and a page
      """, version: loopedVersion,
    groupedSubcommands: [
      CommandGroup(
        name: "Constructed Networks",
        subcommands: [
          RunCommand.self, AsmCommand.self, GraphCommand.self, ExportCommand.self, PrecisionCommand.self,
        ]),
      CommandGroup(name: "Learning In Context", subcommands: [InContextCommand.self]),
      CommandGroup(
        name: "Language Models",
        subcommands: [
          GenerateCommand.self, ChatCommand.self, InspectCommand.self, PerplexityCommand.self,
          BenchCommand.self, ServeCommand.self, PretrainCommand.self, ModelsCommand.self, PullCommand.self,
          ConvertCommand.self, QuantizeCommand.self, TokenizeCommand.self, TemplateCommand.self,
        ]),
      CommandGroup(
        name: "All Families", subcommands: [TourCommand.self, ViewCommand.self, DoctorCommand.self]),
    ])
}

@main
enum Main {
  static func main() {
    do {
      var command = try Looped.parseAsRoot()
      try command.run()
    } catch let error as any ReportedError {
      error.report()
      exit(1)
    } catch {
      Looped.exit(withError: error)
    }
  }
}

extension SourceError: ReportedError {}
extension MachineFault: ReportedError {}
extension FleqFault: ReportedError {}
extension PrecisionLoss: ReportedError {}
extension ExportError: ReportedError {}
extension NumpyArchive.Failure: ReportedError {}
extension AtomicFile.Failure: ReportedError {}
extension GraphFault: ReportedError {}
extension GzipError: ReportedError {}
extension CompactLimitError: ReportedError {}
extension PaperGraphError: ReportedError {}
extension GraphSubleqError: ReportedError {}
