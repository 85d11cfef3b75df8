// Quantised tiles times quantised activations with AVX2. Eight bits: vpmaddubsw wants one unsigned factor, so |w| is
// multiplied with a · sign(w); two such products stay below 2 · 128 · 127 and do not saturate. Four bits are unsigned
// as they are, and sixteen products of 15 · 127 fit in sixteen bits, so that only a group's sum is widened.
#if defined(__x86_64__)
#include "products.h"
#include <immintrin.h>

#pragma clang attribute push(__attribute__((target("avx2,f16c,fma"))), apply_to = function)
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")

// A register holds eight rows: a tile is two halves.
enum { STEPS = CK_GROUP / 4, HALF = CK_TILE / 2, WIDEST = 2 };

INLINE __m256i four(const ck_activations *a, int step) {
  int32_t bits;
  memcpy(&bits, a->q + 4 * step, 4);
  return _mm256_set1_epi32(bits);
}
INLINE __m256i bytes(const uint8_t *p) { return _mm256_loadu_si256((const __m256i *)p); }
INLINE __m256 halves(const uint8_t *p) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)); }

INLINE void finish(const __m256 *sums, int width, float *y, ptrdiff_t y_stride, ptrdiff_t left) {
  for (int b = 0; b < width; b++) {
    float row[CK_TILE];
    _mm256_storeu_ps(row, sums[b]);
    _mm256_storeu_ps(row + HALF, sums[width + b]);
    memcpy(y + b * y_stride, row, (size_t)(left < CK_TILE ? left : CK_TILE) * sizeof *row);
  }
}

INLINE void int8_block(const int width, const uint8_t *tile, const ck_activations *x, ptrdiff_t stride, float *y,
                       ptrdiff_t y_stride, ptrdiff_t left, ptrdiff_t groups) {
  __m256 sums[2 * width];
  UNROLL for (int i = 0; i < 2 * width; i++) sums[i] = _mm256_setzero_ps();
  const __m256i ones = _mm256_set1_epi16(1), flip = _mm256_set1_epi8((char)0x80);
  for (ptrdiff_t g = 0; g < groups; g++, x += stride)
    UNROLL for (int half = 0; half < 2; half++) {
      const uint8_t *const weights = tile + int8_bytes_at(g) + half * 32;
      __m256i dots[width];
      UNROLL for (int b = 0; b < width; b++) dots[b] = _mm256_setzero_si256();
      UNROLL for (int s = 0; s < STEPS; s++) {
        const __m256i w = _mm256_xor_si256(bytes(weights + s * 64), flip), size = _mm256_abs_epi8(w);
        UNROLL for (int b = 0; b < width; b++) {
          const __m256i pairs = _mm256_maddubs_epi16(size, _mm256_sign_epi8(four(x + b, s), w));
          dots[b] = _mm256_add_epi32(dots[b], _mm256_madd_epi16(pairs, ones));
        }
      }
      const __m256 scale = halves(tile + int8_scale_at(g, half * HALF));
      UNROLL for (int b = 0; b < width; b++) sums[half * width + b] =
          _mm256_fmadd_ps(_mm256_cvtepi32_ps(dots[b]), _mm256_mul_ps(scale, _mm256_set1_ps(x[b].scale)),
                          sums[half * width + b]);
    }
  finish(sums, width, y, y_stride, left);
}

// With offsets (is_affine) and without: then 8 is taken from every nibble, -8 · Σ q added to its products.
INLINE void nibbles_block(const bool is_affine, const int width, const uint8_t *tile, const ck_activations *x, ptrdiff_t stride, float *y,
                       ptrdiff_t y_stride, ptrdiff_t left, ptrdiff_t groups) {
  __m256 sums[2 * width];
  UNROLL for (int i = 0; i < 2 * width; i++) sums[i] = _mm256_setzero_ps();
  const __m256i ones = _mm256_set1_epi16(1), low = _mm256_set1_epi8(15);
  for (ptrdiff_t g = 0; g < groups; g++, x += stride) {
    const uint8_t *const scales = tile + (is_affine ? int4_affine_scale_at(g, 0) : int4_scale_at(g, 0));
    const uint8_t *const nibbles = is_affine ? scales + CK_TILE * 4 : tile + int4_bytes_at(g);
    UNROLL for (int half = 0; half < 2; half++) {
      const uint8_t *const weights = nibbles + half * 32;
      __m256i pairs[width];
      UNROLL for (int b = 0; b < width; b++) pairs[b] = _mm256_setzero_si256();
      UNROLL for (int s = 0; s < STEPS / 2; s++) {
        const __m256i w = bytes(weights + s * 64);
        const __m256i first = _mm256_and_si256(w, low), second = _mm256_and_si256(_mm256_srli_epi16(w, 4), low);
        UNROLL for (int b = 0; b < width; b++) {
          pairs[b] = _mm256_add_epi16(pairs[b], _mm256_maddubs_epi16(first, four(x + b, s)));
          pairs[b] = _mm256_add_epi16(pairs[b], _mm256_maddubs_epi16(second, four(x + b, s + STEPS / 2)));
        }
      }
      const __m256 scale = halves(scales + half * HALF * 2);
      UNROLL for (int b = 0; b < width; b++) {
        const __m256i start = _mm256_set1_epi32(is_affine ? 0 : x[b].bias / 16);
        const __m256 dot = _mm256_cvtepi32_ps(_mm256_add_epi32(_mm256_madd_epi16(pairs[b], ones), start));
        sums[half * width + b] =
            _mm256_fmadd_ps(dot, _mm256_mul_ps(scale, _mm256_set1_ps(x[b].scale)), sums[half * width + b]);
      }
      if (!is_affine) continue;
      const __m256 offset = halves(scales + CK_TILE * 2 + half * HALF * 2);
      UNROLL for (int b = 0; b < width; b++) sums[half * width + b] =
          _mm256_fmadd_ps(offset, _mm256_set1_ps(x[b].sum), sums[half * width + b]);
    }
  }
  finish(sums, width, y, y_stride, left);
}
#define int4_block(...) nibbles_block(false, __VA_ARGS__)
#define int4_affine_block(...) nibbles_block(true, __VA_ARGS__)

#define WIDTH(block, n)                                                                                              \
  case n: block(n, tile, a + i, width, y + (b + i) * y_stride + r, y_stride, rows - r, groups); break;
#define PRODUCT(name, block, tile_bytes)                                                                             \
  void name(const uint8_t *tile, const ck_activations *x, ptrdiff_t batch, float *y, ptrdiff_t y_stride,               \
            ptrdiff_t rows, ptrdiff_t columns) {                                                                     \
    const ptrdiff_t groups = groups_of(columns);                                                                     \
    for (ptrdiff_t r = 0; r < rows; r += CK_TILE, tile += tile_bytes(columns)) {                                     \
      const ck_activations *a = x;                                                                                   \
      for (ptrdiff_t b = 0; b < batch; b += CK_CHUNK, a += CK_CHUNK * groups) {                                      \
        const ptrdiff_t width = batch - b < CK_CHUNK ? batch - b : CK_CHUNK;                                         \
        for (ptrdiff_t i = 0; i < width; i += WIDEST) switch (width - i < WIDEST ? width - i : WIDEST) {             \
            WIDTH(block, 1) WIDTH(block, 2)                                                                          \
          }                                                                                                          \
      }                                                                                                              \
    }                                                                                                                \
  }

PRODUCT(ck_int8_product_avx2, int8_block, ck_int8_tile_bytes)
PRODUCT(ck_int4_product_avx2, int4_block, ck_int4_tile_bytes)
PRODUCT(ck_int4_affine_product_avx2, int4_affine_block, ck_int4_affine_tile_bytes)

#pragma clang attribute pop
#endif
