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
    abstract: "Looped transformers: one block of layers, applied again and again.", version: "0.1.0",
    subcommands: [
      TourCommand.self, RunCommand.self, AsmCommand.self, GraphCommand.self, ExportCommand.self,
      InContextCommand.self, GenerateCommand.self, ChatCommand.self, InspectCommand.self,
      PerplexityCommand.self,
      BenchCommand.self, ViewCommand.self, ModelsCommand.self, ConvertCommand.self, QuantizeCommand.self,
      TokenizeCommand.self, TemplateCommand.self, ServeCommand.self, PullCommand.self, PretrainCommand.self,
      PrecisionCommand.self,
      DoctorCommand.self,
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
