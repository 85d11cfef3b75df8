/// Parameters one after the other as one long array, cut into buckets that are reduced one by one.
///
/// They stand in the order in which a backward pass makes their gradients whole: the reverse of the forward pass, and of a
/// model's parameters. A bucket may hold many parameters, or a part of one: what is sent at once neither drowns in
/// latency nor waits for all.
struct GradientBuckets {
  /// A run of numbers of one parameter.
  struct Piece: Equatable {
    var parameter: Int
    /// Numbers of the parameter.
    var range: Range<Int>
    /// Where they begin in the bucket.
    var offset: Int
  }

  struct Bucket: Equatable {
    var pieces: [Piece] = []
    var count = 0
  }

  /// 4 MB: at 10 Gbit/s some three milliseconds, against a latency of some ten microseconds per message.
  static let numbers = 1 << 20

  let buckets: [Bucket]

  /// - Parameter sizes: of the parameters, in the order of the forward pass.
  init(_ sizes: [Int], numbers: Int = Self.numbers) {
    var buckets: [Bucket] = []
    var open = Bucket()
    for (parameter, size) in sizes.enumerated().reversed() {
      var start = 0
      while start < size {
        let taken = min(size - start, numbers - open.count)
        open.pieces.append(Piece(parameter: parameter, range: start..<start + taken, offset: open.count))
        open.count += taken
        start += taken
        if open.count == numbers {
          buckets.append(open)
          open = Bucket()
        }
      }
    }
    if open.count > 0 { buckets.append(open) }
    self.buckets = buckets
  }

  /// The largest bucket.
  var room: Int { buckets.map(\.count).max() ?? 0 }
}

extension GradientBuckets.Bucket {
  /// The parts of the pieces that lie in a range of the bucket.
  func pieces(in part: Range<Int>) -> [GradientBuckets.Piece] {
    pieces.compactMap { piece in
      let common = (piece.offset..<piece.offset + piece.range.count).clamped(to: part)
      guard !common.isEmpty else { return nil }
      let start = piece.range.lowerBound + common.lowerBound - piece.offset
      return .init(parameter: piece.parameter, range: start..<start + common.count, offset: common.lowerBound)
    }
  }
}
