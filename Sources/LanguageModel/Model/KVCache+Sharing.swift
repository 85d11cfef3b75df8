extension KVCache {
  /// Gives the deeper loops of a cell what loop `loop` left there: how a token that leaves early appears to tokens that
  /// do not (the copy of the last loop's keys and values, as vllm-lt makes it).
  ///
  /// Complexity: a copy per layer and deeper loop. Nothing is done where loops share their slots.
  public func copyToDeeperLoops(cell: Int, from loop: Int) {
    guard sharing == .full, loop + 1 < loops else { return }
    for deeper in loop + 1..<loops {
      for layer in 0..<layers {
        slot(loop: deeper, layer: layer).copy(
          cell: cell, from: slot(loop: loop, layer: layer), cell: cell)
      }
    }
  }

  /// Moves all committed cells behind the settled ones to the shared slots, where every later token sees them.
  ///
  /// Does nothing without sharing. Call it when a prompt has been read and after every generated token.
  /// - Parameter loops: how many loops these cells made.
  public func settle(loops: Int) {
    guard sharing != .full, sharing != .overwrite, settledCount < count else { return }
    while foldedLoops < loops { fold(loop: foldedLoops, of: loops) }
    settledCount = count
    foldedLoops = 0
    // One block is kept: the next token needs it.
    for slot in slots + sums { slot.release(from: KVLayout.cellsPerBlock) }
  }

  /// Folds one loop of the cells below `end` into the shared slots, after which no row may run at that loop before
  /// `settle`; gives the loop's memory back. So a prompt read in one chunk needs one loop's memory at a time.
  func fold(loop: Int, of loops: Int, end: Int? = nil) {
    guard sharing != .full, sharing != .overwrite else { return }
    precondition(loop == foldedLoops, "loops are folded in order")
    let cells = settledCount..<(end ?? count)
    let isLast = loop == loops - 1
    foldedLoops += 1
    for layer in 0..<layers {
      let slot = slot(loop: loop, layer: layer)
      switch sharing {
      case .full, .overwrite: return
      case .first where loop == 0, .last where isLast:
        for cell in cells { shared[layer].copy(cell: cell, from: slot, cell: cell - settledCount) }
      case .first, .last: break
      case .averaged: average(slot, layer: layer, cells: cells, loop: loop, isLast: isLast)
      }
      slot.release(from: KVLayout.cellsPerBlock)
    }
  }

  /// sum += slot; in the last loop, shared = sum / loops. Sums are f32, and rounded to the format once.
  private func average(_ slot: KVSlot, layer: Int, cells: Range<Int>, loop: Int, isLast: Bool) {
    let width = layout.heads * layout.headSize
    withUnsafeTemporaryAllocation(of: Float.self, capacity: 4 * width) { memory in
      let (keys, values) = (memory.baseAddress!, memory.baseAddress! + width)
      let (keySum, valueSum) = (keys + 2 * width, keys + 3 * width)
      for cell in cells {
        let place = cell - settledCount
        slot.load(cell: place, keys: keys, values: values)
        if loop > 0 {
          sums[layer].load(cell: place, keys: keySum, values: valueSum)
          for i in 0..<width {
            keys[i] += keySum[i]
            values[i] += valueSum[i]
          }
        }
        if isLast {
          for i in 0..<2 * width { keys[i] /= Float(loop + 1) }
          shared[layer].store(cell: cell, keys: keys, values: values)
        } else {
          sums[layer].store(cell: place, keys: keys, values: values)
        }
      }
    }
  }
}
