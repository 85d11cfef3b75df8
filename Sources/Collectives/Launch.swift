import Foundation

/// How this process was started: alone, or as one of several by mpirun or srun.
public enum Launch {
  /// How many processes the launcher says it started; 1 without one.
  public static func processes(
    _ environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> Int {
    // Open MPI; MPICH, Intel MPI and what speaks PMI; srun (SLURM_NTASKS is set in a batch script's own shell too).
    for name in ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"] {
      if let count = environment[name].flatMap(Int.init), count > 1 { return count }
    }
    return 1
  }

  /// Worker threads for a process, which shares the machine with others of its run: the processors it may use where the
  /// launcher bound it to some, else an equal part of all. `nil` where it is alone.
  public static func threads(
    _ environment: [String: String] = ProcessInfo.processInfo.environment,
    processors: Int = ProcessInfo.processInfo.processorCount,
    usable: Int = ProcessInfo.processInfo.activeProcessorCount
  ) -> Int? {
    let names = ["OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS"]
    guard let local = names.lazy.compactMap({ environment[$0].flatMap(Int.init) }).first, local > 1 else {
      return nil
    }
    return max(1, min(usable, processors / local))
  }

  /// Joins the other processes of the run, if there are any.
  ///
  /// - Returns: `SingleProcess` without a launcher.
  /// - Throws: `CollectiveError.launch` where there are others, but this build cannot speak with them.
  public static func join() throws -> any Communicator {
    let count = processes()
    guard count > 1 else { return SingleProcess() }
    if ProcessInfo.processInfo.environment["LOOPED_THREADS"] == nil, let threads = threads() {
      setenv("LOOPED_THREADS", "\(threads)", 1)
    }
    #if MPI
      let joined = try MPICommunicator()
      guard joined.size == count else {
        throw CollectiveError.launch(
          "the launcher started \(count) processes, of which this one sees \(joined.size)",
          hint: "start them with Open MPI's mpirun, or with srun --mpi=pmix")
      }
      return joined
    #else
      throw CollectiveError.launch(
        "started as one of \(count) processes, but built without MPI: each would do the whole work",
        hint: "LOOPED_MPI=1 ./looped builds with it, as does swift build --traits MPI")
    #endif
  }

  /// The last call of a rank that is done, by all.
  public static func leave(_ communicator: any Communicator) {
    #if MPI
      (communicator as? MPICommunicator)?.finish()
    #endif
  }
}
