import CKernels
import Tensors
import Tokenization

/// A read prompt in a file, so that the next answer to a prompt that begins alike need not read it again.
///
/// A safetensors file: `tokens` [n], and for every slot `keys.SLOT` and `values.SLOT`, [heads, n, headSize] in the
/// cache's format, in eight bits with `key_scales.SLOT` and `value_scales.SLOT`, [heads, n]. Its metadata bind it to
/// the model's fingerprint, to the number of loops, the sharing and the format, and hold a checksum of all tensors.
public struct PromptCacheFile: Sendable {
  static let formatName = "looped-prompt-cache"
  static let version = "1"

  /// Writes a sequence; whoever looks sees the old file or the whole new one.
  ///
  /// Memory: a copy of the keys and values.
  /// - Precondition: as many tokens as the cache has committed, all settled, and none that owes loops.
  /// - Throws: `AtomicFile.Failure`.
  public static func write(_ cache: KVCache, tokens: [TokenID], fingerprint: String, to path: String) throws {
    precondition(tokens.count == cache.count, "\(tokens.count) tokens for \(cache.count) cells")
    var tensors = [StoredTensor("tokens", shape: [tokens.count], tokens)]
    for (number, slot) in cache.storedSlots.enumerated() {
      tensors += slot.tensors(cells: cache.count, name: "\(number)")
    }
    let metadata = [
      "format": formatName, "version": version, "model": fingerprint, "loops": "\(cache.loops)",
      "sharing": cache.sharing.rawValue, "cells": cache.layout.format.rawValue, "checksum": checksum(tensors),
    ]
    try AtomicFile.write(SafetensorsFile.parts(tensors, metadata: metadata), to: path)
  }

  /// Reads a sequence back.
  /// - Parameters:
  ///   - fingerprint: of the model that will go on with it.
  ///   - contextLimit: of the new cache, `nil` for the configuration's.
  /// - Throws: `SafetensorsError` for a damaged file, `PromptCacheError` for one that does not fit.
  public static func read(
    _ path: String, configuration: ModelConfiguration, fingerprint: String, contextLimit: Int? = nil
  ) throws -> (cache: KVCache, tokens: [TokenID]) {
    let file = try SafetensorsFile(path: path)
    func failure(_ problem: PromptCacheError.Problem) -> PromptCacheError {
      PromptCacheError(file: path, problem: problem)
    }
    guard file.metadata["format"] == formatName else { throw failure(.otherFormat) }
    guard file.metadata["version"] == version else {
      throw failure(.otherVersion(file.metadata["version"] ?? "none"))
    }
    guard file.metadata["model"] == fingerprint else { throw failure(.otherModel) }
    guard let loops = file.metadata["loops"].flatMap(Int.init), (1...ExitPolicy.mostLoops).contains(loops),
      let sharing = file.metadata["sharing"].flatMap(KVSharing.init),
      let format = file.metadata["cells"].flatMap(KVLayout.Format.init)
    else { throw failure(.damaged("its metadata")) }
    let cache = KVCache(
      configuration, loops: loops, format: format, sharing: sharing, contextLimit: contextLimit)
    var tensors: [StoredTensor] = []
    func tensor(_ name: String, _ type: ElementType, _ shape: [Int]?) throws -> StoredTensor {
      guard let entry = file[name], entry.type == type, shape == nil || entry.shape == shape else {
        throw failure(.damaged("the tensor \"\(name)\""))
      }
      let tensor = try file.tensor(name)
      tensors.append(tensor)
      return tensor
    }
    guard let tokens = try tensor("tokens", .int32, nil).values(as: TokenID.self),
      tokens.allSatisfy({ $0 >= 0 && Int($0) < configuration.vocabularySize })
    else { throw failure(.damaged("the tensor \"tokens\"")) }
    try cache.reserve(tokens.count)
    for (number, slot) in cache.storedSlots.enumerated() {
      try slot.read(cells: tokens.count, name: "\(number)", tensor)
    }
    guard tensors.count == file.entries.count else {
      throw failure(.damaged("tensors that do not belong there"))
    }
    guard file.metadata["checksum"] == checksum(tensors) else { throw failure(.damaged("its checksum")) }
    cache.restore(count: tokens.count)
    return (cache, tokens)
  }

  /// How many tokens of a prompt need not be read: what the two begin with alike, but never the whole prompt, as its
  /// last token must be run to be read out.
  public static func reusableCount(_ tokens: [TokenID], for prompt: [TokenID]) -> Int {
    min(zip(tokens, prompt).prefix { $0 == $1 }.count, max(prompt.count - 1, 0))
  }

  private static func checksum(_ tensors: [StoredTensor]) -> String {
    let hashes = tensors.map { LanguageModel.hash($0.bytes) }
    return String(hashes.withUnsafeBytes { ck_hash64($0.baseAddress, $0.count, 0) }, radix: 16)
  }
}

/// A prompt cache that is refused.
public struct PromptCacheError: Error, Equatable, CustomStringConvertible {
  public enum Problem: Equatable, Sendable {
    case otherFormat
    case otherVersion(String)
    /// Made with other weights, another weight format or another configuration.
    case otherModel
    case damaged(String)
  }

  public let file: String
  public let problem: Problem

  public init(file: String, problem: Problem) {
    self.file = file
    self.problem = problem
  }

  public var description: String {
    let what =
      switch problem {
      case .otherFormat: "is no prompt cache"
      case .otherVersion(let version):
        "is a prompt cache of version \(version), and this looped reads version \(PromptCacheFile.version)"
      case .otherModel:
        "was made with another model, or the same model's weights in another format: delete it, or name the model "
          + "that made it"
      case .damaged(let part): "is damaged (\(part)): delete it, and it will be made anew"
      }
    return "\(file): error: \(what)"
  }
}

extension KVCache {
  /// The slots that hold the committed cells, in the order of the file.
  var storedSlots: [KVSlot] {
    if shared.isEmpty { return slots }
    precondition(settledCount == count, "cells that are not settled cannot be stored")
    return shared
  }

  /// Takes over cells that were written into `storedSlots`.
  func restore(count: Int) {
    self.count = count
    settledCount = shared.isEmpty ? 0 : count
  }
}

extension KVSlot {
  private var elementType: ElementType {
    switch layout.format {
    case .float32: .float32
    case .float16: .float16
    case .int8: .int8
    }
  }

  /// The first cells as tensors.
  func tensors(cells: Int, name: String) -> [StoredTensor] {
    reserve(cells)
    let vector = layout.headSize * layout.format.size
    var (keys, values) = ([UInt8](), [UInt8]())
    var (keyScales, valueScales) = ([Float](), [Float]())
    for head in 0..<layout.heads {
      forEachRun(0..<cells, head: head) { run, count in
        keys += UnsafeRawBufferPointer(start: run.keys, count: count * vector)
        values += UnsafeRawBufferPointer(start: run.values, count: count * vector)
        guard layout.format == .int8 else { return }
        keyScales += UnsafeBufferPointer(start: run.keyScales, count: count)
        valueScales += UnsafeBufferPointer(start: run.valueScales, count: count)
      }
    }
    let shape = [layout.heads, cells, layout.headSize]
    var tensors = [
      StoredTensor("keys.\(name)", type: elementType, shape: shape, bytes: keys),
      StoredTensor("values.\(name)", type: elementType, shape: shape, bytes: values),
    ]
    if layout.format == .int8 {
      tensors.append(StoredTensor("key_scales.\(name)", shape: [layout.heads, cells], keyScales))
      tensors.append(StoredTensor("value_scales.\(name)", shape: [layout.heads, cells], valueScales))
    }
    return tensors
  }

  /// Fills the first cells from tensors of the same names, types and shapes.
  func read(
    cells: Int, name: String, _ tensor: (String, ElementType, [Int]?) throws -> StoredTensor
  ) throws {
    let shape = [layout.heads, cells, layout.headSize]
    let keys = try tensor("keys.\(name)", elementType, shape)
    let values = try tensor("values.\(name)", elementType, shape)
    let isScaled = layout.format == .int8
    let keyScales = isScaled ? try tensor("key_scales.\(name)", .float32, [layout.heads, cells]) : nil
    let valueScales = isScaled ? try tensor("value_scales.\(name)", .float32, [layout.heads, cells]) : nil
    reserve(cells)
    var cell = 0
    func copy(_ from: StoredTensor?, _ to: UnsafeMutableRawPointer, _ count: Int, _ size: Int) {
      from?.bytes.withUnsafeBytes {
        to.copyMemory(from: $0.baseAddress! + cell * size, byteCount: count * size)
      }
    }
    for head in 0..<layout.heads {
      forEachRun(0..<cells, head: head) { run, count in
        copy(keys, run.keys, count, layout.headSize * layout.format.size)
        copy(values, run.values, count, layout.headSize * layout.format.size)
        copy(keyScales, run.keyScales, count, 4)
        copy(valueScales, run.valueScales, count, 4)
        cell += count
      }
    }
  }
}
