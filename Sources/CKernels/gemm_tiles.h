// What products of f32 (gemm.c) and of bf16 (gemm_bf16.c) share: tiles of six rows of the left matrix times 64 columns of
// the right one. The file that includes this says what an `element` of both matrices is, and what two of them add to a
// sum (`sum_with`); per instruction set, how many vectors NV a tile is wide, and how a column of the left matrix times a
// row of the right one is added to the sums (`gemm_step`).
#ifndef LANES

enum { HEIGHT = 6, DEPTH = 512, STEP = 16 };

static ptrdiff_t at_most(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }

// A panel of up to CK_PANEL columns, which lie side by side, with zeros behind them.
static void pack_panel(const element *b, ptrdiff_t row, ptrdiff_t k, ptrdiff_t columns, element *packed) {
  for (ptrdiff_t p = 0; p < k; p++, packed += CK_PANEL) {
    memcpy(packed, b + p * row, (size_t)columns * sizeof *packed);
    memset(packed + columns, 0, (size_t)(CK_PANEL - columns) * sizeof *packed);
  }
}

// In panels of CK_PANEL columns: b, k × n, whose element (p, j) is at b[p · row + j · column].
static void pack(const element *b, ptrdiff_t row, ptrdiff_t column, ptrdiff_t k, ptrdiff_t n, element *packed) {
  for (ptrdiff_t j = 0; j < n; j += CK_PANEL, packed += k * CK_PANEL) {
    const ptrdiff_t width = at_most(n - j, CK_PANEL);
    if (column == 1) {
      pack_panel(b + j, row, k, width, packed);
      continue;
    }
    if (width < CK_PANEL) memset(packed, 0, (size_t)(k * CK_PANEL) * sizeof *packed);
    // A few rows of the panel at a time, so that a cache line of b is read while it is near.
    for (ptrdiff_t p0 = 0; p0 < k; p0 += 16)
      for (ptrdiff_t c = 0; c < width; c++)
        for (ptrdiff_t p = p0; p < at_most(p0 + 16, k); p++) packed[p * CK_PANEL + c] = b[p * row + (j + c) * column];
  }
}

static void gemm_scalar(const element *a, ptrdiff_t ar, ptrdiff_t as, const element *b, ptrdiff_t ldb, float *c,
                        ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, ck_sums sums, const float *bias,
                        const float *residual) {
  for (ptrdiff_t i = 0; i < m; i++)
    for (ptrdiff_t j = 0; j < n; j++) {
      const ptrdiff_t panel = j / CK_PANEL * CK_PANEL;
      const element *const column = ldb ? b + j : b + panel * k + (j - panel);
      float sum = sums == CK_SUM_ADDS ? c[i * n + j] : 0;
      if (sums == CK_SUM_STARTS) sum = (bias ? bias[j] : 0) + (residual ? residual[i * n + j] : 0);
      for (ptrdiff_t p = 0; p < k; p++) sum = sum_with(sum, a[i * ar + p * as], column[p * (ldb ? ldb : CK_PANEL)]);
      c[i * n + j] = sum;
    }
}

#else

#define gemm_tile AT(gemm_tile_of)
#define gemm_block AT(gemm_block_of)
#define gemm_rows AT(gemm_rows_of)
#define gemm_part AT(gemm_part_of)

INLINE void gemm_tile(const element *a, ptrdiff_t ar, const ptrdiff_t as, const element *b, ptrdiff_t bs, ptrdiff_t k,
                      float *c, ptrdiff_t ldc, ck_sums sums, const float *bias, const float *residual, const int rows,
                      const int nv) {
  vf sum[HEIGHT][NV];
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
    for (int j = 0; j < nv; j++) sum[r][j] = (vf){0};
  if (sums == CK_SUM_ADDS) {
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
      for (int j = 0; j < nv; j++) sum[r][j] = load(c + r * ldc + j * LANES);
  } else if (sums == CK_SUM_STARTS) {
    if (bias)
#pragma clang loop unroll(full)
      for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
        for (int j = 0; j < nv; j++) sum[r][j] = load(bias + j * LANES);
    if (residual)
#pragma clang loop unroll(full)
      for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
        for (int j = 0; j < nv; j++) sum[r][j] += load(residual + r * ldc + j * LANES);
  }
  const ptrdiff_t steps = k / STEP;
  for (ptrdiff_t step = 0, p = 0; p < k; step++) {
    // The next rows of a and c come from far: ask for them a tile ahead.
    if (as == 1) {
#pragma clang loop unroll(full)
      for (int r = 0; r < rows; r++) __builtin_prefetch(a + (r + rows) * ar + p);
    }
    for (ptrdiff_t r = step; r < rows && step < steps; r += steps) {
#pragma clang loop unroll(full)
      for (int j = 0; j < nv; j++) __builtin_prefetch(c + (r + rows) * ldc + j * LANES, 1);
    }
    const ptrdiff_t end = at_most(p + STEP, k);
#pragma clang loop unroll(disable)
    for (; p < end; p++, b += bs) {
      if (as != 1) {
        // Both matrices are read row after row.
        __builtin_prefetch(a + (p + STEP) * as);
        __builtin_prefetch(a + (p + STEP) * as + rows - 1);
#pragma clang loop unroll(full)
        for (int j = 0; j < nv; j++) __builtin_prefetch(b + STEP * bs + j * LANES);
      }
      AT(gemm_step)(sum, a + p * as, ar, b, rows, nv);
    }
  }
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
    for (int j = 0; j < nv; j++) store(c + r * ldc + j * LANES, sum[r][j]);
}

INLINE void gemm_block(const element *a, ptrdiff_t ar, const ptrdiff_t as, const element *b, ptrdiff_t bs, ptrdiff_t k,
                       float *c, ptrdiff_t ldc, ptrdiff_t columns, ck_sums sums, const float *bias, const float *residual,
                       const int rows) {
  ptrdiff_t j = 0;
  for (; j + NV * LANES <= columns; j += NV * LANES)
    gemm_tile(a, ar, as, b + j, bs, k, c + j, ldc, sums, bias ? bias + j : NULL, residual ? residual + j : NULL, rows,
              NV);
  for (; j + LANES <= columns; j += LANES)
    gemm_tile(a, ar, as, b + j, bs, k, c + j, ldc, sums, bias ? bias + j : NULL, residual ? residual + j : NULL, rows,
              1);
  if (j == columns) return;
  // The last columns, as a vector of their own: the right matrix is packed, with zeros behind them.
  float part[HEIGHT * LANES] = {0}, offsets[LANES] = {0}, rest[HEIGHT * LANES] = {0};
  const size_t bytes = (size_t)(columns - j) * sizeof *c;
  for (int r = 0; r < rows; r++) {
    if (sums == CK_SUM_ADDS) memcpy(part + r * LANES, c + r * ldc + j, bytes);
    if (residual) memcpy(rest + r * LANES, residual + r * ldc + j, bytes);
  }
  if (bias) memcpy(offsets, bias + j, bytes);
  gemm_tile(a, ar, as, b + j, bs, k, part, LANES, sums, offsets, rest, rows, 1);
  for (int r = 0; r < rows; r++) memcpy(c + r * ldc + j, part + r * LANES, bytes);
}

// Fewer rows than HEIGHT: four, two, one.
static void gemm_rows(const element *a, ptrdiff_t ar, ptrdiff_t as, const element *b, ptrdiff_t bs, ptrdiff_t k,
                      float *c, ptrdiff_t ldc, ptrdiff_t columns, ck_sums sums, const float *bias, const float *residual,
                      ptrdiff_t rows) {
  if (rows & 4) {
    gemm_block(a, ar, as, b, bs, k, c, ldc, columns, sums, bias, residual, 4);
    a += 4 * ar, c += 4 * ldc, residual = residual ? residual + 4 * ldc : NULL;
  }
  if (rows & 2) {
    gemm_block(a, ar, as, b, bs, k, c, ldc, columns, sums, bias, residual, 2);
    a += 2 * ar, c += 2 * ldc, residual = residual ? residual + 2 * ldc : NULL;
  }
  if (rows & 1) gemm_block(a, ar, as, b, bs, k, c, ldc, columns, sums, bias, residual, 1);
}

// Up to HEIGHT rows, up to CK_PANEL columns. That rows or columns of a lie side by side is known when compiled, for the
// addresses of the inner loop.
INLINE void gemm_part(const element *a, ptrdiff_t ar, ptrdiff_t as, const element *b, ptrdiff_t bs, ptrdiff_t k,
                      float *c, ptrdiff_t ldc, ptrdiff_t rows, ptrdiff_t columns, ck_sums sums, const float *bias,
                      const float *residual) {
  if (rows < HEIGHT) {
    gemm_rows(a, ar, as, b, bs, k, c, ldc, columns, sums, bias, residual, rows);
  } else if (as == 1) {
    gemm_block(a, ar, 1, b, bs, k, c, ldc, columns, sums, bias, residual, HEIGHT);
  } else {
    gemm_block(a, 1, as, b, bs, k, c, ldc, columns, sums, bias, residual, HEIGHT);
  }
}

static void AT(gemm)(const element *a, ptrdiff_t ar, ptrdiff_t as, const element *b, ptrdiff_t ldb, float *c,
                     ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, ck_sums sums, const float *bias, const float *residual) {
  element last[DEPTH * CK_PANEL];
  for (ptrdiff_t p = 0; p < k; p += DEPTH)
    for (ptrdiff_t j = 0; j < n; j += CK_PANEL) {
      const ptrdiff_t depth = at_most(k - p, DEPTH), columns = at_most(n - j, CK_PANEL);
      const element *right = ldb ? b + j + p * ldb : b + j * k + p * CK_PANEL;
      ptrdiff_t bs = ldb ? ldb : CK_PANEL;
      if (ldb && columns % LANES) {
        // Whole vectors would read past the end of the matrix.
        pack_panel(right, ldb, depth, columns, last);
        right = last, bs = CK_PANEL;
      }
      for (ptrdiff_t i = 0; i < m; i += HEIGHT)
        gemm_part(a + i * ar + p * as, ar, as, right, bs, depth, c + i * n + j, n, at_most(m - i, HEIGHT), columns,
                  p ? CK_SUM_ADDS : sums, bias ? bias + j : NULL, residual ? residual + i * n + j : NULL);
    }
}

#undef gemm_tile
#undef gemm_block
#undef gemm_rows
#undef gemm_part

#endif
