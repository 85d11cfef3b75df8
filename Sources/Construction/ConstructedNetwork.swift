/// One attention head with constructed weights. With `x_k`, `x_j` the key and query columns:
///
///     score(k, j) = (K x_k) · (Q x_j) + priority · x_k
///     y_j         = Σ_k softmax_k(λ · score(k, j)) · V x_k
///     output_j    = y_j, or Σ_i M_ji y_i for a graph head
///
/// `priority` is one more query/key dimension whose query is the constant 1: it lets one kind of key win a tie.
/// Sources: Giannou et al. 2023, section 3 (no causal mask, one temperature λ); de Luca & Fountoulakis 2024,
/// section 3 (graph heads, M = Ã or Ãᵀ).
public struct AttentionHead: Sendable {
  /// What a head's weights are for.
  public enum Kind: String, Sendable {
    /// Picks columns by their codes: λ is the run's, and may go to infinity (hard attention).
    case selector
    /// Computes with the softmax itself (sigmoids, linearised products): λ is 1 whatever the run's.
    case smooth
    /// Unique hard attention: of the keys with the largest score the leftmost takes all, whatever the run's
    /// attention. So a minimum is found in one pass, ties included, and what is read is copied bit for bit.
    case leftmost
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
  /// For graph heads: what the attended values are multiplied by.
  public var mixing: GraphMixing?
  /// For heads that attend along edges only: which edges, and how their weights count.
  public var neighborhood: Neighborhood?

  /// Keys limited to the columns that the graph joins to the query, as in graph attention networks.
  ///
  ///     score(i, j) = (K x_i) · (Q x_j) + priority · x_i + scorePerWeight · w_ij       for edges (i, j) only
  ///     output_j    = V x_i + w_ij · weightOutputs                                     averaged over the winners
  ///
  /// A column without such edges gets nothing.
  public struct Neighborhood: Equatable, Sendable {
    public var direction: GraphMixing.Direction
    public var scorePerWeight: Double
    /// Rows that receive the weight of the attended edge, times the coefficient.
    public var weightOutputs: [Term]

    public init(
      _ direction: GraphMixing.Direction, scorePerWeight: Double = 0, weightOutputs: [Term] = []
    ) {
      self.direction = direction
      self.scorePerWeight = scorePerWeight
      self.weightOutputs = weightOutputs
    }
  }
}

/// The matrix M of a graph head, output_j = Σ_i M_ji y_i.
public struct GraphMixing: Hashable, Sendable {
  public enum Direction: String, Sendable, CaseIterable {
    /// j receives from every i with an edge i → j: the transposed adjacency matrix.
    case alongEdges
    /// j receives from every i with an edge j → i: the adjacency matrix.
    case againstEdges
  }

  public var direction: Direction
  /// Whether an edge counts with its weight, or as 1.
  public var isWeighted: Bool

  public init(_ direction: Direction, isWeighted: Bool) {
    self.direction = direction
    self.isWeighted = isWeighted
  }
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
  /// Whether a head multiplies by a graph or attends along its edges.
  public var needsGraph: Bool {
    layers.flatMap(\.heads).contains { $0.mixing != nil || $0.neighborhood != nil }
  }
  public var hiddenWidth: Int { layers.map(\.neurons.count).max() ?? 0 }

  /// The number of non-zero weights and biases.
  public var parameterCount: Int {
    layers.reduce(0) { sum, layer in
      sum
        + layer.heads.reduce(0) {
          $0 + $1.query.nonZeroCount + $1.key.nonZeroCount + $1.value.nonZeroCount + $1.priority.count
            + ($1.neighborhood.map { $0.weightOutputs.count + ($0.scorePerWeight == 0 ? 0 : 1) } ?? 0)
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
        if head.kind == .leftmost { absorb(1) }
        if let mixing = head.mixing {
          absorb(mixing.direction == .alongEdges ? 2 : 3)
          absorb(mixing.isWeighted ? 4 : 5)
        }
        if let neighborhood = head.neighborhood {
          absorb(neighborhood.direction == .alongEdges ? 6 : 7)
          absorb(neighborhood.scorePerWeight.bitPattern)
          absorb(neighborhood.weightOutputs)
        }
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
