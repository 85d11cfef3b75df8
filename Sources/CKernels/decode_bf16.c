// A few rows of activations times row-major weights in bf16: every weight is read from memory once.
//
// Activations are rounded to bf16, as the reference implementation of Ouro rounds them, so that a processor with a
// product of bf16 pairs does twice the work per instruction and widens nothing: with eight rows a pass still takes as
// long as the weights take to read. Everywhere else the same sums are made of two fused multiplications.
#ifndef LANES
#include "half.h"
#include "kernels.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

static ptrdiff_t steps_of(ptrdiff_t columns) { return (columns + CK_PAIRS - 1) / CK_PAIRS; }

size_t ck_bf16_arranged_count(ptrdiff_t batch, ptrdiff_t columns) {
  return (size_t)(batch * steps_of(columns) * CK_PAIRS);
}

// Row b of a chunk, `width` rows wide, at a column.
static float arranged(const uint16_t *chunk, ptrdiff_t width, ptrdiff_t b, ptrdiff_t c) {
  return float_of_brain(chunk[(c / CK_PAIRS * width + b) * CK_PAIRS + c % CK_PAIRS]);
}

static void bf16_multiply_scalar(const void *weights, const uint16_t *x, ptrdiff_t batch, float *y, ptrdiff_t y_stride,
                                 ptrdiff_t rows, ptrdiff_t columns) {
  for (; batch > 0; batch -= CK_CHUNK, x += CK_CHUNK * steps_of(columns) * CK_PAIRS, y += CK_CHUNK * y_stride)
    for (ptrdiff_t r = 0; r < rows; r++) {
      const uint8_t *const row = (const uint8_t *)weights + 2 * r * columns;
      const ptrdiff_t width = batch < CK_CHUNK ? batch : CK_CHUNK;
      for (ptrdiff_t b = 0; b < width; b++) {
        float lanes[CK_LANES] = {0};
        for (ptrdiff_t pair = 0; pair < columns; pair += 2)
          for (ptrdiff_t c = pair + 1; c >= pair; c--)
            if (c < columns)
              lanes[pair / 2 % CK_LANES] = fmaf(float_of_brain(load_u16(row + 2 * c)), arranged(x, width, b, c),
                                                lanes[pair / 2 % CK_LANES]);
        for (int half = CK_LANES / 2; half > 0; half /= 2)
          for (int i = 0; i < half; i++) lanes[i] += lanes[i + half];
        y[b * y_stride + r] = lanes[0];
      }
    }
}

static inline void round_values(const float *x, ptrdiff_t count, uint16_t *out) {
  for (ptrdiff_t i = 0; i < count; i++) out[i] = normal_brain_of_float(x[i]);
}

static void bf16_arrange_scalar(const float *x, ptrdiff_t batch, ptrdiff_t columns, uint16_t *out) {
  const ptrdiff_t whole = columns / CK_PAIRS, rest = columns % CK_PAIRS;
  for (; batch > 0; batch -= CK_CHUNK, x += CK_CHUNK * columns) {
    const ptrdiff_t width = batch < CK_CHUNK ? batch : CK_CHUNK;
    for (ptrdiff_t step = 0; step < whole; step++)
      for (ptrdiff_t b = 0; b < width; b++, out += CK_PAIRS)
        round_values(x + b * columns + step * CK_PAIRS, CK_PAIRS, out);
    for (ptrdiff_t b = 0; rest && b < width; b++, out += CK_PAIRS) {
      memset(out, 0, CK_PAIRS * sizeof *out);
      round_values(x + b * columns + whole * CK_PAIRS, rest, out);
    }
  }
}

#define FAMILY "decode_bf16.c"
#define HAS_PAIR_PRODUCT
#include "each_level.h"

void ck_bf16_arrange(const float *x, ptrdiff_t batch, ptrdiff_t columns, uint16_t *out) {
  DISPATCH(bf16_arrange, x, batch, columns, out)
}

void ck_bf16_multiply(const void *weights, const uint16_t *x, ptrdiff_t batch, float *y, ptrdiff_t y_stride,
                      ptrdiff_t rows, ptrdiff_t columns) {
#if defined(__x86_64__)
  if (ck_has_bf16_dot()) return bf16_multiply_avx512bf16(weights, x, batch, y, y_stride, rows, columns);
#endif
  DISPATCH(bf16_multiply, weights, x, batch, y, y_stride, rows, columns)
}

#else
#include "sixteen.h"

#define UNROLL _Pragma("clang loop unroll(full)")
// The rows of weights that go with 1, 2, 3, … rows of activations, and the most of these. Measured on a Zen 4: as many sums
// as there are registers, or a few more, though those come from the first cache (Documentation/DecodeKernels.md).
#ifdef PAIR_PRODUCT
enum { AT(heights) = 0x44578964, AT(widest) = 8 };
#elif LANES == 16
enum { AT(heights) = 0x22334464, AT(widest) = 8 };
#else
enum { AT(heights) = 0x24, AT(widest) = 2 };
#endif
#define HEIGHT(width) (AT(heights) >> 4 * ((width) - 1) & 15)
#define WIDEST AT(widest)
#define MOST 35    /* products of the two */
#define AHEAD 2048 /* bytes to ask for in advance: with several rows the arithmetic hides their way from memory */
#define pairs AT(sixteen_pairs)
#define load_pairs AT(load_sixteen_pairs)
#define pair16 AT(multiply_pairs)
#define block AT(bf16_block)
#define batch_of AT(bf16_batch)
#define weights_at AT(bf16_weights_at)
#define width_of AT(bf16_width)

// Sixteen pairs of bf16: of each the even column below, the odd one above.
typedef uint32_t pairs __attribute__((vector_size(64)));

INLINE pairs load_pairs(const void *p) {
  typedef uint32_t unaligned __attribute__((vector_size(64), aligned(1), may_alias));
  return *(const unaligned *)p;
}

// sum + odd · odd, and to that even · even.
INLINE v16 pair16(pairs a, pairs b, v16 sum) {
#ifdef PAIR_PRODUCT
  return (v16)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
#else
  sum = fma16((v16)(a & 0xffff0000), (v16)(b & 0xffff0000), sum);
  return fma16((v16)(a << 16), (v16)(b << 16), sum);
#endif
}

// Measured on a Zen 4: with 5 to 8 rows a tenth to a fifth faster, with one row slower.
INLINE pairs weights_at(const uint8_t *p, const int width) {
  if (width > 1) __builtin_prefetch(p + AHEAD, 0, 2);
  return load_pairs(p);
}

// `height` rows of weights times `width` rows of activations; both are constants where this is called. `stride` is
// what lies between 32 columns of x and the next.
INLINE void block(const int height, const int width, const uint8_t *w, ptrdiff_t distance, const uint16_t *x,
                  ptrdiff_t stride, float *y, ptrdiff_t y_distance, ptrdiff_t y_stride, ptrdiff_t columns) {
  // Of constant size: what the compiler takes for an array of variable length stays in memory.
  v16 sums[MOST];
  UNROLL for (int i = 0; i < height * width; i++) sums[i] = (v16){0};
  ptrdiff_t c = 0;
  for (; c + CK_PAIRS <= columns; c += CK_PAIRS, x += stride) {
    // What there is less of is kept in registers, and the other comes one by one.
    if (width <= height) {
      pairs a[MOST];
      UNROLL for (int b = 0; b < width; b++) a[b] = load_pairs(x + b * CK_PAIRS);
      UNROLL for (int r = 0; r < height; r++) {
        const pairs weights = weights_at(w + r * distance + 2 * c, width);
        UNROLL for (int b = 0; b < width; b++) sums[r * width + b] = pair16(weights, a[b], sums[r * width + b]);
      }
    } else {
      pairs weights[MOST];
      UNROLL for (int r = 0; r < height; r++) weights[r] = weights_at(w + r * distance + 2 * c, width);
      UNROLL for (int b = 0; b < width; b++) {
        const pairs a = load_pairs(x + b * CK_PAIRS);
        UNROLL for (int r = 0; r < height; r++) sums[r * width + b] = pair16(weights[r], a, sums[r * width + b]);
      }
    }
  }
  for (int r = 0; r < height; r++) {
    uint16_t rest[CK_PAIRS] = {0};
    memcpy(rest, w + r * distance + 2 * c, 2 * (size_t)(columns - c));
    for (int b = 0; b < width; b++) {
      v16 sum = sums[r * width + b];
      if (c < columns) sum = pair16(load_pairs(rest), load_pairs(x + b * CK_PAIRS), sum);
      y[b * y_stride + r * y_distance] = sum16(sum);
    }
  }
}

INLINE void batch_of(const int height, const int width, const uint8_t *w, const uint16_t *x, ptrdiff_t stride,
                     float *y, ptrdiff_t y_stride, ptrdiff_t rows, ptrdiff_t columns) {
  const ptrdiff_t row_bytes = 2 * columns;
  // Not neighbouring rows: `height` long streams, which the processor fetches ahead; short ones end with every row.
  const ptrdiff_t part = rows / height;
  for (ptrdiff_t r = 0; r < part; r++)
    block(height, width, w + r * row_bytes, part * row_bytes, x, stride, y + r, part, y_stride, columns);
  for (ptrdiff_t r = part * height; r < rows; r++)
    block(1, width, w + r * row_bytes, row_bytes, x, stride, y + r, 1, y_stride, columns);
}

#define WIDTH(n)                                                                                                      \
  case n: batch_of(HEIGHT(n), n, w, x, stride, y, y_stride, rows, columns); break;
static void width_of(ptrdiff_t width, const uint8_t *w, const uint16_t *x, ptrdiff_t stride, float *y,
                     ptrdiff_t y_stride, ptrdiff_t rows, ptrdiff_t columns) {
  switch (width) {
    WIDTH(1) WIDTH(2)
#if LANES == 16
    WIDTH(3) WIDTH(4) WIDTH(5) WIDTH(6) WIDTH(7) WIDTH(8)
#endif
  }
}

static void AT(bf16_multiply)(const void *weights, const uint16_t *x, ptrdiff_t batch, float *y, ptrdiff_t y_stride,
                              ptrdiff_t all_rows, ptrdiff_t columns) {
  // Few enough rows that those behind the first few activations find the weights in the first or second cache.
  const ptrdiff_t part = batch > WIDEST ? 40 : all_rows;
  for (ptrdiff_t first = 0; first < all_rows; first += part) {
    const uint8_t *const w = (const uint8_t *)weights + 2 * first * columns;
    const ptrdiff_t rows = all_rows - first < part ? all_rows - first : part;
    const uint16_t *chunk = x;
    for (ptrdiff_t b = 0; b < batch; b += CK_CHUNK, chunk += CK_CHUNK * steps_of(columns) * CK_PAIRS) {
      const ptrdiff_t chunk_width = batch - b < CK_CHUNK ? batch - b : CK_CHUNK;
      for (ptrdiff_t i = 0; i < chunk_width; i += WIDEST)
        width_of(chunk_width - i < WIDEST ? chunk_width - i : WIDEST, w, chunk + i * CK_PAIRS,
                 chunk_width * CK_PAIRS, y + (b + i) * y_stride + first, y_stride, rows, columns);
    }
  }
}

#ifndef PAIR_PRODUCT
static void AT(bf16_arrange)(const float *x, ptrdiff_t batch, ptrdiff_t columns, uint16_t *out) {
  bf16_arrange_scalar(x, batch, columns, out);
}
#endif

#undef UNROLL
#undef WIDTH
#undef HEIGHT
#undef WIDEST
#undef MOST
#undef AHEAD
#undef weights_at
#undef width_of
#undef pairs
#undef load_pairs
#undef pair16
#undef block
#undef batch_of
#include "sixteen_end.h"
#endif
