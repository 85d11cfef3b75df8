/// One attention head with constructed weights. With `x_k`, `x_j` the key and query columns:
///
///     score(k, j) = (K x_k) · (Q x_j) + priority · x_k
///     output_j    = Σ_k softmax_k(λ · score(k, j)) · V x_k
///
/// `priority` is one more query/key dimension whose query is the constant 1: it lets one kind of key win a tie.
/// Source: Giannou et al. 2023, section 3 (no causal mask, one temperature λ).
public struct AttentionHead: Sendable {
  /// What a head's weights are for.
  public enum Kind: String, Sendable {
    /// Picks columns by their codes: λ is the run's, and may go to infinity (hard attention).
    case selector
    /// Computes with the softmax itself (sigmoids, linearised products): λ is 1 whatever the run's.
    case smooth
  }

  public var name: String
  public var kind = Kind.selector
  /// d_k × width.
  public var query: SparseMatrix
  /// d_k × width.
  public var key: SparseMatrix
  /// width × width: destination rows from source rows.
  public var value: SparseMatrix
  public var priority: [Term]
}

/// One hidden unit of a feed-forward layer: ReLU(input) added to rows in proportion to `outputs`.
public struct Neuron: Equatable, Sendable {
  public var input: LinearForm
  public var outputs: [Term]
}

/// A layer: attention, then a position-wise feed-forward network, both added to the residual stream.
///
///     A  = X + Σ_h V_h X softmax(λ (K_h X)ᵀ (Q_h X))
///     X' = A + W₂ ReLU(W₁ A + b₁)
public struct ConstructedLayer: Sendable {
  public var name: String
  public var heads: [AttentionHead]
  public var neurons: [Neuron]

  public init(name: String, heads: [AttentionHead], neurons: [Neuron]) {
    self.name = name
    self.heads = heads
    self.neurons = neurons
  }
}

/// A transformer whose weights are constructed, not trained. The weights are constants: running the network
/// cannot change them (they are `let`s), and `digest` proves it to a sceptic.
public struct ConstructedNetwork: Sendable {
  public let name: String
  public let layout: ResidualLayout
  public let layers: [ConstructedLayer]

  public init(name: String, layout: ResidualLayout, layers: [ConstructedLayer]) {
    self.name = name
    self.layout = layout
    self.layers = layers
  }

  public var width: Int { layout.width }
  public var headCount: Int { layers.map(\.heads.count).max() ?? 0 }
  public var hiddenWidth: Int { layers.map(\.neurons.count).max() ?? 0 }

  /// The number of non-zero weights and biases.
  public var parameterCount: Int {
    layers.reduce(0) { sum, layer in
      sum
        + layer.heads.reduce(0) {
          $0 + $1.query.nonZeroCount + $1.key.nonZeroCount + $1.value.nonZeroCount + $1.priority.count
        }
        + layer.neurons.reduce(0) {
          $0 + $1.input.coefficients.count + ($1.input.constant == 0 ? 0 : 1) + $1.outputs.count
        }
    }
  }

  /// A 64-bit FNV-1a hash over every weight, its place and its bits.
  public var digest: UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    func absorb(_ value: UInt64) {
      for shift in stride(from: 0, to: 64, by: 8) {
        hash = (hash ^ ((value >> UInt64(shift)) & 0xff)) &* 0x100_0000_01b3
      }
    }
    func absorb(_ terms: [Term]) {
      absorb(UInt64(terms.count))
      for term in terms {
        absorb(UInt64(term.row))
        absorb(term.coefficient.bitPattern)
      }
    }
    for layer in layers {
      for head in layer.heads {
        for matrix in [head.query, head.key, head.value] { matrix.rows.forEach(absorb) }
        absorb(head.priority)
      }
      for neuron in layer.neurons {
        absorb(neuron.input.terms)
        absorb(neuron.input.constant.bitPattern)
        absorb(neuron.outputs)
      }
    }
    return hash
  }
}
