/// How keys and values lie in memory: blocks of cells; in a block the heads, one after the other, and for every head
/// the cells, so that a head's keys are read as one stream.
public struct KVLayout: Equatable, Sendable {
  /// Cells that are taken at once.
  public static let cellsPerBlock = 64

  public let heads: Int
  public let headSize: Int

  public init(heads: Int, headSize: Int) {
    self.heads = heads
    self.headSize = headSize
  }

  /// Bytes of a block: keys, then values.
  public var blockBytes: Int { 2 * partBytes }
  var partBytes: Int { Self.cellsPerBlock * heads * headSize * 4 }
  /// Bytes that one token takes in one slot.
  public var bytesPerCell: Int { blockBytes / Self.cellsPerBlock }

  /// Where the keys of a head of a cell begin, in elements from the start of the block.
  func offset(_ cellInBlock: Int, head: Int) -> Int {
    (head * Self.cellsPerBlock + cellInBlock) * headSize
  }
}

/// The keys and values of one layer at one loop.
final class KVSlot {
  let layout: KVLayout
  private var blocks: [UnsafeMutableRawPointer] = []

  init(_ layout: KVLayout) { self.layout = layout }

  deinit { for block in blocks { block.deallocate() } }

  var byteCount: Int { blocks.count * layout.blockBytes }

  /// Takes the blocks that cells below `cells` need.
  func reserve(_ cells: Int) {
    while blocks.count * KVLayout.cellsPerBlock < cells {
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

  func store(cell: Int, keys: UnsafePointer<Float>, values: UnsafePointer<Float>) {
    reserve(cell + 1)
    let size = layout.headSize
    let k = self.keys(block: cell / KVLayout.cellsPerBlock)
    let v = self.values(block: cell / KVLayout.cellsPerBlock)
    for head in 0..<layout.heads {
      let offset = layout.offset(cell % KVLayout.cellsPerBlock, head: head)
      (k + offset).update(from: keys + head * size, count: size)
      (v + offset).update(from: values + head * size, count: size)
    }
  }

  func copyCell(_ cell: Int, to other: Int) {
    guard cell < blocks.count * KVLayout.cellsPerBlock else { return }
    let size = layout.headSize
    for part in [keys(block:), values(block:)] {
      let from = part(cell / KVLayout.cellsPerBlock)
      let to = part(other / KVLayout.cellsPerBlock)
      for head in 0..<layout.heads {
        (to + layout.offset(other % KVLayout.cellsPerBlock, head: head)).update(
          from: from + layout.offset(cell % KVLayout.cellsPerBlock, head: head), count: size)
      }
    }
  }

  func keys(block: Int) -> UnsafeMutablePointer<Float> { blocks[block].assumingMemoryBound(to: Float.self) }

  func values(block: Int) -> UnsafeMutablePointer<Float> {
    (blocks[block] + layout.partBytes).assumingMemoryBound(to: Float.self)
  }
}
