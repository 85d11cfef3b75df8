import Foundation

/// What this process takes of the machine's memory.
public enum ProcessMemory {
  /// The most bytes that it has held in memory so far.
  public static var peak: Int {
    #if os(Linux)
      // Not getrusage's figure: a process begins with that of the one that started it.
      let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
      let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") } ?? ""
      return (Int(line.filter(\.isNumber)) ?? 0) << 10
    #else
      var usage = rusage()
      getrusage(RUSAGE_SELF, &usage)
      return usage.ru_maxrss
    #endif
  }
}
