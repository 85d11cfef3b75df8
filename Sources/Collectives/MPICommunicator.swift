#if MPI
  import CMPI
  import Foundation

  /// The processes that mpirun or srun started.
  ///
  /// One per process: MPI is begun once, and ended by `finish`. While a rank waits it yields the processor, and sleeps
  /// after a while: the time is the backward pass's.
  public final class MPICommunicator: Communicator {
    public let rank: Int
    public let size: Int

    /// - Throws: `CollectiveError`.
    public init() throws {
      var (rank, size) = (Int32(0), Int32(1))
      let code = looped_mpi_begin(&rank, &size)
      (self.rank, self.size) = (Int(rank), Int(size))
      try check(code, "MPI_Init_thread")
    }

    private func check(_ code: Int32, _ operation: String) throws {
      guard code != 0 else { return }
      var text = [CChar](repeating: 0, count: 1024)
      looped_mpi_message(code, &text, Int32(text.count))
      let message = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      throw CollectiveError.transport(rank: rank, operation: operation, message: message)
    }

    public func exchange(
      _ sent: UnsafeBufferPointer<Float>, to receiver: Int, _ received: UnsafeMutableBufferPointer<Float>,
      from sender: Int
    ) throws {
      try check(
        looped_mpi_exchange(
          sent.baseAddress, Int32(sent.count), Int32(receiver), received.baseAddress, Int32(received.count),
          Int32(sender)), "exchange")
    }

    public func sum(_ values: UnsafeMutableBufferPointer<Double>) throws {
      try check(looped_mpi_sum(values.baseAddress, Int32(values.count)), "MPI_Iallreduce")
    }

    public func broadcast(_ bytes: UnsafeMutableRawBufferPointer, from root: Int) throws {
      // Counts are 32 bits wide.
      for start in stride(from: 0, to: bytes.count, by: 1 << 26) {
        let part = bytes[start..<min(start + 1 << 26, bytes.count)]
        let pointer = bytes.baseAddress! + part.startIndex
        try check(looped_mpi_broadcast(pointer, Int32(part.count), Int32(root)), "MPI_Ibcast")
      }
    }

    public func barrier() throws { try check(looped_mpi_barrier(), "MPI_Ibarrier") }

    /// Ends all processes of the run.
    public func abort(_ message: String) { looped_mpi_abort() }

    /// The last call, by all ranks.
    public func finish() { looped_mpi_end() }
  }
#endif
