/// One block of layers that is applied again and again: the `body` of
///
///     output = coda( body( … body( body( prelude(input) ) ) … ) )
///
/// A conforming type owns the shared weights (or borrows them) and whatever scratch memory makes a pass fast;
/// the weights themselves never change between passes.
public protocol LoopBody<State> {
  /// What is carried from one pass to the next (the residual stream, hidden states, …).
  associatedtype State

  /// Applies the shared layers once, in place.
  ///
  /// - Parameters:
  ///   - state: the state before the pass on entry, after the pass on return.
  ///   - loop: the number of this pass, counted from 0.
  /// - Returns: whether the pass changed the state. A body that cannot tell cheaply returns `true`.
  mutating func apply(to state: inout State, loop: Int) throws -> Bool
}

/// Why a loop ended.
public enum Halt: Equatable, Sendable {
  /// The state no longer changes: every further pass would return the same state.
  case fixedPoint
  /// A halting rule fired, with the name it was given.
  case rule(String)
  /// The largest allowed number of passes was made.
  case limit
}

/// A named condition that ends a loop; asked after every pass.
public struct HaltingRule<State> {
  public var name: String
  public var shouldHalt: (_ state: State, _ loopsDone: Int) throws -> Bool

  public init(_ name: String, _ shouldHalt: @escaping (State, Int) throws -> Bool) {
    self.name = name
    self.shouldHalt = shouldHalt
  }
}

/// The loop every family runs through: injection, body, observation, halting – in this order, each pass.
///
/// ```swift
/// var loop = Loop(body: executor, limit: 10_000)
/// let halt = try loop.run(&state) { state, loopsDone in print(loopsDone) }
/// ```
///
/// Complexity: `limit` applications of the body; the loop itself allocates nothing.
public struct Loop<Body: LoopBody> {
  public typealias State = Body.State

  public var body: Body
  /// Called before each pass with the number of the pass: re-adds the input (input injection), or lets a device
  /// put a character where the network can read it.
  public var injection: ((inout State, Int) throws -> Void)?
  public var haltingRules: [HaltingRule<State>]
  public var stopsAtFixedPoint: Bool
  public var limit: Int

  public init(
    body: Body,
    limit: Int,
    stopsAtFixedPoint: Bool = true,
    haltingRules: [HaltingRule<State>] = [],
    injection: ((inout State, Int) throws -> Void)? = nil
  ) {
    precondition(limit >= 0, "a loop cannot run \(limit) times")
    self.body = body
    self.limit = limit
    self.stopsAtFixedPoint = stopsAtFixedPoint
    self.haltingRules = haltingRules
    self.injection = injection
  }

  /// Runs until a halting rule fires, a fixed point is reached, or `limit` passes are made.
  ///
  /// A pass that only confirms a fixed point is counted, as the network did run it.
  ///
  /// - Parameters:
  ///   - state: the output of the prelude on entry, the input of the coda on return.
  ///   - observe: called after every pass with the state and the number of passes done.
  /// - Returns: how many passes were made and why the loop ended.
  /// - Throws: what the body, the injection, a rule or the observer throws.
  public mutating func run(
    _ state: inout State,
    observe: (State, Int) throws -> Void = { _, _ in }
  ) throws -> (loops: Int, halt: Halt) {
    for loop in 0..<limit {
      try injection?(&state, loop)
      let changed = try body.apply(to: &state, loop: loop)
      try observe(state, loop + 1)
      for rule in haltingRules where try rule.shouldHalt(state, loop + 1) {
        return (loop + 1, .rule(rule.name))
      }
      if stopsAtFixedPoint && !changed { return (loop + 1, .fixedPoint) }
    }
    return (limit, .limit)
  }
}
