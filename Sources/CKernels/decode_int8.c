// Weights of eight bits: tiles made, read back, and (slowly) multiplied with quantised activations.
#ifndef LANES
#include "products.h"

size_t ck_int8_tile_bytes(ptrdiff_t columns) {
  const ptrdiff_t groups = groups_of(columns);
  return (size_t)(groups / 2) * INT8_PAIR_BYTES + (size_t)(groups % 2) * (64 + INT8_GROUP_BYTES);
}

// The smallest f16 scale with which 127 steps reach `top` but for half a step.
static uint16_t scale_for(float top) {
  uint16_t scale = half_of_float(top / 127.0f);
  if (float_of_half(scale) * 127.5f < top) scale++;
  return scale;
}

static void pack_group(const float *x, ptrdiff_t count, uint8_t *tile, ptrdiff_t row, ptrdiff_t group) {
  float top = 0;
  bool finite = true;
  for (ptrdiff_t i = 0; i < count; i++) {
    const float size = fabsf(x[i]);
    finite = finite && size <= 3.4028235e38f;
    top = size > top ? size : top;
  }
  const uint16_t half = finite ? scale_for(top) : half_of_float(NAN);
  const float scale = float_of_half(half);
  store_u16(tile + int8_scale_at(group, row), half);
  // A scale that is zero, infinite or NaN leaves the weights zero; infinity and NaN show in the product.
  if (!(scale > 0 && scale <= 65504)) return;
  for (ptrdiff_t i = 0; i < count; i++) {
    const float q = nearbyintf(x[i] / scale);
    tile[int8_byte_at(row, group * CK_GROUP + i)] = (uint8_t)((int)(q > 127 ? 127 : q < -127 ? -127 : q) + 128);
  }
}

static void unpack_group(const uint8_t *tile, ptrdiff_t row, ptrdiff_t group, ptrdiff_t count, float *y) {
  const float scale = float_of_half(load_u16(tile + int8_scale_at(group, row)));
  for (ptrdiff_t i = 0; i < count; i++) y[i] = scale * (float)(tile[int8_byte_at(row, group * CK_GROUP + i)] - 128);
}

static float add_group(float sum, const uint8_t *tile, ptrdiff_t row, ptrdiff_t group, const ck_activations *a) {
  int32_t dot = a->bias;
  for (ptrdiff_t i = 0; i < CK_GROUP; i++) dot += (int)tile[int8_byte_at(row, group * CK_GROUP + i)] * a->q[i];
  return fmaf((float)dot, float_of_half(load_u16(tile + int8_scale_at(group, row))) * a->scale, sum);
}

#define clear int8_clear
#include "quantized.h"

void ck_int8_product_scalar(const uint8_t *tiles, const ck_activations *x, ptrdiff_t batch, float *y,
                            ptrdiff_t y_stride, ptrdiff_t rows, ptrdiff_t columns) {
  product_scalar(tiles, ck_int8_tile_bytes(columns), x, batch, y, y_stride, rows, columns);
}

#define FAMILY "decode_int8.c"
#include "each_level.h"

void ck_int8_pack(const float *x, ptrdiff_t rows, ptrdiff_t columns, void *tile) {
  DISPATCH(pack, x, rows, columns, tile)
}
void ck_int8_unpack(const void *tile, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t columns, float *y) {
  DISPATCH(unpack, tile, first, rows, columns, y)
}
void ck_int8_multiply(const void *tiles, const ck_activations *x, ptrdiff_t batch, float *y, ptrdiff_t y_stride,
                      ptrdiff_t rows, ptrdiff_t columns) {
  FASTEST(ck_int8_product)(tiles, x, batch, y, y_stride, rows, columns);
}

#else
#include "sixteen.h"

// Bit by bit what pack_group does.
INLINE void AT(pack_whole)(const float *x, uint8_t *tile, ptrdiff_t row, ptrdiff_t group) {
  typedef int32_t i16 __attribute__((vector_size(64)));
  typedef uint8_t u8 __attribute__((vector_size(16)));
  const v16 low = load16(CK_F32, x, 0), high = load16(CK_F32, x, 16);
  const i16 sizes = __builtin_elementwise_max((i16)low & 0x7fffffff, (i16)high & 0x7fffffff);
  const int32_t bits = __builtin_reduce_max(sizes);
  const uint16_t half = bits < 0x7f800000 ? scale_for(float_of_bits((uint32_t)bits)) : half_of_float(NAN);
  const float scale = float_of_half(half);
  store_u16(tile + int8_scale_at(group, row), half);
  if (!(scale > 0 && scale <= 65504)) return;
  uint8_t bytes[CK_GROUP];
  for (int part = 0; part < 2; part++) {
    const v16 most = (v16){0} + 127.0f;
    v16 q = __builtin_elementwise_rint((part ? high : low) / scale);
    q = __builtin_elementwise_min(__builtin_elementwise_max(q, -most), most);
    const u8 b = __builtin_convertvector(__builtin_convertvector(q, i16) + 128, u8);
    memcpy(bytes + 16 * part, &b, 16);
  }
  uint8_t *const to = tile + int8_byte_at(row, group * CK_GROUP);
  for (int step = 0; step < CK_GROUP / 4; step++) memcpy(to + step * CK_TILE * 4, bytes + 4 * step, 4);
}

INLINE void AT(unpack_whole)(const uint8_t *tile, ptrdiff_t row, ptrdiff_t group, float *y) {
  const uint8_t *const from = tile + int8_byte_at(row, group * CK_GROUP);
  uint32_t words[CK_GROUP / 4];
  for (int step = 0; step < CK_GROUP / 4; step++) {
    memcpy(&words[step], from + step * CK_TILE * 4, 4);
    words[step] ^= 0x80808080;
  }
  const float scale = float_of_half(load_u16(tile + int8_scale_at(group, row)));
  store16(y, scale * load16(CK_S8, words, 0));
  store16(y + 16, scale * load16(CK_S8, words, 16));
}

#include "quantized.h"
#include "sixteen_end.h"
#endif
