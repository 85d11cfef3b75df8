import CKernels
import Foundation
import Tensors

extension LanguageModel {
  /// A number that differs for models that compute different things: a hash of the configuration's mathematics and of
  /// every weight in its format. It does not depend on the number of threads, nor on where the weights lie.
  ///
  /// XXH64 of parts of a megabyte each, and of their hashes: it tells models apart, it is no defence against an author
  /// of forgeries. Complexity: one read of all weights, on all threads.
  public func fingerprint(pool: WorkerPool = .shared) -> String {
    let c = configuration
    let shape: [String] = [
      c.family.rawValue, "\(c.vocabularySize)", "\(c.hiddenSize)", "\(c.layers)", "\(c.heads)",
      "\(c.keyValueHeads)", "\(c.headSize)", "\(c.intermediateSize)", "\(c.ropeBase)", "\(c.normEpsilon)",
    ]
    var hashes = [Self.hash(Array(shape.joined(separator: " ").utf8))]
    var matrices = [embedding] + layers.flatMap { $0.matrices.map(\.matrix) }
    if readout !== embedding { matrices.append(readout) }
    for matrix in matrices {
      hashes.append(Self.hash(Array("\(matrix.format) \(matrix.rows) \(matrix.columns)".utf8)))
      hashes.append(Self.hash(matrix.bytes.buffer, pool: pool))
    }
    var norms = layers.flatMap { layer in
      [layer.attentionNorm, layer.attentionOutputNorm ?? [], layer.mlpNorm, layer.mlpOutputNorm ?? []]
    }
    norms += [finalNorm, gate?.weight ?? [], gate.map { [$0.bias] } ?? []]
    for values in norms { hashes.append(values.withUnsafeBytes { Self.hash($0, pool: pool) }) }
    let whole = hashes.withUnsafeBytes { ck_hash64($0.baseAddress, $0.count, 0) }
    let digits = String(whole, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  static func hash(_ bytes: [UInt8]) -> UInt64 {
    bytes.withUnsafeBytes { ck_hash64($0.baseAddress, $0.count, 0) }
  }

  private static func hash(_ bytes: UnsafeRawBufferPointer, pool: WorkerPool) -> UInt64 {
    let part = 1 << 20
    var hashes = [UInt64](repeating: 0, count: (bytes.count + part - 1) / part)
    hashes.withUnsafeMutableBufferPointer { hashes in
      // Every item writes its own element.
      nonisolated(unsafe) let hashes = hashes
      pool.run(hashes.count) { item, _ in
        let range = item * part..<min((item + 1) * part, bytes.count)
        hashes[item] = ck_hash64(bytes.baseAddress! + range.lowerBound, range.count, 0)
      }
    }
    return hashes.withUnsafeBytes { ck_hash64($0.baseAddress, $0.count, UInt64(bytes.count)) }
  }
}
