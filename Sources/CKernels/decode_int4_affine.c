// Weights of four bits with offsets: tiles made, read back, and (slowly) multiplied with quantised activations.
#ifndef LANES
#include "products.h"

size_t ck_int4_affine_tile_bytes(ptrdiff_t columns) { return (size_t)groups_of(columns) * INT4_AFFINE_GROUP_BYTES; }

// Scale and offset of values from `low` to `high`; whether the values are to be quantised with them, or the group is
// zeros (all equal), infinite or NaN, as they say.
static bool put_scales(float low, float high, bool finite, uint8_t *tile, ptrdiff_t row, ptrdiff_t group, float *scale,
                       float *offset) {
  const uint16_t offset_half = half_of_float(finite ? low : NAN);
  *offset = float_of_half(offset_half);
  uint16_t half = half_of_float(finite ? (high - *offset > 0 ? high - *offset : 0) / 15.0f : NAN);
  // Fifteen steps reach the greatest value but for half a step.
  if (float_of_half(half) * 15.5f < high - *offset) half++;
  *scale = float_of_half(half);
  store_u16(tile + int4_affine_scale_at(group, row), half);
  store_u16(tile + int4_affine_offset_at(group, row), offset_half);
  return *scale > 0 && *scale <= 65504 && fabsf(*offset) <= 65504;
}

static void pack_group(const float *x, ptrdiff_t count, uint8_t *tile, ptrdiff_t row, ptrdiff_t group) {
  float low = x[0], high = x[0], scale, offset;
  bool finite = true;
  for (ptrdiff_t i = 0; i < count; i++) {
    finite = finite && fabsf(x[i]) <= 3.4028235e38f;
    low = x[i] < low ? x[i] : low;
    high = x[i] > high ? x[i] : high;
  }
  if (!put_scales(low, high, finite, tile, row, group, &scale, &offset)) return;
  uint8_t nibbles[CK_GROUP / 2] = {0};
  for (ptrdiff_t i = 0; i < count; i++) {
    const float q = nearbyintf((x[i] - offset) / scale);
    nibbles[i % 16] |= (uint8_t)((int)(q > 15 ? 15 : q < 0 ? 0 : q) << (i < 16 ? 0 : 4));
  }
  store_nibbles(nibbles, tile + int4_affine_nibbles_at(group, row));
}

static void unpack_group(const uint8_t *tile, ptrdiff_t row, ptrdiff_t group, ptrdiff_t count, float *y) {
  const float scale = float_of_half(load_u16(tile + int4_affine_scale_at(group, row)));
  const float offset = float_of_half(load_u16(tile + int4_affine_offset_at(group, row)));
  uint8_t nibbles[CK_GROUP / 2];
  load_nibbles(tile + int4_affine_nibbles_at(group, row), nibbles);
  for (ptrdiff_t i = 0; i < count; i++) y[i] = fmaf(scale, (float)nibble(nibbles, i), offset);
}

static float add_group(float sum, const uint8_t *tile, ptrdiff_t row, ptrdiff_t group, const ck_activations *a) {
  uint8_t nibbles[CK_GROUP / 2];
  load_nibbles(tile + int4_affine_nibbles_at(group, row), nibbles);
  int32_t dot = 0;
  for (ptrdiff_t i = 0; i < CK_GROUP; i++) dot += nibble(nibbles, i) * a->q[i];
  sum = fmaf((float)dot, float_of_half(load_u16(tile + int4_affine_scale_at(group, row))) * a->scale, sum);
  return fmaf(float_of_half(load_u16(tile + int4_affine_offset_at(group, row))), a->sum, sum);
}

#define clear int4_affine_clear
#include "quantized.h"

void ck_int4_affine_product_scalar(const uint8_t *tiles, const ck_activations *x, ptrdiff_t batch, float *y,
                                   ptrdiff_t y_stride, ptrdiff_t rows, ptrdiff_t columns) {
  product_scalar(tiles, ck_int4_affine_tile_bytes(columns), x, batch, y, y_stride, rows, columns);
}

#define FAMILY "decode_int4_affine.c"
#include "each_level.h"

void ck_int4_affine_pack(const float *x, ptrdiff_t rows, ptrdiff_t columns, void *tile) {
  DISPATCH(pack, x, rows, columns, tile)
}
void ck_int4_affine_unpack(const void *tile, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t columns, float *y) {
  DISPATCH(unpack, tile, first, rows, columns, y)
}
void ck_int4_affine_multiply(const void *tiles, const ck_activations *x, ptrdiff_t batch, float *y, ptrdiff_t y_stride,
                             ptrdiff_t rows, ptrdiff_t columns) {
  FASTEST(ck_int4_affine_product)(tiles, x, batch, y, y_stride, rows, columns);
}

#else
#include "sixteen.h"

INLINE v16 AT(steps)(v16 x, float scale, float offset) {
  const v16 q = __builtin_elementwise_rint((x - offset) / scale);
  return __builtin_elementwise_min(__builtin_elementwise_max(q, (v16){0}), (v16){0} + 15.0f);
}

// Bit by bit what pack_group does.
INLINE void AT(pack_whole)(const float *x, uint8_t *tile, ptrdiff_t row, ptrdiff_t group) {
  typedef int32_t i16 __attribute__((vector_size(64)));
  typedef uint8_t u8 __attribute__((vector_size(16)));
  const v16 a = load16(CK_F32, x, 0), b = load16(CK_F32, x, 16);
  const int32_t bits = __builtin_reduce_max(__builtin_elementwise_max((i16)a & 0x7fffffff, (i16)b & 0x7fffffff));
  const float low = __builtin_reduce_min(__builtin_elementwise_min(a, b));
  const float high = __builtin_reduce_max(__builtin_elementwise_max(a, b));
  float scale, offset;
  if (!put_scales(low, high, bits < 0x7f800000, tile, row, group, &scale, &offset)) return;
  const v16 first = AT(steps)(a, scale, offset), second = AT(steps)(b, scale, offset);
  const u8 nibbles = __builtin_convertvector(__builtin_convertvector(first, i16), u8) |
                     __builtin_convertvector(__builtin_convertvector(second, i16), u8) << 4;
  store_nibbles((const uint8_t *)&nibbles, tile + int4_affine_nibbles_at(group, row));
}

INLINE void AT(unpack_whole)(const uint8_t *tile, ptrdiff_t row, ptrdiff_t group, float *y) {
  typedef uint8_t u8 __attribute__((vector_size(16)));
  u8 nibbles;
  load_nibbles(tile + int4_affine_nibbles_at(group, row), (uint8_t *)&nibbles);
  const v16 scale = (v16){0} + float_of_half(load_u16(tile + int4_affine_scale_at(group, row)));
  const v16 offset = (v16){0} + float_of_half(load_u16(tile + int4_affine_offset_at(group, row)));
  store16(y, fma16(scale, __builtin_convertvector(nibbles & 15, v16), offset));
  store16(y + 16, fma16(scale, __builtin_convertvector(nibbles >> 4, v16), offset));
}

#include "quantized.h"
#include "sixteen_end.h"
#endif
