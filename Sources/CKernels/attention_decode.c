// Attention of new rows over a cache of keys and values, for decoding (one row) and prefill (rows that follow each
// other). Scores are kept whole, so that the greatest is known before the first exponential; a row's sums run over the
// cells in order, whatever rows are worked on beside it.
#ifndef LANES
#include "half.h"
#include "kernels.h"

// Rows that share the loads of a key; also the alignment of the scores.
enum { TOGETHER = 4, WIDTH = 16 };

size_t ck_cell_bytes(ck_cell_format format, ptrdiff_t head_size) {
  return format == CK_CELL_F32 ? (size_t)head_size * 4 : format == CK_CELL_F16 ? (size_t)head_size * 2
                                                                              : (size_t)head_size + 4;
}

void ck_cell_store(ck_cell_format format, const float *x, ptrdiff_t head_size, void *cell) {
  if (format != CK_CELL_S8) {
    ck_floats_store(format == CK_CELL_F16 ? CK_F16 : CK_F32, x, cell, head_size);
    return;
  }
  int8_t *const q = cell;
  float top = 0;
  bool finite = true;
  for (ptrdiff_t i = 0; i < head_size; i++) {
    const float size = fabsf(x[i]);
    finite = finite && size <= 3.4028235e38f;
    top = size > top ? size : top;
  }
  // As for activations: of less than this the reciprocal overflows.
  const float scale = finite ? top / 127.0f : NAN, inverse = finite && top > 1e-36f ? 127.0f / top : 0;
  for (ptrdiff_t i = 0; i < head_size; i++) q[i] = (int8_t)(finite ? (int)nearbyintf(x[i] * inverse) : 0);
  memcpy(q + head_size, &scale, 4);
}

static float cell_scale(ck_cell_format format, const uint8_t *cell, ptrdiff_t head_size) {
  float scale = 1;
  if (format == CK_CELL_S8) memcpy(&scale, cell + head_size, 4);
  return scale;
}

void ck_cell_load(ck_cell_format format, const void *cell, ptrdiff_t head_size, float *y) {
  if (format != CK_CELL_S8) {
    ck_floats_load(format == CK_CELL_F16 ? CK_F16 : CK_F32, cell, y, head_size);
    return;
  }
  const float scale = cell_scale(format, cell, head_size);
  for (ptrdiff_t i = 0; i < head_size; i++) y[i] = scale * (float)((const int8_t *)cell)[i];
}

static ptrdiff_t scores_of(ptrdiff_t seen) { return (seen + WIDTH - 1) / WIDTH * WIDTH; }

size_t ck_cells_scratch(ptrdiff_t rows, ptrdiff_t seen, ptrdiff_t path_count) {
  return (size_t)(TOGETHER * scores_of(seen + rows + path_count));
}

// The place of the j-th cell that is seen, behind the start of its array.
static inline const uint8_t *cell_at(const ck_cells *cells, const uint8_t *const *blocks, ptrdiff_t j, ptrdiff_t seen,
                                     const int32_t *path) {
  const ptrdiff_t cell = j < seen ? j : path[j - seen];
  return blocks[cell / cells->block_cells] + cells->offset + (size_t)(cell % cells->block_cells) * cells->stride;
}

static float value_at(ck_cell_format format, const uint8_t *cell, ptrdiff_t i) {
  float x;
  switch (format) {
  case CK_CELL_F16: return float_of_half(load_u16(cell + 2 * i));
  case CK_CELL_S8: return (float)(int8_t)cell[i];
  default: memcpy(&x, cell + 4 * i, 4); return x;
  }
}

static void attention_over_cells_scalar(const float *q, ptrdiff_t q_stride, ptrdiff_t rows, ptrdiff_t heads,
                                        const ck_cells *cells, ptrdiff_t seen, const int32_t *path,
                                        ptrdiff_t path_count, float scale, float *scratch, float *out,
                                        ptrdiff_t out_stride) {
  const ptrdiff_t size = cells->head_size;
  for (ptrdiff_t row = 0; row < rows; row++, seen++, q += q_stride, out += out_stride)
    for (ptrdiff_t h = 0; h < heads; h++) {
      const ptrdiff_t count = seen + path_count;
      float top = -INFINITY, sum = 0;
      for (ptrdiff_t j = 0; j < count; j++) {
        const uint8_t *const key = cell_at(cells, cells->keys, j, seen, path);
        float s = 0;
        for (ptrdiff_t i = 0; i < size; i++) s += q[h * size + i] * value_at(cells->format, key, i);
        scratch[j] = s * (scale * cell_scale(cells->format, key, size));
        top = scratch[j] > top ? scratch[j] : top;
      }
      for (ptrdiff_t j = 0; j < count; j++) sum += (scratch[j] = expf(scratch[j] - top));
      for (ptrdiff_t i = 0; i < size; i++) out[h * size + i] = 0;
      for (ptrdiff_t j = 0; j < count; j++) {
        const uint8_t *const value = cell_at(cells, cells->values, j, seen, path);
        const float p = scratch[j] / sum * cell_scale(cells->format, value, size);
        for (ptrdiff_t i = 0; i < size; i++) out[h * size + i] += p * value_at(cells->format, value, i);
      }
    }
}

#define FAMILY "attention_decode.c"
#include "each_level.h"

void ck_attention_over_cells(const float *q, ptrdiff_t q_stride, ptrdiff_t rows, ptrdiff_t heads, const ck_cells *cells,
                             ptrdiff_t seen, const int32_t *path, ptrdiff_t path_count, float scale, float *scratch,
                             float *out, ptrdiff_t out_stride) {
  DISPATCH(attention_over_cells, q, q_stride, rows, heads, cells, seen, path, path_count, scale, scratch, out,
           out_stride)
}

#else
#include "sixteen.h"

#define UNROLL _Pragma("clang loop unroll(full)")
#define scores AT(cell_scores)
#define softmax AT(cell_softmax)
#define weighted AT(cell_weighted)
#define value_part AT(cell_value_part)
#define rows_of AT(cell_rows)

// The scores of `width` rows; those of a row that does not see a cell are written and not read.
INLINE void scores(const int format, const int width, const float *q, ptrdiff_t q_stride, const ck_cells *cells,
                   ptrdiff_t seen, ptrdiff_t count, const int32_t *path, float scale, float *out, ptrdiff_t distance) {
  const ptrdiff_t size = cells->head_size, whole = size - size % 16;
  for (ptrdiff_t j = 0; j < count; j++) {
    const uint8_t *const key = cell_at(cells, cells->keys, j, seen, path);
    v16 sums[width];
    UNROLL for (int r = 0; r < width; r++) sums[r] = (v16){0};
    for (ptrdiff_t i = 0; i < whole; i += 16) {
      const v16 k = load16(format, key, i);
      UNROLL for (int r = 0; r < width; r++) sums[r] = fma16(load16(CK_F32, q + r * q_stride, i), k, sums[r]);
    }
    if (whole < size) {
      const v16 k = load16_part(format, key, whole, size - whole);
      UNROLL for (int r = 0; r < width; r++) sums[r] =
          fma16(load16_part(CK_F32, q + r * q_stride, whole, size - whole), k, sums[r]);
    }
    const float factor = scale * cell_scale((ck_cell_format)format, key, size);
    UNROLL for (int r = 0; r < width; r++) out[r * distance + j] = sum16(sums[r]) * factor;
  }
}

// Turns scores into weights that have the sum one.
INLINE void softmax(float *s, ptrdiff_t count) {
  float top = -INFINITY;
  for (ptrdiff_t j = 0; j < count; j++) top = s[j] > top ? s[j] : top;
  vf sum = {0};
  ptrdiff_t j = 0;
  for (; j + LANES <= count; j += LANES) {
    const vf e = exponential(load(s + j) - top);
    store(s + j, e);
    sum += e;
  }
  if (j < count) {
    const vf e = choose(below(count - j), exponential(load_part(s + j, count - j) - top), splat(0));
    store_part(s + j, e, count - j);
    sum += e;
  }
  const float inverse = 1.0f / sum_lanes(sum);
  for (j = 0; j < count; j++) s[j] *= inverse;
}

// `parts` times sixteen values of the head, from the i-th on, for `width` rows.
INLINE void value_part(const int format, const int width, const int parts, const float *weights, ptrdiff_t distance,
                       const ck_cells *cells, ptrdiff_t seen, const ptrdiff_t *counts, const int32_t *path,
                       ptrdiff_t i, float *out, ptrdiff_t out_stride) {
  v16 sums[width * parts];
  UNROLL for (int n = 0; n < width * parts; n++) sums[n] = (v16){0};
  // Cells that all rows see, then those that only later rows do.
  for (ptrdiff_t j = 0; j < counts[0]; j++) {
    const uint8_t *const value = cell_at(cells, cells->values, j, seen, path);
    const float factor = cell_scale((ck_cell_format)format, value, cells->head_size);
    v16 v[parts];
    UNROLL for (int n = 0; n < parts; n++) v[n] = load16(format, value, i + 16 * n);
    UNROLL for (int r = 0; r < width; r++) {
      const float p = weights[r * distance + j] * factor;
      UNROLL for (int n = 0; n < parts; n++) sums[r * parts + n] = fma16(p - (v16){0}, v[n], sums[r * parts + n]);
    }
  }
  UNROLL for (int r = 1; r < width; r++) for (ptrdiff_t j = counts[0]; j < counts[r]; j++) {
    const uint8_t *const value = cell_at(cells, cells->values, j, seen, path);
    const float p = weights[r * distance + j] * cell_scale((ck_cell_format)format, value, cells->head_size);
    UNROLL for (int n = 0; n < parts; n++) sums[r * parts + n] =
        fma16(p - (v16){0}, load16(format, value, i + 16 * n), sums[r * parts + n]);
  }
  UNROLL for (int r = 0; r < width; r++) UNROLL for (int n = 0; n < parts; n++)
      memcpy(out + r * out_stride + i + 16 * n, &sums[r * parts + n], 64);
}

INLINE void weighted(const int format, const int width, const float *weights, ptrdiff_t distance,
                     const ck_cells *cells, ptrdiff_t seen, const ptrdiff_t *counts, const int32_t *path, float *out, ptrdiff_t out_stride) {
  const ptrdiff_t size = cells->head_size;
  ptrdiff_t i = 0;
  for (; i + 64 <= size; i += 64)
    value_part(format, width, 4, weights, distance, cells, seen, counts, path, i, out, out_stride);
  for (; i + 16 <= size; i += 16)
    value_part(format, width, 1, weights, distance, cells, seen, counts, path, i, out, out_stride);
  for (; i < size; i++)
    for (int r = 0; r < width; r++) {
      float sum = 0;
      for (ptrdiff_t j = 0; j < counts[r]; j++) {
        const uint8_t *const value = cell_at(cells, cells->values, j, seen, path);
        sum = __builtin_fmaf(weights[r * distance + j] * cell_scale((ck_cell_format)format, value, size),
                             value_at((ck_cell_format)format, value, i), sum);
      }
      out[r * out_stride + i] = sum;
    }
}

INLINE void rows_of(const int format, const int width, const float *q, ptrdiff_t q_stride, const ck_cells *cells,
                    ptrdiff_t seen, const int32_t *path, ptrdiff_t path_count, float scale, float *scratch, float *out,
                    ptrdiff_t out_stride) {
  ptrdiff_t counts[width];
  for (int r = 0; r < width; r++) counts[r] = seen + r + path_count;
  const ptrdiff_t most = counts[width - 1], distance = scores_of(most);
  // With several rows there is no path, and no cell is looked for beyond `most`.
  const ptrdiff_t straight = path_count ? seen : most;
  scores(format, width, q, q_stride, cells, straight, most, path, scale, scratch, distance);
  for (int r = 0; r < width; r++) softmax(scratch + r * distance, counts[r]);
  weighted(format, width, scratch, distance, cells, straight, counts, path, out, out_stride);
}

#define BY_FORMAT(width)                                                                                             \
  switch (cells->format) {                                                                                           \
  case CK_CELL_F16: rows_of(CK_F16, width, a, q_stride, cells, seen, path, path_count, scale, scratch, o, out_stride); \
    break;                                                                                                           \
  case CK_CELL_S8: rows_of(CK_S8, width, a, q_stride, cells, seen, path, path_count, scale, scratch, o, out_stride);   \
    break;                                                                                                           \
  default: rows_of(CK_F32, width, a, q_stride, cells, seen, path, path_count, scale, scratch, o, out_stride);          \
  }

static void AT(attention_over_cells)(const float *q, ptrdiff_t q_stride, ptrdiff_t rows, ptrdiff_t heads,
                                     const ck_cells *cells, ptrdiff_t seen, const int32_t *path, ptrdiff_t path_count,
                                     float scale, float *scratch, float *out, ptrdiff_t out_stride) {
  while (rows > 0) {
    const ptrdiff_t width = rows >= TOGETHER && path_count == 0 ? TOGETHER : 1;
    for (ptrdiff_t h = 0; h < heads; h++) {
      const float *const a = q + h * cells->head_size;
      float *const o = out + h * cells->head_size;
      if (width == TOGETHER) {
        BY_FORMAT(TOGETHER)
      } else {
        BY_FORMAT(1)
      }
    }
    rows -= width;
    seen += width;
    q += width * q_stride;
    out += width * out_stride;
  }
}

#undef UNROLL
#undef scores
#undef softmax
#undef weighted
#undef value_part
#undef rows_of
#undef BY_FORMAT
#include "sixteen_end.h"
#endif
