import Collectives
import Tensors

extension Trainer {
  /// One step on several ranks: see `SharedTraining`. The ranks stop together where the loss or the gradient is not
  /// finite on any.
  func train(_ sharing: SharedTraining, _ loss: (_ batch: Int) throws -> Variable) throws -> Report {
    if !isSynchronized {
      try sharing.synchronize(step: step)
      isSynchronized = true
    }
    adam.clearGradients()
    let delivery = GradientDelivery(adam.parameters, scale: 1 / Float(accumulation))
    // An error here leaves nobody waiting for this rank's gradients on this rank.
    defer { delivery.close() }
    var sum = 0.0
    for batch in 0..<accumulation - 1 { sum += try differentiate(loss, batch) }
    let (handle, outcome) = sharing.startReduction(delivery)
    sum += try GradientDelivery.$current.withValue(delivery) { try differentiate(loss, accumulation - 1) }
    delivery.close()
    let clock = ContinuousClock()
    var begin = clock.now
    try handle.wait()
    sharing.use.waiting += (clock.now - begin) / .seconds(1)
    precondition(
      adam.parameters.allSatisfy { $0.gradient == nil },
      "a gradient came after it was whole: is Tape.marksFirstUse where the first use is?")

    begin = clock.now
    let local = [sum, outcome.squares] + outcome.isPresent.map { $0 ? 1 : 0 }
    let global = try sharing.communicator.sum(local)
    let (mean, norm) = (global[0], global[1].squareRoot())
    guard mean.isFinite, norm.isFinite else {
      throw divergence(
        loss: mean, norm: mean.isFinite ? norm : nil, brokenGradients: try sharing.brokenGradients())
    }
    let (scale, rate) = (scale(norm), rate.at(step))
    try sharing.update(
      adam, rate: rate, gradientScale: Float(scale), isPresent: global.dropFirst(2).map { $0 > 0 })
    sharing.use.updating += (clock.now - begin) / .seconds(1)
    sharing.use.steps += 1
    step += 1
    return Report(step: step, loss: mean, gradientNorm: norm, rate: rate, clipped: scale < 1)
  }

  /// Adds the gradients of a batch. - Returns: what its loss counts in the step's.
  private func differentiate(_ loss: (_ batch: Int) throws -> Variable, _ batch: Int) throws -> Double {
    tape.clear()
    let value = try tape.record { try loss(batch) }
    tape.backward(from: value, seed: 1 / Float(accumulation))
    return Double(value.value.scalar) / Double(accumulation)
  }

  /// Adam's moments as a checkpoint has them; `nil` on a rank that writes none. Called by all ranks.
  func allMoments() throws -> [(first: Tensor, second: Tensor)]? {
    guard let sharing else { return adam.moments }
    return try sharing.gatherMoments()
  }

  /// Where a checkpoint's moments are read to.
  func momentsToRead() -> [(first: Tensor, second: Tensor)] { sharing?.emptyMoments() ?? adam.moments }
}
