import Foundation
import Tensors

/// Weights packed for the products of a linear layer, made once for all loops and shards of a step.
///
/// It lives as long as one call of `sharded`, in which no parameter changes: so nothing can be stale.
final class PackedWeights: @unchecked Sendable {
  /// Those of the step that is made here.
  @TaskLocal static var current: PackedWeights?

  private struct Key: Hashable {
    let memory: ObjectIdentifier
    let transposes: Bool
  }

  /// The packed matrix, and the weights, so that their memory is nobody else's meanwhile.
  private var matrices: [Key: (packed: Tensor, weights: Tensor)] = [:]
  private let lock = NSLock()

  /// - Parameters:
  ///   - weights: [outputs, inputs], that outlive the step.
  ///   - transposes: x · weightsᵀ is wanted, as forward; not as backward, x · weights.
  /// - Returns: `nil` outside a step, and where products do not need them.
  static func matrix(_ weights: Tensor, transposes: Bool) -> Tensor? {
    let (outputs, inputs) = (weights.shape[0], weights.shape[1])
    guard let current, PackedProduct.isPreferred, (transposes ? outputs : inputs) >= 16 else { return nil }
    return current.lock.withLock {
      let key = Key(memory: weights.memory, transposes: transposes)
      if let found = current.matrices[key] { return found.packed }
      let packed = packedMatrix(
        weights.pointer, k: transposes ? inputs : outputs, n: transposes ? outputs : inputs,
        transposes: transposes)
      current.matrices[key] = (packed, weights)
      return packed
    }
  }
}
