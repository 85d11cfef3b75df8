// Products of bf16 with sums in f32, on one thread: what gemm.c does, with two numbers of k to an element.
//
// A processor with a product of bf16 pairs (AVX512_BF16) makes two steps of k per instruction. Everywhere else the same
// sums are made of two fused multiplications, hardly slower than f32: what a training step computes depends on no
// processor. Pairs of the left matrix lie side by side in its rows; where it is transposed, and in the right matrix, a
// pair is of two rows.
#ifndef LANES
#include "half.h"
#include "kernels.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

/// The even number of k below, the odd one above.
typedef uint32_t element;
static inline float even_of(element pair) { return float_of_bits(pair << 16); }
static inline float odd_of(element pair) { return float_of_bits(pair & 0xffff0000); }
static inline float sum_with(float sum, element x, element y) {
  return fmaf(even_of(x), even_of(y), fmaf(odd_of(x), odd_of(y), sum));
}
#include "gemm_tiles.h"

static inline void round_values(const float *x, uint16_t *y, ptrdiff_t count) {
  for (ptrdiff_t i = 0; i < count; i++) y[i] = normal_brain_of_float(x[i]);
}
static inline void pair_values(const uint16_t *even, const uint16_t *odd, element *y, ptrdiff_t count) {
  for (ptrdiff_t i = 0; i < count; i++) y[i] = (element)odd[i] << 16 | even[i];
}

static inline void bf16_round_scalar(const float *x, uint16_t *y, ptrdiff_t rows, ptrdiff_t columns) {
  if (columns % 2 == 0) return round_values(x, y, rows * columns);
  for (ptrdiff_t r = 0; r < rows; r++, x += columns, y += columns + 1) {
    round_values(x, y, columns);
    y[columns] = 0;
  }
}

static inline void bf16_pair_rows_scalar(const uint16_t *x, element *y, ptrdiff_t y_stride, ptrdiff_t rows,
                                         ptrdiff_t columns) {
  const ptrdiff_t stride = columns + columns % 2;
  for (; rows > 1; rows -= 2, x += 2 * stride, y += y_stride) pair_values(x, x + stride, y, columns);
  if (rows)
    for (ptrdiff_t c = 0; c < columns; c++) y[c] = x[c];
}

void ck_bf16_pack(const void *b, ptrdiff_t row, ptrdiff_t column, ptrdiff_t k, ptrdiff_t n, void *packed) {
  pack(b, row, column, (k + 1) / 2, n, packed);
}

#define FAMILY "gemm_bf16.c"
#define HAS_PAIR_PRODUCT
#include "each_level.h"

void ck_bf16_round(const float *x, ptrdiff_t rows, ptrdiff_t columns, void *y) {
  DISPATCH(bf16_round, x, y, rows, columns)
}

void ck_bf16_pair_rows(const void *x, ptrdiff_t rows, ptrdiff_t columns, void *y, ptrdiff_t y_stride) {
  DISPATCH(bf16_pair_rows, x, y, y_stride, rows, columns)
}

void ck_bf16_gemm(const void *a, ptrdiff_t lda, bool transposes, const void *b, ptrdiff_t ldb, float *c, ptrdiff_t m,
                  ptrdiff_t n, ptrdiff_t k, ck_sums sums, const float *bias, const float *residual) {
  const ptrdiff_t ar = transposes ? 1 : lda, as = transposes ? lda : 1, pairs = (k + 1) / 2;
#if defined(__x86_64__)
  if (ck_has_bf16_dot())
    return gemm_avx512bf16(a, ar, as, b, ldb, c, m, n, pairs, sums, bias, residual);
#endif
  DISPATCH(gemm, a, ar, as, b, ldb, c, m, n, pairs, sums, bias, residual)
}

#else

#define NV (LANES == 8 ? 2 : 4)
#define pairs AT(vector_pairs)

typedef uint32_t pairs __attribute__((vector_size(LANES * 4)));
typedef uint32_t AT(unaligned_pairs) __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

// sum += the column of a times the row of b: odd times odd, and to that even times even.
INLINE void AT(gemm_step)(vf sum[HEIGHT][NV], const element *a, ptrdiff_t ar, const element *b, const int rows,
                          const int nv) {
  pairs x[NV];
#pragma clang loop unroll(full)
  for (int j = 0; j < nv; j++) x[j] = *(const AT(unaligned_pairs) *)(b + j * LANES);
#ifdef PAIR_PRODUCT
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) {
    const pairs factor = a[r * ar] - (pairs){0};
#pragma clang loop unroll(full)
    for (int j = 0; j < nv; j++) sum[r][j] = (vf)_mm512_dpbf16_ps((__m512)sum[r][j], (__m512bh)factor, (__m512bh)x[j]);
  }
#else
  // One half after the other, so that no more of them need registers than f32 would.
#pragma clang loop unroll(full)
  for (int half = 0; half < 2; half++) {
    vf y[NV];
#pragma clang loop unroll(full)
    for (int j = 0; j < nv; j++) y[j] = (vf)(half ? x[j] << 16 : x[j] & 0xffff0000);
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
      const vf factor = splat(half ? even_of(a[r * ar]) : odd_of(a[r * ar]));
#pragma clang loop unroll(full)
      for (int j = 0; j < nv; j++) sum[r][j] = __builtin_elementwise_fma(factor, y[j], sum[r][j]);
    }
  }
#endif
}

#include "gemm_tiles.h"

#ifndef PAIR_PRODUCT
// The compiler makes vectors of both.
static void AT(bf16_round)(const float *x, uint16_t *y, ptrdiff_t rows, ptrdiff_t columns) {
  bf16_round_scalar(x, y, rows, columns);
}
static void AT(bf16_pair_rows)(const uint16_t *x, element *y, ptrdiff_t y_stride, ptrdiff_t rows, ptrdiff_t columns) {
  bf16_pair_rows_scalar(x, y, y_stride, rows, columns);
}
#endif

#undef pairs
#undef NV

#endif
