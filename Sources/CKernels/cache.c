// Attention of single queries over stored cells: scores, the weighted sum of values, and the formats of cells. The
// softmax between the two is ck_softmax.
// Not for many queries of one sequence: those are matrix products over cells that ck_cells_load has unpacked.
#ifndef LANES
#include "half.h"
#include "kernels.h"
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

// Rounds |x| ≤ 127 to the nearest integer, ties to even: the sum has no bits behind the point.
static int8_t round_byte(float x) { return (int8_t)(bits_of_float(x + 12582912.0f) - 0x4b400000); }

static float cell_value(ck_cell format, const void *cells, ptrdiff_t i) {
  switch (format) {
  case CK_CELL_F16: return float_of_half(((const uint16_t *)cells)[i]);
  case CK_CELL_INT8: return (float)((const int8_t *)cells)[i];
  default: return ((const float *)cells)[i];
  }
}

static void cell_store_scalar(ck_cell format, const float *x, void *cell, float *scale, ptrdiff_t size) {
  if (format == CK_CELL_F32) {
    memcpy(cell, x, (size_t)size * sizeof *x);
  } else if (format == CK_CELL_F16) {
    for (ptrdiff_t c = 0; c < size; c++) ((uint16_t *)cell)[c] = half_of_float(x[c]);
  } else {
    float top = 0;
    for (ptrdiff_t c = 0; c < size; c++) top = fabsf(x[c]) > top ? fabsf(x[c]) : top;
    *scale = top / 127.0f;
    // A vector of tiny values is zero: 127 / top would be infinite.
    const float factor = top > 1e-30f ? 127.0f / top : 0;
    for (ptrdiff_t c = 0; c < size; c++) ((int8_t *)cell)[c] = round_byte(x[c] * factor);
  }
}

static void cells_load_scalar(ck_cell format, const void *cells, const float *scales, float *y, ptrdiff_t count,
                              ptrdiff_t size) {
  for (ptrdiff_t j = 0; j < count; j++)
    for (ptrdiff_t c = 0; c < size; c++) {
      const float v = cell_value(format, cells, j * size + c);
      y[j * size + c] = format == CK_CELL_INT8 ? v * scales[j] : v;
    }
}

static void cells_scores_scalar(ck_cell format, const float *q, const void *keys, const float *scales, ptrdiff_t count,
                                ptrdiff_t size, float factor, float *scores) {
  for (ptrdiff_t j = 0; j < count; j++) {
    float sum = 0;
    for (ptrdiff_t c = 0; c < size; c++) sum += q[c] * cell_value(format, keys, j * size + c);
    scores[j] = sum * (format == CK_CELL_INT8 ? factor * scales[j] : factor);
  }
}

static void cells_mix_scalar(ck_cell format, const float *weights, const void *values, const float *scales,
                             ptrdiff_t count, ptrdiff_t size, float *out) {
  for (ptrdiff_t j = 0; j < count; j++) {
    const float w = format == CK_CELL_INT8 ? weights[j] * scales[j] : weights[j];
    for (ptrdiff_t c = 0; c < size; c++) out[c] += w * cell_value(format, values, j * size + c);
  }
}

static void silu_product_scalar(float *gate, const float *up, ptrdiff_t count) {
  for (ptrdiff_t i = 0; i < count; i++) gate[i] = gate[i] / (1 + expf(-gate[i])) * up[i];
}

#define FAMILY "cache.c"
#include "each_level.h"

void ck_cell_store(ck_cell format, const float *x, void *cell, float *scale, ptrdiff_t size) {
  DISPATCH(cell_store, format, x, cell, scale, size)
}
void ck_cells_load(ck_cell format, const void *cells, const float *scales, float *y, ptrdiff_t count, ptrdiff_t size) {
  DISPATCH(cells_load, format, cells, scales, y, count, size)
}
void ck_cells_scores(ck_cell format, const float *q, const void *keys, const float *scales, ptrdiff_t count,
                     ptrdiff_t size, float factor, float *scores) {
  DISPATCH(cells_scores, format, q, keys, scales, count, size, factor, scores)
}
void ck_cells_mix(ck_cell format, const float *weights, const void *values, const float *scales, ptrdiff_t count,
                  ptrdiff_t size, float *out) {
  DISPATCH(cells_mix, format, weights, values, scales, count, size, out)
}
void ck_silu_product(float *gate, const float *up, ptrdiff_t count) { DISPATCH(silu_product, gate, up, count) }

#else

#define load_cell AT(load_cell_of)
#define dots AT(dots_of)
#define lane_sums AT(lane_sums_of)
#define sum_four AT(sum_four_of)
#define mix_columns AT(mix_columns_of)

typedef int8_t AT(bytes_of) __attribute__((vector_size(LANES)));

// LANES values from element i on, without their scale.
INLINE vf load_cell(const ck_cell format, const void *cells, ptrdiff_t i) {
  if (format == CK_CELL_F16) {
    const uint16_t *p = (const uint16_t *)cells + i;
#if defined(__x86_64__) && LANES == 16
    return (vf)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
#elif defined(__x86_64__)
    return (vf)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
#else
    return (vf)vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
#endif
  }
  if (format == CK_CELL_INT8) {
    AT(bytes_of) b;
    memcpy(&b, (const int8_t *)cells + i, LANES);
    return __builtin_convertvector(b, vf);
  }
  return load((const float *)cells + i);
}

static void AT(cell_store)(ck_cell format, const float *x, void *cell, float *scale, ptrdiff_t size) {
  if (format == CK_CELL_INT8) {
    vf most = {0};
    ptrdiff_t c = 0;
    for (; c + LANES <= size; c += LANES) {
      const vf v = load(x + c), m = choose(v < 0, -v, v);
      most = choose(m > most, m, most);
    }
    float top = max_lanes(most);
    for (; c < size; c++) top = fabsf(x[c]) > top ? fabsf(x[c]) : top;
    *scale = top / 127.0f;
    const float factor = top > 1e-30f ? 127.0f / top : 0;
    for (c = 0; c + LANES <= size; c += LANES) {
      const vi v = (vi)(load(x + c) * factor + 12582912.0f) - 0x4b400000;
      const AT(bytes_of) b = __builtin_convertvector(v, AT(bytes_of));
      memcpy((int8_t *)cell + c, &b, LANES);
    }
    for (; c < size; c++) ((int8_t *)cell)[c] = round_byte(x[c] * factor);
    return;
  }
  if (format == CK_CELL_F16) {
    uint16_t *y = cell;
    ptrdiff_t c = 0;
#if defined(__x86_64__)
    for (; c + 8 <= size; c += 8)
      _mm_storeu_si128((__m128i *)(y + c), _mm256_cvtps_ph(_mm256_loadu_ps(x + c), _MM_FROUND_TO_NEAREST_INT));
#elif defined(__aarch64__)
    for (; c + 4 <= size; c += 4) vst1_u16(y + c, vreinterpret_u16_f16(vcvt_f16_f32(vld1q_f32(x + c))));
#endif
    for (; c < size; c++) y[c] = half_of_float(x[c]);
    return;
  }
  memcpy(cell, x, (size_t)size * sizeof *x);
}

static void AT(cells_load)(ck_cell format, const void *cells, const float *scales, float *y, ptrdiff_t count,
                           ptrdiff_t size) {
  for (ptrdiff_t j = 0; j < count; j++, y += size) {
    const float scale = format == CK_CELL_INT8 ? scales[j] : 1;
    ptrdiff_t c = 0;
    for (; c + LANES <= size; c += LANES) store(y + c, scale * load_cell(format, cells, j * size + c));
    for (; c < size; c++) y[c] = scale * cell_value(format, cells, j * size + c);
  }
}

// The lanes of four vectors, each summed as sum_lanes sums them.
INLINE void sum_four(const vf *v, float *sums) {
#if LANES == 16
  typedef float half_t __attribute__((vector_size(32)));
  half_t h[4];
  for (int j = 0; j < 4; j++)
    h[j] = __builtin_shufflevector(v[j], v[j], 0, 1, 2, 3, 4, 5, 6, 7) +
           __builtin_shufflevector(v[j], v[j], 8, 9, 10, 11, 12, 13, 14, 15);
#else
  const vf *h = v;
#endif
#if LANES >= 8
  typedef float quarter_t __attribute__((vector_size(16)));
  quarter_t q[4];
  for (int j = 0; j < 4; j++)
    q[j] = __builtin_shufflevector(h[j], h[j], 0, 1, 2, 3) + __builtin_shufflevector(h[j], h[j], 4, 5, 6, 7);
#else
  typedef vf quarter_t;
  const vf *q = h;
#endif
  // Lanes 0 and 2, and 1 and 3, then the two sums: of two vectors at a time, then of all four.
  const quarter_t a = __builtin_shufflevector(q[0], q[1], 0, 1, 4, 5) + __builtin_shufflevector(q[0], q[1], 2, 3, 6, 7);
  const quarter_t b = __builtin_shufflevector(q[2], q[3], 0, 1, 4, 5) + __builtin_shufflevector(q[2], q[3], 2, 3, 6, 7);
  const quarter_t c = __builtin_shufflevector(a, b, 0, 2, 4, 6) + __builtin_shufflevector(a, b, 1, 3, 5, 7);
  memcpy(sums, &c, 16);
}

// The lanes' sums of q · k for one key, but for the coordinates behind the last whole vector.
INLINE vf lane_sums(const ck_cell format, const float *q, const void *keys, ptrdiff_t key, ptrdiff_t size) {
  vf even = {0}, odd = {0};
  ptrdiff_t c = 0;
  for (; c + 2 * LANES <= size; c += 2 * LANES) {
    even += load(q + c) * load_cell(format, keys, key * size + c);
    odd += load(q + c + LANES) * load_cell(format, keys, key * size + c + LANES);
  }
  if (c + LANES <= size) even += load(q + c) * load_cell(format, keys, key * size + c);
  return even + odd;
}

// q · k_j for n keys from the first on, n being 1 or 4. Keys are read one after the other: read side by side, each would
// be a stream of its own to the processor, too short to be fetched ahead (measured on Zen 4: half the speed).
INLINE void dots(const ck_cell format, const float *q, const void *keys, ptrdiff_t first, ptrdiff_t size, float *sums,
                 const int n) {
  vf sum[4];
#pragma clang loop unroll(full)
  for (int j = 0; j < n; j++) sum[j] = lane_sums(format, q, keys, first + j, size);
  if (n == 4)
    sum_four(sum, sums);
  else
    sums[0] = sum_lanes(sum[0]);
  for (ptrdiff_t c = size / LANES * LANES; c < size; c++)
    for (int j = 0; j < n; j++) sums[j] += q[c] * cell_value(format, keys, (first + j) * size + c);
}

#define all_dots AT(all_dots_of)
INLINE void all_dots(const ck_cell format, const float *q, const void *keys, ptrdiff_t count, ptrdiff_t size,
                     float *scores) {
  ptrdiff_t j = 0;
  for (; j + 4 <= count; j += 4) dots(format, q, keys, j, size, scores + j, 4);
  for (; j < count; j++) dots(format, q, keys, j, size, scores + j, 1);
}

static void AT(cells_scores)(ck_cell format, const float *q, const void *keys, const float *scales, ptrdiff_t count,
                             ptrdiff_t size, float factor, float *scores) {
  switch (format) {
  case CK_CELL_F16: all_dots(CK_CELL_F16, q, keys, count, size, scores); break;
  case CK_CELL_INT8:
    all_dots(CK_CELL_INT8, q, keys, count, size, scores);
    for (ptrdiff_t j = 0; j < count; j++) scores[j] *= factor * scales[j];
    return;
  default: all_dots(CK_CELL_F32, q, keys, count, size, scores);
  }
  for (ptrdiff_t j = 0; j < count; j++) scores[j] *= factor;
}

// nv vectors of columns, whose sums stay in registers.
INLINE void mix_columns(const ck_cell format, const float *weights, const void *values, const float *scales,
                        ptrdiff_t count, ptrdiff_t size, ptrdiff_t column, float *out, const int nv) {
  vf sum[8];
#pragma clang loop unroll(full)
  for (int i = 0; i < nv; i++) sum[i] = load(out + column + i * LANES);
  for (ptrdiff_t j = 0; j < count; j++) {
    const vf w = splat(format == CK_CELL_INT8 ? weights[j] * scales[j] : weights[j]);
#pragma clang loop unroll(full)
    for (int i = 0; i < nv; i++) sum[i] += w * load_cell(format, values, j * size + column + i * LANES);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < nv; i++) store(out + column + i * LANES, sum[i]);
}

#define mix_all AT(mix_all_of)
INLINE void mix_all(const ck_cell format, const float *weights, const void *values, const float *scales,
                    ptrdiff_t count, ptrdiff_t size, float *out) {
  ptrdiff_t c = 0;
  for (; c + 8 * LANES <= size; c += 8 * LANES)
    mix_columns(format, weights, values, scales, count, size, c, out, 8);
  if (c + 4 * LANES <= size) {
    mix_columns(format, weights, values, scales, count, size, c, out, 4);
    c += 4 * LANES;
  }
  for (; c + LANES <= size; c += LANES) mix_columns(format, weights, values, scales, count, size, c, out, 1);
  for (; c < size; c++)
    for (ptrdiff_t j = 0; j < count; j++)
      out[c] += (format == CK_CELL_INT8 ? weights[j] * scales[j] : weights[j]) * cell_value(format, values, j * size + c);
}

static void AT(cells_mix)(ck_cell format, const float *weights, const void *values, const float *scales,
                          ptrdiff_t count, ptrdiff_t size, float *out) {
  switch (format) {
  case CK_CELL_F16: return mix_all(CK_CELL_F16, weights, values, scales, count, size, out);
  case CK_CELL_INT8: return mix_all(CK_CELL_INT8, weights, values, scales, count, size, out);
  default: return mix_all(CK_CELL_F32, weights, values, scales, count, size, out);
  }
}

static void AT(silu_product)(float *gate, const float *up, ptrdiff_t count) {
  ptrdiff_t i = 0;
  for (; i + LANES <= count; i += LANES) {
    const vf g = load(gate + i);
    store(gate + i, g / (1.0f + exponential(-g)) * load(up + i));
  }
  for (; i < count; i++) gate[i] = gate[i] / (1 + expf(-gate[i])) * up[i];
}

#endif
