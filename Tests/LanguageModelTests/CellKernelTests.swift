import CKernels
import Tensors
import Testing

/// The kernels over cells at every level, against the plain code.
@Suite struct CellKernelTests {
  static let formats: [(ck_cell, size: Int)] = [(CK_CELL_F32, 4), (CK_CELL_F16, 2), (CK_CELL_INT8, 1)]
  static let headSizes = [1, 10, 16, 24, 64, 80, 128, 130, 256]

  private func at(_ level: KernelLevel, _ body: () -> Void) {
    #expect(ck_set_thread_level(Int32(level.rawValue)))
    body()
    _ = ck_set_thread_level(-1)
  }

  private static let levels = KernelLevel.allCases.filter(\.isAvailable)

  @Test(arguments: headSizes) func levelsAgree(_ size: Int) {
    var random = RandomStream(seed: UInt64(size))
    let count = 11
    let vectors = random.normal([count, size])
    let q = random.normal([size])
    let weights = random.uniform([count], from: 0, to: 1)
    for (format, bytes) in Self.formats {
      var wanted: (stored: [UInt8], scales: [Float], loaded: [Float], scores: [Float], mixed: [Float])?
      for level in Self.levels {
        var stored = [UInt8](repeating: 0, count: count * size * bytes)
        var scales = [Float](repeating: 0, count: count)
        let (loaded, scores) = (Tensor(zeros: [count, size]), Tensor(zeros: [count]))
        let mixed = Tensor(repeating: 0.5, [size])
        at(level) {
          stored.withUnsafeMutableBytes { stored in
            for i in 0..<count {
              ck_cell_store(
                format, vectors.pointer + i * size, stored.baseAddress! + i * size * bytes, &scales[i], size)
            }
            ck_cells_load(format, stored.baseAddress, scales, loaded.pointer, count, size)
            ck_cells_scores(format, q.pointer, stored.baseAddress, scales, count, size, 0.25, scores.pointer)
            ck_cells_mix(format, weights.pointer, stored.baseAddress, scales, count, size, mixed.pointer)
          }
        }
        let got = (stored, scales, loaded.values, scores.values, mixed.values)
        guard let first = wanted else {
          wanted = got
          // By the definition: a stored value errs by half a step of its format.
          for i in 0..<count * size {
            let step: Float =
              switch format {
              case CK_CELL_F16: max(abs(vectors.pointer[i]) * 0x1p-11, 0x1p-25)
              case CK_CELL_INT8: scales[i / size] * 0.5001
              default: 0
              }
            #expect(abs(loaded.pointer[i] - vectors.pointer[i]) <= step)
          }
          continue
        }
        #expect(got.0 == first.stored && got.1 == first.scales && got.2 == first.loaded, "\(level) \(format)")
        #expect(zip(got.3, first.scores).allSatisfy { abs($0 - $1) < 1e-4 }, "\(level) \(format)")
        #expect(zip(got.4, first.mixed).allSatisfy { abs($0 - $1) < 1e-4 }, "\(level) \(format)")
      }
    }
  }

  /// Cells handed over in one call or in many, the same bits.
  @Test(arguments: headSizes) func partsDoNotMatter(_ size: Int) {
    var random = RandomStream(seed: 5)
    let count = 23
    let vectors = random.normal([count, size])
    let q = random.normal([size])
    let weights = random.uniform([count], from: 0, to: 1)
    for level in Self.levels {
      for (format, bytes) in Self.formats {
        var stored = [UInt8](repeating: 0, count: count * size * bytes)
        var scales = [Float](repeating: 0, count: count)
        func results(_ parts: [Int]) -> [Float] {
          let (scores, mixed) = (Tensor(zeros: [count]), Tensor(zeros: [size]))
          at(level) {
            stored.withUnsafeMutableBytes { stored in
              for i in 0..<count {
                ck_cell_store(
                  format, vectors.pointer + i * size, stored.baseAddress! + i * size * bytes, &scales[i], size
                )
              }
              var start = 0
              scales.withUnsafeBufferPointer { scales in
                for part in parts {
                  let place = stored.baseAddress! + start * size * bytes
                  ck_cells_scores(
                    format, q.pointer, place, scales.baseAddress! + start, part, size, 0.5,
                    scores.pointer + start)
                  ck_cells_mix(
                    format, weights.pointer + start, place, scales.baseAddress! + start, part, size,
                    mixed.pointer)
                  start += part
                }
              }
            }
          }
          return scores.values + mixed.values
        }
        let whole = results([count])
        for parts in [[1, 22], [4, 4, 15], [7, 7, 9], Array(repeating: 1, count: count)] {
          #expect(results(parts) == whole, "\(level) \(format) \(parts)")
        }
      }
    }
  }

  @Test func extremeCells() {
    for level in Self.levels {
      at(level) {
        var scale: Float = -1
        var bytes = [Int8](repeating: 9, count: 20)
        ck_cell_store(CK_CELL_INT8, [Float](repeating: 0, count: 20), &bytes, &scale, 20)
        #expect(scale == 0 && bytes.allSatisfy { $0 == 0 })
        ck_cell_store(CK_CELL_INT8, (0..<20).map { Float($0) - 19 }, &bytes, &scale, 20)
        #expect(bytes[0] == -127 && bytes[19] == 0 && scale == 19 / 127)
        var halves = [UInt16](repeating: 0, count: 20)
        ck_cell_store(CK_CELL_F16, [Float](repeating: 1e9, count: 20), &halves, &scale, 20)
        #expect(halves.allSatisfy { $0 == 0x7c00 })
      }
    }
  }

  @Test(arguments: [1, 15, 16, 17, 100]) func siluProduct(_ count: Int) {
    var random = RandomStream(seed: 1)
    let (gate, up) = (random.normal([count], deviation: 4), random.normal([count]))
    var wanted: [Float]?
    for level in Self.levels {
      let y = gate.copy()
      at(level) { ck_silu_product(y.pointer, up.pointer, count) }
      let first = wanted ?? y.values
      wanted = first
      #expect(zip(y.values, first).allSatisfy { abs($0 - $1) <= 1e-5 * (1 + abs($1)) })
    }
  }

  /// The vectors of the hash's specification.
  @Test func hashOfTheSpecification() {
    func hash(_ text: String) -> UInt64 {
      Array(text.utf8).withUnsafeBytes { ck_hash64($0.baseAddress, $0.count, 0) }
    }
    #expect(hash("") == 0xef46_db37_51d8_e999)
    #expect(hash("Nobody inspects the spammish repetition") == 0xfbce_a83c_8a37_8bf1)
  }
}
