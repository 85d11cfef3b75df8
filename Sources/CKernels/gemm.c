// Products of row-major matrices on one thread: the linear layers of training, forward and backward.
//
// Six rows of the left matrix are multiplied with 64 columns of the right one at a time: their sums and a row of those
// columns fill the registers of AVX-512. The right matrix is read where it is, or from panels of CK_PANEL columns that
// are packed once, as weights are that all loops of a step use. The order of a sum is that of k, whatever the instruction
// set, the tile or the number of rows. Not blocked for caches beyond that: callers hand over some hundred rows.
#ifndef LANES
#include "kernels.h"

typedef float element;
static inline float sum_with(float sum, element x, element y) { return sum + x * y; }
#include "gemm_tiles.h"

size_t ck_packed_count(ptrdiff_t k, ptrdiff_t n) {
  return (size_t)k * (size_t)((n + CK_PANEL - 1) / CK_PANEL * CK_PANEL);
}

void ck_pack(const float *b, ptrdiff_t row, ptrdiff_t column, ptrdiff_t k, ptrdiff_t n, float *packed) {
  pack(b, row, column, k, n, packed);
}

#define FAMILY "gemm.c"
#include "each_level.h"

void ck_gemm(const float *a, ptrdiff_t lda, bool transposes, const float *b, ptrdiff_t ldb, float *c, ptrdiff_t m,
             ptrdiff_t n, ptrdiff_t k, ck_sums sums, const float *bias, const float *residual) {
  DISPATCH(gemm, a, transposes ? 1 : lda, transposes ? lda : 1, b, ldb, c, m, n, k, sums, bias, residual)
}

#else

// Vectors per tile: HEIGHT × NV sums, NV of the panel and one factor stay in registers (32, or AVX2's 16).
#define NV (LANES == 8 ? 2 : 4)

// sum += the column of a times the row of b.
INLINE void AT(gemm_step)(vf sum[HEIGHT][NV], const element *a, ptrdiff_t ar, const element *b, const int rows,
                          const int nv) {
  vf x[NV];
#pragma clang loop unroll(full)
  for (int j = 0; j < nv; j++) x[j] = load(b + j * LANES);
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) {
    const vf factor = splat(a[r * ar]);
#pragma clang loop unroll(full)
    for (int j = 0; j < nv; j++) sum[r][j] += factor * x[j];
  }
}

#include "gemm_tiles.h"
#undef NV

#endif
