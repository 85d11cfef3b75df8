import CKernels

/// The keys and values of one layer at one loop.
///
/// Memory: blocks that are taken when a cell in them is first written, and never move.
final class KVSlot {
  let layout: KVLayout
  private var blocks: [UnsafeMutableRawPointer] = []

  init(_ layout: KVLayout) { self.layout = layout }

  deinit { for block in blocks { block.deallocate() } }

  var byteCount: Int { blocks.count * layout.blockBytes }
  /// Cells there is memory for.
  var capacity: Int { blocks.count * KVLayout.cellsPerBlock }

  /// Takes the blocks that cells below `cells` need. What was not written reads as zeros.
  func reserve(_ cells: Int) {
    while capacity < cells {
      let block = UnsafeMutableRawPointer.allocate(byteCount: layout.blockBytes, alignment: 64)
      block.initializeMemory(as: UInt8.self, repeating: 0, count: layout.blockBytes)
      blocks.append(block)
    }
  }

  /// Gives back the blocks that hold no cell below `cells`.
  func release(from cells: Int) {
    let kept = (cells + KVLayout.cellsPerBlock - 1) / KVLayout.cellsPerBlock
    while blocks.count > kept { blocks.removeLast().deallocate() }
  }

  /// The vectors of a head from a cell on; they follow each other up to the end of the block.
  /// - Precondition: there is memory for the cell.
  func run(from cell: Int, head: Int) -> KVRun {
    let block = blocks[cell / KVLayout.cellsPerBlock]
    let index = head * KVLayout.cellsPerBlock + cell % KVLayout.cellsPerBlock
    let offset = index * layout.headSize * layout.format.size
    let scales = (block + 2 * layout.partBytes).assumingMemoryBound(to: Float.self)
    return KVRun(
      keys: block + offset, values: block + layout.partBytes + offset, keyScales: scales + index,
      valueScales: scales + layout.scaleBytes / 4 + index)
  }

  /// Writes one cell: [heads · headSize] each.
  func store(cell: Int, keys: UnsafePointer<Float>, values: UnsafePointer<Float>) {
    reserve(cell + 1)
    let (size, format) = (layout.headSize, layout.format.kernelFormat)
    for head in 0..<layout.heads {
      let run = run(from: cell, head: head)
      ck_cell_store(format, keys + head * size, run.keys, run.keyScales, size)
      ck_cell_store(format, values + head * size, run.values, run.valueScales, size)
    }
  }

  /// Reads one cell as f32: [heads · headSize] each.
  func load(cell: Int, keys: UnsafeMutablePointer<Float>, values: UnsafeMutablePointer<Float>) {
    let (size, format) = (layout.headSize, layout.format.kernelFormat)
    for head in 0..<layout.heads {
      let run = run(from: cell, head: head)
      ck_cells_load(format, run.keys, run.keyScales, keys + head * size, 1, size)
      ck_cells_load(format, run.values, run.valueScales, values + head * size, 1, size)
    }
  }

  /// Writes a cell as it stands in a slot of the same layout, bit by bit. A cell that was never written is zeros.
  func copy(cell: Int, from other: KVSlot, cell source: Int) {
    reserve(cell + 1)
    other.reserve(source + 1)
    let bytes = layout.headSize * layout.format.size
    for head in 0..<layout.heads {
      let (to, from) = (run(from: cell, head: head), other.run(from: source, head: head))
      to.keys.copyMemory(from: from.keys, byteCount: bytes)
      to.values.copyMemory(from: from.values, byteCount: bytes)
      if layout.format == .int8 {
        to.keyScales.pointee = from.keyScales.pointee
        to.valueScales.pointee = from.valueScales.pointee
      }
    }
  }

  /// Calls `body` with the parts of a range of cells of one head that follow each other in memory.
  @inline(__always)
  func forEachRun(_ cells: Range<Int>, head: Int, _ body: (_ run: KVRun, _ count: Int) -> Void) {
    var cell = cells.lowerBound
    while cell < cells.upperBound {
      let end = min((cell / KVLayout.cellsPerBlock + 1) * KVLayout.cellsPerBlock, cells.upperBound)
      body(run(from: cell, head: head), end - cell)
      cell = end
    }
  }
}
