import Foundation
import Tensors
import Testing

@testable import LanguageModel

@Suite struct CheckpointTests {
  static let configurations = [TinyCheckpoint.ouro, TinyCheckpoint.llama, TinyCheckpoint.wide]

  @Test(arguments: configurations) func folderHoldsTheModel(configuration: ModelConfiguration) throws {
    let folder = try TestFolder()
    let model = try TinyCheckpoint.write(configuration, to: folder.file("m"))
    let source = try HuggingFaceSource(folder: folder.file("m"))
    #expect(source.configuration == configuration)
    let loaded = try LanguageModel(source)
    #expect(try loaded.arrays == model.arrays)
    #expect((loaded.readout === loaded.embedding) == configuration.tiesEmbeddings)
    // Nothing is copied.
    #expect(loaded.layers.allSatisfy { $0.matrices.allSatisfy { $0.matrix.bytes.isMapped } })
  }

  @Test(arguments: [OutputType.bf16, .f16]) func halfPrecisionIsMapped(type: OutputType) throws {
    let folder = try TestFolder()
    let model = try TinyCheckpoint.write(TinyCheckpoint.ouro, to: folder.file("m"), type: type)
    let loaded = try LanguageModel(HuggingFaceSource(folder: folder.file("m")))
    let format: WeightMatrix.Format = type == .bf16 ? .bfloat16 : .float16
    #expect(loaded.embedding.format == format && loaded.embedding.bytes.isMapped)
    for (name, values) in try loaded.arrays {
      let original = try #require(try model.arrays[name])
      for (value, exact) in zip(values, original) {
        #expect(abs(value - exact) <= abs(exact) * (type == .bf16 ? 1 / 256 : 1 / 2048) + 1e-7)
      }
    }
  }

  @Test func partsHoldTheModel() throws {
    let folder = try TestFolder()
    let model = try TinyCheckpoint.write(TinyCheckpoint.ouro, to: folder.file("m"), partBytes: 100_000)
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.file("m")).filter {
      $0.hasSuffix(".safetensors")
    }
    #expect(names.count > 2 && names.contains("model-00001-of-0000\(names.count).safetensors"))
    #expect(try LanguageModel(HuggingFaceSource(folder: folder.file("m"))).arrays == model.arrays)
  }

  /// qkv_proj and gate_up_proj, as checkpoints made for some engines have them.
  @Test(arguments: [TinyCheckpoint.ouro, TinyCheckpoint.llama]) func fusedMatrices(c: ModelConfiguration)
    throws
  {
    let folder = try TestFolder()
    let model = try TinyCheckpoint.write(c, to: folder.file("m"))
    var arrays = try model.arrays
    for layer in 0..<c.layers {
      let attention = "model.layers.\(layer).self_attn."
      let mlp = "model.layers.\(layer).mlp."
      let queries = ["q", "k", "v"].map { arrays.removeValue(forKey: "\(attention)\($0)_proj.weight") ?? [] }
      arrays[attention + "qkv_proj.weight"] = Array(queries.joined())
      let gates = ["gate", "up"].map { arrays.removeValue(forKey: "\(mlp)\($0)_proj.weight") ?? [] }
      arrays[mlp + "gate_up_proj.weight"] = Array(gates.joined())
    }
    let tensors = arrays.map { name, values in
      let columns =
        name.contains("down_proj")
        ? c.intermediateSize : name.contains("o_proj") ? c.heads * c.headSize : c.hiddenSize
      let isVector = name.contains("norm") || name.hasSuffix("bias")
      return StoredTensor(name, shape: isVector ? [values.count] : [values.count / columns, columns], values)
    }
    try AtomicFile.write(SafetensorsFile.parts(tensors), to: folder.file("m/model.safetensors"))
    #expect(try LanguageModel(HuggingFaceSource(folder: folder.file("m"))).arrays == model.arrays)
  }

  @Test(arguments: configurations, OutputType.allCases)
  func ggufHoldsTheModel(configuration: ModelConfiguration, type: OutputType) throws {
    let folder = try TestFolder()
    let model = LanguageModel.random(configuration)
    let path = folder.file("m.gguf")
    let written = try MemorySource(model, name: "random").writeGGUF(
      to: path, type: type, name: "m", tokenizer: [])
    let source = try GGUFSource(path: path)
    #expect(source.configuration == configuration)
    if configuration == TinyCheckpoint.wide && type.tensorType.bitsPerElement > 6 {
      #expect(written.exceptions.isEmpty)
    }
    let loaded = try source.tensors()
    let original = try MemorySource(model, name: "random").tensors()
    for ((weight, read), (_, exact)) in zip(loaded, original) {
      #expect(read.rows == exact.rows && read.columns == exact.columns)
      #expect(read.type == type.type(of: weight, in: configuration, pure: false))
      // What the type makes of every row, in our order of rows.
      var expected = [Float](repeating: 0, count: exact.rows * exact.columns)
      var row = [Float](repeating: 0, count: exact.columns)
      var blocks = [UInt8](repeating: 0, count: read.rowBytes)
      for index in 0..<exact.rows {
        exact.read(row: index, into: &row)
        read.type.write(row, into: &blocks, count: row.count)
        read.type.read(blocks, into: &row, count: row.count)
        expected.replaceSubrange(index * row.count..<(index + 1) * row.count, with: row)
      }
      #expect(read.values() == expected, "\(weight)")
    }
  }

  /// The blocks of every type keep near the weights: half a step of the coarsest grid that the type may choose.
  @Test(arguments: OutputType.allCases) func quantisedWeightsAreNear(type: OutputType) throws {
    let folder = try TestFolder()
    let model = LanguageModel.random(TinyCheckpoint.wide)
    _ = try MemorySource(model, name: "random").writeGGUF(
      to: folder.file("m.gguf"), type: type, pure: true, name: "m", tokenizer: [])
    let bound: [OutputType: Float] = [.f32: 0, .f16: 1e-3, .bf16: 8e-3, .q80: 8e-3, .q6K: 4e-2]
    for (name, exact) in try model.arrays {
      let loaded = try #require(
        try LanguageModel(GGUFSource(path: folder.file("m.gguf")), weights: .float32).arrays[name])
      let largest = exact.reduce(0) { max($0, abs($1)) }
      let error = zip(loaded, exact).reduce(0) { max($0, abs($1.0 - $1.1)) }
      #expect(error <= largest * (bound[type] ?? 0.15), "\(name): \(error) of \(largest)")
    }
  }

  /// llama.cpp's order of rows, from its converter's definition: reshape(heads, 2, size / 2).swapaxes(1, 2).
  @Test func queriesAndKeysAreStoredInPairs() throws {
    let folder = try TestFolder()
    let c = TinyCheckpoint.llama
    let model = LanguageModel.random(c)
    _ = try MemorySource(model, name: "random").writeGGUF(
      to: folder.file("m.gguf"), type: .f32, name: "m", tokenizer: [])
    let file = try GGUFFile(path: folder.file("m.gguf"))
    for (name, heads) in [("q", c.heads), ("k", c.keyValueHeads)] {
      let stored = Array(try file.bytes(of: "blk.1.attn_\(name).weight").buffer.bindMemory(to: Float.self))
      let ours = try #require(try model.arrays["model.layers.1.self_attn.\(name)_proj.weight"])
      for head in 0..<heads {
        for half in 0..<2 {
          for place in 0..<c.headSize / 2 {
            let from = head * c.headSize + half * c.headSize / 2 + place
            let to = head * c.headSize + place * 2 + half
            #expect(
              Array(stored[to * c.hiddenSize..<(to + 1) * c.hiddenSize])
                == Array(ours[from * c.hiddenSize..<(from + 1) * c.hiddenSize]))
          }
        }
      }
    }
    for row in 0..<96 {
      let order = RowOrder.pairs(headSize: 16)
      #expect(order.row(stored: order.stored(row)) == row)
    }
    #expect(try LanguageModel(GGUFSource(file: file)).arrays == model.arrays)
  }

  @Test func fromFolderToFileAndBack() throws {
    let folder = try TestFolder()
    let model = try TinyCheckpoint.write(TinyCheckpoint.ouro, to: folder.file("m"))
    _ = try HuggingFaceSource(folder: folder.file("m")).writeGGUF(
      to: folder.file("m.gguf"), type: .f32, name: "m", tokenizer: [])
    _ = try GGUFSource(path: folder.file("m.gguf")).writeHuggingFace(to: folder.file("n"), type: .f32)
    let back = try HuggingFaceSource(folder: folder.file("n"))
    #expect(try back.configuration == TinyCheckpoint.ouro && LanguageModel(back).arrays == model.arrays)
  }

  @Test func loopsMayBeChosen() throws {
    let folder = try TestFolder()
    try TinyCheckpoint.write(TinyCheckpoint.ouro, to: folder.file("m"))
    _ = try HuggingFaceSource(folder: folder.file("m")).writeGGUF(
      to: folder.file("m.gguf"), type: .f32, name: "m", tokenizer: [])
    for loops in 1...8 {
      #expect(try HuggingFaceSource(folder: folder.file("m"), loops: loops).configuration.loops == loops)
      #expect(try GGUFSource(path: folder.file("m.gguf"), loops: loops).configuration.loops == loops)
    }
    for loops in [0, 9, -1, .max] {
      #expect(throws: ModelFileError.self) { try HuggingFaceSource(folder: folder.file("m"), loops: loops) }
      #expect(throws: ModelFileError.self) { try GGUFSource(path: folder.file("m.gguf"), loops: loops) }
    }
  }

  /// Llama's layers in loops are what llama.cpp calls nanbeige; without a gate every loop runs.
  @Test func otherLoopedArchitectures() throws {
    let folder = try TestFolder()
    var c = TinyCheckpoint.llama
    c.loops = 2
    let model = LanguageModel.random(c)
    _ = try MemorySource(model, name: "random").writeGGUF(
      to: folder.file("m.gguf"), type: .f32, name: "m", tokenizer: [])
    let file = try GGUFFile(path: folder.file("m.gguf"))
    #expect(file[key: "general.architecture"] == .string("nanbeige"))
    #expect(file[key: "nanbeige.num_loops"] == .uint32(2))
    #expect(try GGUFSource(file: file).configuration == c)

    let ouro = LanguageModel.random(TinyCheckpoint.ouro)
    _ = try MemorySource(ouro, name: "random").writeGGUF(
      to: folder.file("o.gguf"), type: .f32, withoutGate: true, name: "o", tokenizer: [])
    let source = try GGUFSource(path: folder.file("o.gguf"))
    #expect(try !source.configuration.hasExitGate && LanguageModel(source).gate == nil)
  }

  @Test(arguments: [WeightMatrix.Format.int8, .int4, .int4Affine, .float16, .bfloat16, .float32])
  func weightsArePackedAtLoad(format: WeightMatrix.Format) throws {
    let folder = try TestFolder()
    let model = try TinyCheckpoint.write(TinyCheckpoint.ouro, to: folder.file("m"))
    var calls = 0
    let loaded = try LanguageModel(HuggingFaceSource(folder: folder.file("m")), weights: format) {
      done, total in
      calls += 1
      #expect(done > 0 && done <= total)
    }
    #expect(calls == ModelWeight.all(of: TinyCheckpoint.ouro).count)
    for (layer, original) in zip(loaded.layers, model.layers) {
      for ((_, matrix), (_, exact)) in zip(layer.matrices, original.matrices) {
        #expect(matrix.format == format && matrix.bytes == exact.packed(to: format).bytes)
      }
    }
  }

  @Test func blocksOf32AreMovedWithoutLoss() throws {
    let folder = try TestFolder()
    let model = LanguageModel.random(TinyCheckpoint.wide)
    for (type, format) in [(OutputType.q80, WeightMatrix.Format.int8), (.q40, .int4), (.q41, .int4Affine)] {
      let path = folder.file("\(type).gguf")
      _ = try MemorySource(model, name: "r").writeGGUF(
        to: path, type: type, pure: true, name: "m", tokenizer: [])
      let source = try GGUFSource(path: path)
      let loaded = try LanguageModel(source)
      for (weight, tensor) in try source.tensors() where weight.part.isMatrix {
        #expect(try loaded.arrays[weight.huggingFaceName] == tensor.values(), "\(weight)")
      }
      #expect(loaded.layers.allSatisfy { $0.matrices.allSatisfy { $0.matrix.format == format } })
    }
  }

  @Test func loadingMayBeStopped() throws {
    struct Stop: Error {}
    let folder = try TestFolder()
    try TinyCheckpoint.write(TinyCheckpoint.ouro, to: folder.file("m"))
    let source = try HuggingFaceSource(folder: folder.file("m"))
    #expect(throws: Stop.self) { try LanguageModel(source) { _, _ in throw Stop() } }
    // And writing, which leaves nothing behind.
    #expect(throws: Stop.self) {
      _ = try source.writeGGUF(to: folder.file("m.gguf"), type: .f16, name: "m", tokenizer: []) { done, _ in
        if done > 1000 { throw Stop() }
      }
    }
    #expect(throws: Stop.self) {
      _ = try source.writeHuggingFace(to: folder.file("n"), type: .f16) { done, _ in
        if done > 1000 { throw Stop() }
      }
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["m"])
    #expect(throws: ModelFileError.self) { _ = try source.writeHuggingFace(to: folder.file("m"), type: .f16) }
    #expect(throws: ModelFileError.self) { _ = try source.writeHuggingFace(to: folder.file("n"), type: .q80) }
  }
}

extension SharedBytes {
  static func == (first: SharedBytes, second: SharedBytes) -> Bool {
    first.buffer.elementsEqual(second.buffer)
  }
}
