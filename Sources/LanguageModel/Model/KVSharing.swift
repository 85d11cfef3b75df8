/// Which keys and values of past tokens the loops of a new token see.
///
/// While a prompt is read, all loops keep theirs ("sharing in prefill costs more than ten points of GSM8K"); what is
/// shared is settled afterwards, and after every generated token. Source: Ouro (arXiv 2510.25741), table 14, which
/// names the strategies; the paper gives no pseudo-code, and this is how we read it.
public enum KVSharing: String, Sendable, CaseIterable {
  /// Every loop its own: exact, and T times the memory.
  case full
  /// Past tokens are seen, at every loop, as their last loop left them; a token sees itself as its own loop has it.
  case last
  /// As `last`, with the mean over the loops a token made.
  case averaged
  /// As `last`, with the first loop.
  case first
  /// One slot that every loop overwrites in place, also between the chunks of a prompt: past tokens are seen as the
  /// loop they left at left them, whichever that was (Schwethelm et al., arXiv 2608.09444).
  case overwrite
}
