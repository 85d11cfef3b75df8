// A few rows of activations times row-major weights in f32 or f16: every weight is read from memory once.
//
// One pass takes up to eight rows of activations and as many rows of weights as leave the accumulators in registers.
// Each (weight row, activation row) has one accumulator of sixteen lanes whatever else is in the pass, so that the
// result does not depend on it.
#ifndef LANES
#include "half.h"
#include "kernels.h"

static ptrdiff_t steps_of(ptrdiff_t columns) { return (columns + CK_LANES - 1) / CK_LANES; }

size_t ck_arranged_count(ptrdiff_t batch, ptrdiff_t columns) {
  return (size_t)(batch * steps_of(columns) * CK_LANES);
}

void ck_arrange(const float *x, ptrdiff_t batch, ptrdiff_t columns, float *out) {
  const ptrdiff_t whole = columns / CK_LANES, rest = columns % CK_LANES;
  for (; batch > 0; batch -= CK_CHUNK, x += CK_CHUNK * columns) {
    const ptrdiff_t width = batch < CK_CHUNK ? batch : CK_CHUNK;
    for (ptrdiff_t step = 0; step < whole; step++)
      for (ptrdiff_t b = 0; b < width; b++, out += CK_LANES)
        memcpy(out, x + b * columns + step * CK_LANES, CK_LANES * sizeof *x);
    for (ptrdiff_t b = 0; rest && b < width; b++, out += CK_LANES) {
      memset(out, 0, CK_LANES * sizeof *x);
      memcpy(out, x + b * columns + whole * CK_LANES, (size_t)rest * sizeof *x);
    }
  }
}

// Row b of a chunk, `width` rows wide, at a column.
static float arranged(const float *chunk, ptrdiff_t width, ptrdiff_t b, ptrdiff_t c) {
  return chunk[(c / CK_LANES * width + b) * CK_LANES + c % CK_LANES];
}

static float weight(ck_float format, const uint8_t *row, ptrdiff_t c) {
  float w;
  switch (format) {
  case CK_F16: return float_of_half(load_u16(row + 2 * c));
  default: memcpy(&w, row + 4 * c, 4); return w;
  }
}

static void row_major_multiply_scalar(ck_float format, const void *weights, const float *x, ptrdiff_t batch, float *y,
                                      ptrdiff_t y_stride, ptrdiff_t rows, ptrdiff_t columns) {
  const ptrdiff_t row_bytes = columns * (format == CK_F32 ? 4 : 2);
  for (; batch > 0; batch -= CK_CHUNK, x += CK_CHUNK * steps_of(columns) * CK_LANES, y += CK_CHUNK * y_stride)
    for (ptrdiff_t r = 0; r < rows; r++) {
      const ptrdiff_t width = batch < CK_CHUNK ? batch : CK_CHUNK;
      for (ptrdiff_t b = 0; b < width; b++) {
        float lanes[CK_LANES] = {0};
        for (ptrdiff_t c = 0; c < columns; c++)
          lanes[c % CK_LANES] = fmaf(weight(format, (const uint8_t *)weights + r * row_bytes, c),
                                     arranged(x, width, b, c), lanes[c % CK_LANES]);
        for (int half = CK_LANES / 2; half > 0; half /= 2)
          for (int i = 0; i < half; i++) lanes[i] += lanes[i + half];
        y[b * y_stride + r] = lanes[0];
      }
    }
}

#define FAMILY "decode_row_major.c"
#include "each_level.h"

void ck_row_major_multiply(ck_float format, const void *weights, const float *x, ptrdiff_t batch, float *y,
                           ptrdiff_t y_stride, ptrdiff_t rows, ptrdiff_t columns) {
  DISPATCH(row_major_multiply, format, weights, x, batch, y, y_stride, rows, columns)
}

#else
#include "sixteen.h"

#define UNROLL _Pragma("clang loop unroll(full)")
// The rows of weights that go with 1, 2, 3, … rows of activations, and the most of these.
#if LANES == 16
enum { AT(heights) = 0x33446664, AT(widest) = 8 };
#elif LANES == 8
enum { AT(heights) = 0x34, AT(widest) = 2 };
#else
enum { AT(heights) = 0x24, AT(widest) = 2 };
#endif
#define HEIGHT(width) (AT(heights) >> 4 * ((width) - 1) & 15)
#define WIDEST AT(widest)
#define block AT(row_major_block)
#define batch_of AT(row_major_batch)
#define row_major_width AT(row_major_width_of)

// `height` rows of weights times `width` rows of activations; both are constants where this is called. `stride` is
// what lies between sixteen columns of x and the next.
INLINE void block(const int format, const int height, const int width, const uint8_t *w, ptrdiff_t distance,
                  const float *x, ptrdiff_t stride, float *y, ptrdiff_t y_distance, ptrdiff_t y_stride,
                  ptrdiff_t columns) {
  v16 sums[height * width];
  UNROLL for (int i = 0; i < height * width; i++) sums[i] = (v16){0};
  ptrdiff_t c = 0;
  for (; c + CK_LANES <= columns; c += CK_LANES, x += stride) {
    // What there is less of is kept in registers, and the other comes one by one.
    if (width <= height) {
      v16 a[width];
      UNROLL for (int b = 0; b < width; b++) a[b] = load16(CK_F32, x, b * CK_LANES);
      UNROLL for (int r = 0; r < height; r++) {
        const v16 weights = load16(format, w + r * distance, c);
        UNROLL for (int b = 0; b < width; b++) sums[r * width + b] = fma16(weights, a[b], sums[r * width + b]);
      }
    } else {
      v16 weights[height];
      UNROLL for (int r = 0; r < height; r++) weights[r] = load16(format, w + r * distance, c);
      UNROLL for (int b = 0; b < width; b++) {
        const v16 a = load16(CK_F32, x, b * CK_LANES);
        UNROLL for (int r = 0; r < height; r++) sums[r * width + b] = fma16(weights[r], a, sums[r * width + b]);
      }
    }
  }
  for (int r = 0; r < height; r++)
    for (int b = 0; b < width; b++) {
      v16 sum = sums[r * width + b];
      if (c < columns)
        sum = fma16(load16_part(format, w + r * distance, c, columns - c), load16(CK_F32, x, b * CK_LANES), sum);
      y[b * y_stride + r * y_distance] = sum16(sum);
    }
}

INLINE void batch_of(const int format, const int height, const int width, const uint8_t *w, const float *x,
                     ptrdiff_t stride, float *y, ptrdiff_t y_stride, ptrdiff_t rows, ptrdiff_t columns) {
  const ptrdiff_t row_bytes = columns * (format == CK_F32 ? 4 : 2);
  // Not neighbouring rows: `height` long streams, which the processor fetches ahead; short ones end with every row.
  const ptrdiff_t part = rows / height;
  for (ptrdiff_t r = 0; r < part; r++)
    block(format, height, width, w + r * row_bytes, part * row_bytes, x, stride, y + r, part, y_stride, columns);
  for (ptrdiff_t r = part * height; r < rows; r++)
    block(format, 1, width, w + r * row_bytes, row_bytes, x, stride, y + r, 1, y_stride, columns);
}

#define WIDTH(format, n)                                                                                              \
  case n: batch_of(format, HEIGHT(n), n, w, x, stride, y, y_stride, rows, columns); break;
#define WIDTHS(format)                                                                                               \
  switch (width) {                                                                                                   \
    WIDTH(format, 1) WIDTH(format, 2) WIDE(format)                                                                   \
  }
#if LANES == 16
#define WIDE(format)                                                                                                 \
  WIDTH(format, 3) WIDTH(format, 4) WIDTH(format, 5) WIDTH(format, 6) WIDTH(format, 7) WIDTH(format, 8)
#else
#define WIDE(format)
#endif

static void row_major_width(ck_float format, ptrdiff_t width, const uint8_t *w, const float *x,
                            ptrdiff_t stride, float *y, ptrdiff_t y_stride, ptrdiff_t rows, ptrdiff_t columns) {
  switch (format) {
  case CK_F16: WIDTHS(CK_F16) break;
  default: WIDTHS(CK_F32) break;
  }
}

static void AT(row_major_multiply)(ck_float format, const void *weights, const float *x, ptrdiff_t batch, float *y,
                                   ptrdiff_t y_stride, ptrdiff_t all_rows, ptrdiff_t columns) {
  // Few enough rows that those behind the first few activations find the weights in the first or second cache.
  const ptrdiff_t part = batch > WIDEST ? 16 : all_rows;
  for (ptrdiff_t first = 0; first < all_rows; first += part) {
    const uint8_t *const w = (const uint8_t *)weights + first * columns * (format == CK_F32 ? 4 : 2);
    const ptrdiff_t rows = all_rows - first < part ? all_rows - first : part;
    const float *chunk = x;
    for (ptrdiff_t b = 0; b < batch; b += CK_CHUNK, chunk += CK_CHUNK * steps_of(columns) * CK_LANES) {
      const ptrdiff_t chunk_width = batch - b < CK_CHUNK ? batch - b : CK_CHUNK;
      for (ptrdiff_t i = 0; i < chunk_width; i += WIDEST)
        row_major_width(format, chunk_width - i < WIDEST ? chunk_width - i : WIDEST, w, chunk + i * CK_LANES,
                        chunk_width * CK_LANES, y + (b + i) * y_stride + first, y_stride, rows, columns);
    }
  }
}

#undef UNROLL
#undef WIDTH
#undef WIDTHS
#undef WIDE
#undef HEIGHT
#undef WIDEST
#undef row_major_width
#undef block
#undef batch_of
#include "sixteen_end.h"
#endif
