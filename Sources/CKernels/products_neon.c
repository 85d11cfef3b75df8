// Quantised tiles times quantised activations on ARM: four registers of four rows are a tile. Compiled twice, with the
// dot product instruction and without it.
#if defined(__aarch64__)
#ifndef DOT
#include "products.h"
#include <arm_neon.h>

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")

enum { STEPS = CK_GROUP / 4, PARTS = 4, WIDEST = 4 };

INLINE int8x16_t four(const ck_activations *a, int step) {
  int32_t bits;
  memcpy(&bits, a->q + 4 * step, 4);
  return vreinterpretq_s8_s32(vdupq_n_s32(bits));
}
INLINE float32x4_t halves(const uint8_t *p) { return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(p))); }
INLINE void finish(const float32x4_t *sums, int width, float *y, ptrdiff_t y_stride, ptrdiff_t left) {
  for (int b = 0; b < width; b++) {
    float row[CK_TILE];
    for (int p = 0; p < PARTS; p++) vst1q_f32(row + 4 * p, sums[p * width + b]);
    memcpy(y + b * y_stride, row, (size_t)(left < CK_TILE ? left : CK_TILE) * sizeof *row);
  }
}

// The sums of four neighbouring products, added to four lanes.
INLINE int32x4_t four_products(int32x4_t sum, int8x16_t w, int8x16_t a) {
  const int16x8_t low = vmull_s8(vget_low_s8(w), vget_low_s8(a)), high = vmull_high_s8(w, a);
  return vaddq_s32(sum, vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)));
}

#define DOT(sum, w, a) four_products(sum, w, a)
#define AT(name) name##_neon
#include "products_neon.c"
#undef DOT
#undef AT
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#define DOT(sum, w, a) vdotq_s32(sum, w, a)
#define AT(name) name##_sdot
#include "products_neon.c"
#pragma clang attribute pop

#else

INLINE void AT(int8_block)(const int width, const uint8_t *tile, const ck_activations *x, ptrdiff_t stride, float *y,
                           ptrdiff_t y_stride, ptrdiff_t left, ptrdiff_t groups) {
  float32x4_t sums[PARTS * width];
  UNROLL for (int i = 0; i < PARTS * width; i++) sums[i] = vdupq_n_f32(0);
  const uint8x16_t flip = vdupq_n_u8(0x80);
  for (ptrdiff_t g = 0; g < groups; g++, x += stride)
    UNROLL for (int p = 0; p < PARTS; p++) {
      const uint8_t *const weights = tile + int8_bytes_at(g) + p * 16;
      int32x4_t dots[width];
      UNROLL for (int b = 0; b < width; b++) dots[b] = vdupq_n_s32(0);
      UNROLL for (int s = 0; s < STEPS; s++) {
        const int8x16_t w = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(weights + s * 64), flip));
        UNROLL for (int b = 0; b < width; b++) dots[b] = DOT(dots[b], w, four(x + b, s));
      }
      const float32x4_t scale = halves(tile + int8_scale_at(g, p * 4));
      UNROLL for (int b = 0; b < width; b++) sums[p * width + b] =
          vfmaq_f32(sums[p * width + b], vcvtq_f32_s32(dots[b]), vmulq_n_f32(scale, x[b].scale));
    }
  finish(sums, width, y, y_stride, left);
}

// With offsets (is_affine) and without: then 8 is taken from every nibble, -8 · Σ q added to its products.
INLINE void AT(nibbles_block)(const bool is_affine, const int width, const uint8_t *tile, const ck_activations *x, ptrdiff_t stride, float *y,
                           ptrdiff_t y_stride, ptrdiff_t left, ptrdiff_t groups) {
  float32x4_t sums[PARTS * width];
  UNROLL for (int i = 0; i < PARTS * width; i++) sums[i] = vdupq_n_f32(0);
  const uint8x16_t low = vdupq_n_u8(15);
  for (ptrdiff_t g = 0; g < groups; g++, x += stride) {
    const uint8_t *const scales = tile + (is_affine ? int4_affine_scale_at(g, 0) : int4_scale_at(g, 0));
    const uint8_t *const nibbles = is_affine ? scales + CK_TILE * 4 : tile + int4_bytes_at(g);
    UNROLL for (int p = 0; p < PARTS; p++) {
      const uint8_t *const weights = nibbles + p * 16;
      int32x4_t dots[width];
      UNROLL for (int b = 0; b < width; b++) dots[b] = vdupq_n_s32(is_affine ? 0 : x[b].bias / 16);
      UNROLL for (int s = 0; s < STEPS / 2; s++) {
        const uint8x16_t w = vld1q_u8(weights + s * 64);
        const int8x16_t first = vreinterpretq_s8_u8(vandq_u8(w, low)), second = vreinterpretq_s8_u8(vshrq_n_u8(w, 4));
        UNROLL for (int b = 0; b < width; b++) {
          dots[b] = DOT(dots[b], first, four(x + b, s));
          dots[b] = DOT(dots[b], second, four(x + b, s + STEPS / 2));
        }
      }
      const float32x4_t scale = halves(scales + p * 8);
      UNROLL for (int b = 0; b < width; b++) sums[p * width + b] =
          vfmaq_f32(sums[p * width + b], vcvtq_f32_s32(dots[b]), vmulq_n_f32(scale, x[b].scale));
      if (!is_affine) continue;
      const float32x4_t offset = halves(scales + CK_TILE * 2 + p * 8);
      UNROLL for (int b = 0; b < width; b++) sums[p * width + b] =
          vfmaq_n_f32(sums[p * width + b], offset, x[b].sum);
    }
  }
  finish(sums, width, y, y_stride, left);
}

#undef WIDTH
#undef PRODUCT
#undef INT4_BLOCK
#undef INT4_AFFINE_BLOCK
#define INT4_BLOCK(...) AT(nibbles_block)(false, __VA_ARGS__)
#define INT4_AFFINE_BLOCK(...) AT(nibbles_block)(true, __VA_ARGS__)
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
            WIDTH(block, 1) WIDTH(block, 2) WIDTH(block, 3) WIDTH(block, 4)                                          \
          }                                                                                                          \
      }                                                                                                              \
    }                                                                                                                \
  }

PRODUCT(AT(ck_int8_product), AT(int8_block), ck_int8_tile_bytes)
PRODUCT(AT(ck_int4_product), INT4_BLOCK, ck_int4_tile_bytes)
PRODUCT(AT(ck_int4_affine_product), INT4_AFFINE_BLOCK, ck_int4_affine_tile_bytes)

#endif
#endif
