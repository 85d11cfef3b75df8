import ArgumentParser
import Collectives
import Foundation

/// A command that several processes run together, where mpirun or srun started it.
enum Ranks {
  /// Runs the command's work alone, or as one of several ranks: an error on one then ends all of them.
  ///
  /// mpirun passes Ctrl-C on as SIGTERM (and kills after a second, see Documentation/DistributedTraining.md); SIGUSR1 is
  /// what batch systems send before a job's time is over. Both ask for a stop, as Ctrl-C does.
  static func run(_ body: (any Communicator) throws -> Void) throws {
    let communicator = try Launch.join()
    guard communicator.size > 1 else { return try body(communicator) }
    Interrupt.install(for: [SIGINT, SIGTERM, SIGUSR1])
    do { try body(communicator) } catch let code as ExitCode {
      // All ranks have agreed to stop.
      Launch.leave(communicator)
      throw code
    } catch {
      // What every rank finds wrong, the first says for all, and ends the others while they wait.
      signal(SIGTERM, SIG_DFL)
      if !communicator.isFirst, !(error is CollectiveError) { Thread.sleep(forTimeInterval: 3) }
      FileHandle.standardError.write(Data((communicator.isFirst ? "" : "rank \(communicator.rank): ").utf8))
      (error as? any ReportedError ?? CommandError("\(error)")).report()
      communicator.abort("\(error)")
      throw error
    }
    Launch.leave(communicator)
  }
}

extension CollectiveError: ReportedError {}
