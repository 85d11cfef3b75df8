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
    let precision: ProductPrecision
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
    return current.matrix(Key(memory: weights.memory, transposes: transposes, precision: .float32), weights) {
      packedMatrix(
        weights.pointer, k: transposes ? inputs : outputs, n: transposes ? outputs : inputs,
        transposes: transposes)
    }
  }

  /// The same, rounded to bf16. Always there; outside a step it is made for this call.
  static func rounded(_ weights: Tensor, transposes: Bool) -> Tensor {
    func pack() -> Tensor { BFloat16Matrix(rounding: weights).packed(transposes: transposes) }
    guard let current else { return pack() }
    return current.matrix(
      Key(memory: weights.memory, transposes: transposes, precision: .bfloat16), weights, pack)
  }

  private func matrix(_ key: Key, _ weights: Tensor, _ pack: () -> Tensor) -> Tensor {
    lock.withLock {
      if let found = matrices[key] { return found.packed }
      let packed = pack()
      matrices[key] = (packed, weights)
      return packed
    }
  }
}
