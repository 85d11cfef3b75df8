// Quantised tiles times quantised activations with AVX-512 VNNI: vpdpbusd adds, in each of sixteen lanes (rows), four
// products of unsigned weights and signed activations. Two tiles are read side by side where registers allow.
#if defined(__x86_64__)
#include "products.h"
#include <immintrin.h>

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma"))),      \
                             apply_to = function)
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")

enum { STEPS = CK_GROUP / 4 };

INLINE __m512i four(const ck_activations *a, int step) {
  int32_t bits;
  memcpy(&bits, a->q + 4 * step, 4);
  return _mm512_set1_epi32(bits);
}
INLINE __m512 halves(const uint8_t *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }

// Stores the sums of tiles that are `rows` outputs apart; the last may be cut off after `left` rows.
INLINE void finish(const __m512 *sums, int tiles, int width, float *y, ptrdiff_t y_stride, ptrdiff_t rows,
                   ptrdiff_t left) {
  const __mmask16 part = (__mmask16)((1u << (left < CK_TILE ? left : CK_TILE)) - 1);
  for (int t = 0; t < tiles; t++)
    for (int b = 0; b < width; b++)
      _mm512_mask_storeu_ps(y + b * y_stride + t * rows, part, sums[t * width + b]);
}

INLINE void int8_block(const int tiles, const int width, const uint8_t *tile, size_t distance,
                       const ck_activations *x, float *y, ptrdiff_t y_stride, ptrdiff_t y_distance, ptrdiff_t left,
                       ptrdiff_t groups) {
  __m512 sums[tiles * width];
  UNROLL for (int i = 0; i < tiles * width; i++) sums[i] = _mm512_setzero_ps();
  for (ptrdiff_t g = 0; g < groups; g++, x += width) {
    const uint8_t *const scales = tile + int8_scale_at(g, 0), *const weights = tile + int8_bytes_at(g);
    UNROLL for (int t = 0; t < tiles; t++) {
      __m512i dots[width];
      UNROLL for (int b = 0; b < width; b++) dots[b] = _mm512_set1_epi32(x[b].bias);
      UNROLL for (int s = 0; s < STEPS; s++) {
        const __m512i w = _mm512_loadu_si512(weights + (size_t)t * distance + s * 64);
        UNROLL for (int b = 0; b < width; b++) dots[b] = _mm512_dpbusd_epi32(dots[b], w, four(x + b, s));
      }
      const __m512 scale = halves(scales + (size_t)t * distance);
      UNROLL for (int b = 0; b < width; b++) sums[t * width + b] =
          _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[b]), _mm512_mul_ps(scale, _mm512_set1_ps(x[b].scale)),
                          sums[t * width + b]);
    }
  }
  finish(sums, tiles, width, y, y_stride, y_distance, left);
}

// With offsets (is_affine) and without: then 8 is taken from every nibble, -8 · Σ q added to its products.
INLINE void nibbles_block(const bool is_affine, const int tiles, const int width, const uint8_t *tile, size_t distance,
                       const ck_activations *x, float *y, ptrdiff_t y_stride, ptrdiff_t y_distance, ptrdiff_t left,
                       ptrdiff_t groups) {
  __m512 sums[tiles * width];
  UNROLL for (int i = 0; i < tiles * width; i++) sums[i] = _mm512_setzero_ps();
  const __m512i low = _mm512_set1_epi8(15);
  for (ptrdiff_t g = 0; g < groups; g++, x += width) {
    const uint8_t *const scales = tile + (is_affine ? int4_affine_scale_at(g, 0) : int4_scale_at(g, 0));
    const uint8_t *const weights = is_affine ? scales + CK_TILE * 4 : tile + int4_bytes_at(g);
    UNROLL for (int t = 0; t < tiles; t++) {
      __m512i dots[width];
      UNROLL for (int b = 0; b < width; b++) dots[b] = _mm512_set1_epi32(is_affine ? 0 : x[b].bias / 16);
      UNROLL for (int s = 0; s < STEPS / 2; s++) {
        const __m512i w = _mm512_loadu_si512(weights + (size_t)t * distance + s * 64);
        const __m512i first = _mm512_and_si512(w, low), second = _mm512_and_si512(_mm512_srli_epi16(w, 4), low);
        UNROLL for (int b = 0; b < width; b++) {
          dots[b] = _mm512_dpbusd_epi32(dots[b], first, four(x + b, s));
          dots[b] = _mm512_dpbusd_epi32(dots[b], second, four(x + b, s + STEPS / 2));
        }
      }
      const __m512 scale = halves(scales + (size_t)t * distance);
      UNROLL for (int b = 0; b < width; b++) sums[t * width + b] =
          _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[b]), _mm512_mul_ps(scale, _mm512_set1_ps(x[b].scale)),
                          sums[t * width + b]);
      if (!is_affine) continue;
      const __m512 offset = halves(scales + (size_t)t * distance + CK_TILE * 2);
      UNROLL for (int b = 0; b < width; b++) sums[t * width + b] =
          _mm512_fmadd_ps(offset, _mm512_set1_ps(x[b].sum), sums[t * width + b]);
    }
  }
  finish(sums, tiles, width, y, y_stride, y_distance, left);
}
#define int4_block(...) nibbles_block(false, __VA_ARGS__)
#define int4_affine_block(...) nibbles_block(true, __VA_ARGS__)

// One tile at a time, or for wide batches `wide`, which share the loads of activations. Those lie far apart: long
// streams are fetched ahead, short ones not.
#define PASSES(block, side, width)                                                                                   \
  case width: {                                                                                                      \
    const ptrdiff_t part = rows / CK_TILE / (side);                                                                  \
    for (ptrdiff_t i = 0; i < part; i++)                                                                             \
      block(side, width, t + (size_t)i * bytes, (size_t)part * bytes, x, y + i * CK_TILE, y_stride, part * CK_TILE,    \
            CK_TILE, groups);                                                                                        \
    for (ptrdiff_t i = part * (side); i * CK_TILE < rows; i++)                                                       \
      block(1, width, t + (size_t)i * bytes, 0, x, y + i * CK_TILE, y_stride, 0, rows - i * CK_TILE, groups);          \
    break;                                                                                                           \
  }
#define PRODUCT(name, block, wide, tile_bytes)                                                                       \
  void name(const uint8_t *t, const ck_activations *x, ptrdiff_t batch, float *y, ptrdiff_t y_stride, ptrdiff_t rows,  \
            ptrdiff_t columns) {                                                                                     \
    const ptrdiff_t groups = groups_of(columns);                                                                     \
    const size_t bytes = tile_bytes(columns);                                                                        \
    for (; batch > 0; batch -= CK_CHUNK, x += CK_CHUNK * groups, y += CK_CHUNK * y_stride) {                         \
      switch (batch < CK_CHUNK ? batch : CK_CHUNK) {                                                                 \
        PASSES(block, 1, 1)                                                                                         \
        PASSES(block, 1, 2)                                                                                         \
        PASSES(block, 1, 3)                                                                                         \
        PASSES(block, 1, 4)                                                                                         \
        PASSES(block, wide, 5)                                                                                         \
        PASSES(block, wide, 6)                                                                                         \
        PASSES(block, wide, 7)                                                                                         \
        PASSES(block, wide, 8)                                                                                         \
      }                                                                                                              \
    }                                                                                                                \
  }
PRODUCT(ck_int8_product_vnni, int8_block, 1, ck_int8_tile_bytes)
PRODUCT(ck_int4_product_vnni, int4_block, 2, ck_int4_tile_bytes)
PRODUCT(ck_int4_affine_product_vnni, int4_affine_block, 2, ck_int4_affine_tile_bytes)

#pragma clang attribute pop
#endif
