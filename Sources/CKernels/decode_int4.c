// Weights of four bits and a scale: tiles made, read back, and (slowly) multiplied with quantised activations.
#ifndef LANES
#include "products.h"

size_t ck_int4_tile_bytes(ptrdiff_t columns) {
  const ptrdiff_t groups = groups_of(columns);
  return (size_t)(groups / 2) * INT4_PAIR_BYTES + (size_t)(groups % 2) * (64 + INT4_GROUP_BYTES);
}

// The weight of the greatest size becomes -8 steps, as in Q4_0, or -8.5, which is cut off to -8: then one weight errs by
// half a step, and all others have finer steps. What errs less is taken: over normal numbers 6 % less than -8 alone
// (summed squares), where four candidates would give 8.
static const float INT4_FARTHEST[] = {-8.0f, -8.5f};
enum { CANDIDATES = 2 };
static bool is_scale(float scale) { return scale != 0 && fabsf(scale) <= 65504; }

static float step(float x, float scale) {
  const float q = nearbyintf(x / scale);
  return q > 7 ? 7 : q < -8 ? -8 : q;
}

// Σ (x - scale · q)², in the order in which the vectors below add: 16 lanes of two values, then halves.
static float error_of(const float x[CK_GROUP], float scale) {
  float lanes[CK_GROUP / 2];
  for (int i = 0; i < CK_GROUP / 2; i++) {
    const float a = fmaf(-step(x[i], scale), scale, x[i]), b = fmaf(-step(x[i + 16], scale), scale, x[i + 16]);
    const float square = b * b;
    lanes[i] = fmaf(a, a, square);
  }
  for (int width = 8; width > 0; width /= 2)
    for (int i = 0; i < width; i++) lanes[i] += lanes[i + width];
  return lanes[0];
}

static void pack_group(const float *x, ptrdiff_t count, uint8_t *tile, ptrdiff_t row, ptrdiff_t group) {
  float values[CK_GROUP] = {0}, low = 0, high = 0, best = INFINITY, scale = 0;
  bool finite = true;
  for (ptrdiff_t i = 0; i < count; i++) {
    values[i] = x[i];
    finite = finite && fabsf(x[i]) <= 3.4028235e38f;
    low = x[i] < low ? x[i] : low;
    high = x[i] > high ? x[i] : high;
  }
  const float far = finite ? (-low > high ? low : high) : NAN;
  uint16_t half = far == 0 ? 0 : half_of_float(far / INT4_FARTHEST[0]);
  for (int c = 0; c < CANDIDATES; c++) {
    const uint16_t tried = half_of_float(far / INT4_FARTHEST[c]);
    if (!is_scale(float_of_half(tried))) continue;
    const float error = error_of(values, float_of_half(tried));
    if (error < best) best = error, half = tried, scale = float_of_half(tried);
  }
  store_u16(tile + int4_scale_at(group, row), half);
  // A scale that is zero, infinite or NaN leaves the weights zero; infinity and NaN show in the product.
  if (scale == 0) return;
  uint8_t nibbles[CK_GROUP / 2];
  for (int i = 0; i < CK_GROUP / 2; i++) {
    const int first = (int)step(values[i], scale) + 8, second = (int)step(values[i + 16], scale) + 8;
    nibbles[i] = (uint8_t)(first | second << 4);
  }
  store_nibbles(nibbles, tile + int4_nibbles_at(group, row));
}

static void unpack_group(const uint8_t *tile, ptrdiff_t row, ptrdiff_t group, ptrdiff_t count, float *y) {
  const float scale = float_of_half(load_u16(tile + int4_scale_at(group, row)));
  uint8_t nibbles[CK_GROUP / 2];
  load_nibbles(tile + int4_nibbles_at(group, row), nibbles);
  for (ptrdiff_t i = 0; i < count; i++) y[i] = scale * (float)(nibble(nibbles, i) - 8);
}

static float add_group(float sum, const uint8_t *tile, ptrdiff_t row, ptrdiff_t group, const ck_activations *a) {
  uint8_t nibbles[CK_GROUP / 2];
  load_nibbles(tile + int4_nibbles_at(group, row), nibbles);
  int32_t dot = 0;
  for (ptrdiff_t i = 0; i < CK_GROUP; i++) dot += (nibble(nibbles, i) - 8) * a->q[i];
  return fmaf((float)dot, float_of_half(load_u16(tile + int4_scale_at(group, row))) * a->scale, sum);
}

#define clear int4_clear
#include "quantized.h"

void ck_int4_product_scalar(const uint8_t *tiles, const ck_activations *x, ptrdiff_t batch, float *y,
                            ptrdiff_t y_stride, ptrdiff_t rows, ptrdiff_t columns) {
  product_scalar(tiles, ck_int4_tile_bytes(columns), x, batch, y, y_stride, rows, columns);
}

#define FAMILY "decode_int4.c"
#include "each_level.h"

void ck_int4_pack(const float *x, ptrdiff_t rows, ptrdiff_t columns, void *tile) {
  DISPATCH(pack, x, rows, columns, tile)
}
void ck_int4_unpack(const void *tile, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t columns, float *y) {
  DISPATCH(unpack, tile, first, rows, columns, y)
}
void ck_int4_multiply(const void *tiles, const ck_activations *x, ptrdiff_t batch, float *y, ptrdiff_t y_stride,
                      ptrdiff_t rows, ptrdiff_t columns) {
  FASTEST(ck_int4_product)(tiles, x, batch, y, y_stride, rows, columns);
}

#else
#include "sixteen.h"

INLINE v16 AT(steps)(v16 x, float scale) {
  const v16 q = __builtin_elementwise_rint(x / scale);
  return __builtin_elementwise_min(__builtin_elementwise_max(q, (v16){0} - 8.0f), (v16){0} + 7.0f);
}

// Bit by bit what pack_group does.
INLINE void AT(pack_whole)(const float *x, uint8_t *tile, ptrdiff_t row, ptrdiff_t group) {
  typedef int32_t i16 __attribute__((vector_size(64)));
  typedef uint8_t u8 __attribute__((vector_size(16)));
  const v16 a = load16(CK_F32, x, 0), b = load16(CK_F32, x, 16);
  const int32_t bits = __builtin_reduce_max(__builtin_elementwise_max((i16)a & 0x7fffffff, (i16)b & 0x7fffffff));
  const float low = __builtin_reduce_min(__builtin_elementwise_min(a, b));
  const float high = __builtin_reduce_max(__builtin_elementwise_max(a, b));
  const float far = bits < 0x7f800000 ? (-low > high ? low : high) : NAN;
  uint16_t half = far == 0 ? 0 : half_of_float(far / INT4_FARTHEST[0]);
  float best = INFINITY, scale = 0;
  for (int c = 0; c < CANDIDATES; c++) {
    const uint16_t tried = half_of_float(far / INT4_FARTHEST[c]);
    const float size = float_of_half(tried);
    if (!is_scale(size)) continue;
    const v16 s = (v16){0} + size;
    const v16 da = fma16(-AT(steps)(a, size), s, a), db = fma16(-AT(steps)(b, size), s, b);
    const v16 square = db * db;
    const float error = sum16(fma16(da, da, square));
    if (error < best) best = error, half = tried, scale = size;
  }
  store_u16(tile + int4_scale_at(group, row), half);
  if (scale == 0) return;
  const v16 first = AT(steps)(a, scale) + 8.0f, second = AT(steps)(b, scale) + 8.0f;
  const u8 nibbles = __builtin_convertvector(__builtin_convertvector(first, i16), u8) |
                     __builtin_convertvector(__builtin_convertvector(second, i16), u8) << 4;
  store_nibbles((const uint8_t *)&nibbles, tile + int4_nibbles_at(group, row));
}

INLINE void AT(unpack_whole)(const uint8_t *tile, ptrdiff_t row, ptrdiff_t group, float *y) {
  typedef uint8_t u8 __attribute__((vector_size(16)));
  u8 nibbles;
  load_nibbles(tile + int4_nibbles_at(group, row), (uint8_t *)&nibbles);
  const float scale = float_of_half(load_u16(tile + int4_scale_at(group, row)));
  store16(y, scale * (__builtin_convertvector(nibbles & 15, v16) - 8.0f));
  store16(y + 16, scale * (__builtin_convertvector(nibbles >> 4, v16) - 8.0f));
}

#include "quantized.h"
#include "sixteen_end.h"
#endif
