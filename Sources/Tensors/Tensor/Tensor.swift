import CKernels

/// A dense array of f32, row-major and contiguous, whose memory is shared by its copies.
///
/// A tensor is a reference to memory with a shape: copies of it see each other's writes, as everywhere in this
/// field. Operations of the module `Gradients` never write to a tensor they were given. The memory comes from
/// `TensorMemory` and returns there with the last reference, so that a training step that repeats allocates nothing.
///
/// Not `Sendable`: one thread owns a tensor, and `WorkerPool` lends disjoint parts of it to others.
public struct Tensor {
  /// Extents, outermost first; empty for a scalar.
  public let shape: [Int]
  /// The number of elements: the product of the extents.
  public let count: Int
  @usableFromInline var storage: TensorStorage

  /// A tensor whose elements are what the memory held before: the caller writes them all.
  ///
  /// Complexity: O(1) where memory of that size can be used again.
  public init(uninitialized shape: [Int]) {
    precondition(shape.allSatisfy { $0 >= 0 }, "a tensor of shape \(shape)")
    self.shape = shape
    count = shape.reduce(1, *)
    storage = TensorStorage(count: count)
  }

  public init(zeros shape: [Int]) {
    self.init(uninitialized: shape)
    pointer.update(repeating: 0, count: count)
  }

  public init(repeating value: Float, _ shape: [Int]) {
    self.init(uninitialized: shape)
    pointer.update(repeating: value, count: count)
  }

  /// - Precondition: as many values as the shape has places.
  public init(_ values: [Float], shape: [Int]) {
    self.init(uninitialized: shape)
    precondition(values.count == count, "\(values.count) values for a tensor of shape \(shape)")
    values.withUnsafeBufferPointer { if count > 0 { pointer.update(from: $0.baseAddress!, count: count) } }
  }

  public init(_ values: [Float]) { self.init(values, shape: [values.count]) }

  public init(scalar: Float) { self.init([scalar], shape: []) }

  private init(shape: [Int], count: Int, storage: TensorStorage) {
    self.shape = shape
    self.count = count
    self.storage = storage
  }

  /// The elements, valid while some copy of the tensor is alive.
  @inlinable public var pointer: UnsafeMutablePointer<Float> { storage.pointer }

  /// The elements, in order. Complexity: O(count).
  public var values: [Float] { Array(UnsafeBufferPointer(start: pointer, count: count)) }

  /// The only element. - Precondition: there is one.
  public var scalar: Float {
    precondition(count == 1, "a tensor of shape \(shape) is no scalar")
    return pointer[0]
  }

  /// One element, by its index along every extent.
  public subscript(_ indices: Int...) -> Float {
    get { pointer[offset(indices)] }
    nonmutating set { pointer[offset(indices)] = newValue }
  }

  private func offset(_ indices: [Int]) -> Int {
    precondition(
      indices.count == shape.count && zip(indices, shape).allSatisfy { $0 >= 0 && $0 < $1 },
      "index \(indices) in a tensor of shape \(shape)")
    return zip(indices, shape).reduce(0) { $0 * $1.1 + $1.0 }
  }

  /// The extent of the innermost dimension (1 for a scalar): the width of `rows` rows.
  public var columns: Int { shape.last ?? 1 }
  /// The number of rows when every dimension but the innermost is flattened.
  public var rows: Int { columns == 0 ? 0 : count / columns }

  /// The same memory with another shape. - Precondition: of as many elements.
  public func reshaped(_ shape: [Int]) -> Tensor {
    precondition(
      shape.reduce(1, *) == count, "a tensor of shape \(self.shape) cannot take the shape \(shape)")
    return Tensor(shape: shape, count: count, storage: storage)
  }

  /// The same values in other memory.
  public func copy() -> Tensor {
    let result = Tensor(uninitialized: shape)
    result.pointer.update(from: pointer, count: count)
    return result
  }

  /// A part of the outermost dimension, in other memory. - Precondition: the range is inside that dimension.
  public func slice(_ range: Range<Int>) -> Tensor {
    precondition(
      !shape.isEmpty && range.lowerBound >= 0 && range.upperBound <= shape[0], "\(range) of \(shape)")
    let size = shape.dropFirst().reduce(1, *)
    let result = Tensor(uninitialized: [range.count] + shape.dropFirst())
    result.pointer.update(from: pointer + range.lowerBound * size, count: result.count)
    return result
  }

  /// Overwrites the elements with those of a tensor of as many.
  public func assign(from other: Tensor) {
    precondition(other.count == count)
    if storage !== other.storage { pointer.update(from: other.pointer, count: count) }
  }

  public func fill(_ value: Float) { pointer.update(repeating: value, count: count) }

  /// Whether no other tensor shares this memory, so that it may be overwritten.
  public mutating func isUnique() -> Bool { isKnownUniquelyReferenced(&storage) }

  /// Names the memory while some copy of the tensor is alive.
  public var memory: ObjectIdentifier { ObjectIdentifier(storage) }

  /// Whether both are the same memory.
  public func sharesMemory(with other: Tensor) -> Bool { storage === other.storage }
}

extension Tensor: CustomStringConvertible {
  public var description: String {
    let shown = (0..<min(count, 8)).map { "\(pointer[$0])" }.joined(separator: ", ")
    return "Tensor\(shape)[\(shown)\(count > 8 ? ", …" : "")]"
  }
}

/// The memory of a tensor; returns to `TensorMemory` when the last tensor lets it go.
@usableFromInline final class TensorStorage {
  @usableFromInline let pointer: UnsafeMutablePointer<Float>
  private let bytes: Int

  init(count: Int) {
    (pointer, bytes) = TensorMemory.shared.take(bytes: count * MemoryLayout<Float>.stride)
  }

  deinit { TensorMemory.shared.give(back: pointer, bytes: bytes) }
}
