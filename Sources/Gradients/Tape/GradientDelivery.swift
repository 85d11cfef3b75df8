import CKernels
import Foundation
import Tensors

/// Takes the gradients of parameters away as soon as the backward pass has made them whole, for another thread that
/// sends them while the pass goes on.
///
/// A gradient is whole when the pass comes to where the parameter was first used: see `Tape.marksFirstUse`. In a loss
/// that is `sharded`, every thread comes there in its last shard, with a sum of its own. Parameters that nothing marks
/// are whole when the pass is over (`close`).
final class GradientDelivery: @unchecked Sendable {
  /// That of the step that is made here: its last batch, whose backward pass completes the gradients.
  @TaskLocal static var current: GradientDelivery?

  private let condition = NSCondition()
  private let slots: [GradientSlot]
  private let places: [ObjectIdentifier: Int]
  /// What the seed of the loss multiplies the threads' sums with.
  let scale: Float
  private var lanes = 0
  /// What the threads of a sharded loss have brought, by parameter and thread.
  private var parts: [[Tensor?]]
  /// What the parameters' slots held when their gradients were whole: of the batches before, or of an unsharded loss.
  private var held: [Tensor?]
  private var arrived: [Int]
  private var isWhole: [Bool]
  private var isClosed = false

  /// - Parameter scale: the seed of the batch's loss.
  init(_ parameters: [Parameter], scale: Float) {
    slots = parameters.map { $0.slot! }
    places = Dictionary(uniqueKeysWithValues: slots.enumerated().map { (ObjectIdentifier($1), $0) })
    self.scale = scale
    parts = Array(repeating: [], count: slots.count)
    held = Array(repeating: nil, count: slots.count)
    arrived = Array(repeating: 0, count: slots.count)
    isWhole = Array(repeating: false, count: slots.count)
  }

  /// Says that threads will come, each with a sum of its own.
  func begin(lanes: Int) {
    condition.withLock {
      precondition(self.lanes == 0, "one sharded loss per batch: gradients cannot be whole twice")
      self.lanes = lanes
      for place in parts.indices { parts[place] = Array(repeating: nil, count: lanes) }
    }
  }

  /// The gradients are whole as far as this thread goes. - Parameter taking: removes what a thread has of a slot.
  func finish(_ parameters: [Parameter], lane: Int?, taking: (GradientSlot) -> Tensor?) {
    condition.withLock {
      for parameter in parameters {
        guard let slot = parameter.slot, let place = places[ObjectIdentifier(slot)] else { continue }
        if let lane {
          parts[place][lane] = taking(slot)
          arrived[place] += 1
        }
        // Nothing comes to the slot meanwhile: threads gather for themselves.
        if arrived[place] == lanes {
          isWhole[place] = true
          held[place] = slot.take()
        }
      }
      condition.broadcast()
    }
  }

  /// The backward pass is over: all gradients are whole. Called by its thread.
  func close() {
    condition.withLock {
      if !isClosed { for place in slots.indices where !isWhole[place] { held[place] = slots[place].take() } }
      isClosed = true
      condition.broadcast()
    }
  }

  /// Waits until the gradients of these parameters, by number, are whole.
  func wait(for parameters: some Sequence<Int>) {
    condition.withLock {
      while !isClosed, !parameters.allSatisfy({ isWhole[$0] }) { condition.wait() }
    }
  }

  /// Removes a whole gradient: the tensors it is the sum of, each with a factor; none where the parameter has none.
  func take(_ parameter: Int) -> [(factor: Float, tensor: Tensor)] {
    condition.withLock {
      defer { (held[parameter], parts[parameter]) = (nil, []) }
      let before = held[parameter].map { [(factor: Float(1), tensor: $0)] } ?? []
      return before + parts[parameter].compactMap { $0 }.map { (scale, $0) }
    }
  }
}

extension Tape {
  /// Says that nothing recorded so far used these parameters: once the backward pass is back here, their gradients are
  /// whole, and can be sent away while it goes on.
  ///
  /// A statement about the forward pass, which is not checked here; a gradient that comes later stops the program.
  public static func marksFirstUse(of parameters: @autoclosure () -> [Parameter]) {
    let isDelivering =
      GradientStore.current.map { $0.delivery != nil } ?? (GradientDelivery.current != nil)
    guard current != nil, isDelivering else { return }
    let parameters = parameters()
    append([]) {
      if let store = GradientStore.current {
        store.finish(parameters)
      } else {
        GradientDelivery.current?.finish(parameters, lane: nil) { _ in nil }
      }
    }
  }
}
