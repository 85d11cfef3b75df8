// Weights of four bits with offsets: tiles made, read back, and (slowly) multiplied with quantised activations.
#ifndef LANES
#include "products.h"

size_t ck_int4_affine_tile_bytes(ptrdiff_t columns) { return (size_t)groups_of(columns) * INT4_AFFINE_GROUP_BYTES; }

static void put_nibble(uint8_t *tile, ptrdiff_t row, ptrdiff_t column, int q) {
  tile[int4_affine_byte_at(row, column)] |= (uint8_t)(is_upper(column) ? q << 4 : q);
}
static int nibble(const uint8_t *tile, ptrdiff_t row, ptrdiff_t column) {
  const uint8_t byte = tile[int4_affine_byte_at(row, column)];
  return is_upper(column) ? byte >> 4 : byte & 15;
}

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
  for (ptrdiff_t i = 0; i < count; i++) {
    const float q = nearbyintf((x[i] - offset) / scale);
    put_nibble(tile, row, group * CK_GROUP + i, (int)(q > 15 ? 15 : q < 0 ? 0 : q));
  }
}

static void unpack_group(const uint8_t *tile, ptrdiff_t row, ptrdiff_t group, ptrdiff_t count, float *y) {
  const float scale = float_of_half(load_u16(tile + int4_affine_scale_at(group, row)));
  const float offset = float_of_half(load_u16(tile + int4_affine_offset_at(group, row)));
  for (ptrdiff_t i = 0; i < count; i++)
    y[i] = fmaf(scale, (float)nibble(tile, row, group * CK_GROUP + i), offset);
}

static ptrdiff_t values_in(ptrdiff_t group, ptrdiff_t columns) {
  const ptrdiff_t left = columns - group * CK_GROUP;
  return left < CK_GROUP ? left : CK_GROUP;
}

static void int4_affine_pack_scalar(const float *x, ptrdiff_t rows, ptrdiff_t columns, uint8_t *tile) {
  memset(tile, 0, ck_int4_affine_tile_bytes(columns));
  for (ptrdiff_t r = 0; r < rows; r++)
    for (ptrdiff_t g = 0; g < groups_of(columns); g++)
      pack_group(x + r * columns + g * CK_GROUP, values_in(g, columns), tile, r, g);
}

static void int4_affine_unpack_scalar(const uint8_t *tile, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t columns, float *y) {
  for (ptrdiff_t r = 0; r < rows; r++)
    for (ptrdiff_t g = 0; g < groups_of(columns); g++)
      unpack_group(tile, first + r, g, values_in(g, columns), y + r * columns + g * CK_GROUP);
}

void ck_int4_affine_product_scalar(const uint8_t *tiles, const ck_activations *x, ptrdiff_t batch, float *y,
                            ptrdiff_t y_stride, ptrdiff_t rows, ptrdiff_t columns) {
  const ptrdiff_t groups = groups_of(columns);
  const size_t tile_bytes = ck_int4_affine_tile_bytes(columns);
  for (ptrdiff_t first = 0; first < batch; first += CK_CHUNK) {
    const ptrdiff_t width = batch - first < CK_CHUNK ? batch - first : CK_CHUNK;
    for (ptrdiff_t r = 0; r < rows; r++) {
      const uint8_t *const tile = tiles + (size_t)(r / CK_TILE) * tile_bytes;
      for (ptrdiff_t b = 0; b < width; b++) {
        float sum = 0;
        for (ptrdiff_t g = 0; g < groups; g++) {
          const ck_activations *const a = x + (first * groups + g * width + b);
          int32_t dot = 0;
          for (ptrdiff_t i = 0; i < CK_GROUP; i++) dot += nibble(tile, r % CK_TILE, g * CK_GROUP + i) * a->q[i];
          sum = fmaf((float)dot, float_of_half(load_u16(tile + int4_affine_scale_at(g, r % CK_TILE))) * a->scale, sum);
          sum = fmaf(float_of_half(load_u16(tile + int4_affine_offset_at(g, r % CK_TILE))), a->sum, sum);
        }
        y[(first + b) * y_stride + r] = sum;
      }
    }
  }
}

#define FAMILY "decode_int4_affine.c"
#include "each_level.h"

void ck_int4_affine_pack(const float *x, ptrdiff_t rows, ptrdiff_t columns, void *tile) {
  DISPATCH(int4_affine_pack, x, rows, columns, tile)
}
void ck_int4_affine_unpack(const void *tile, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t columns, float *y) {
  DISPATCH(int4_affine_unpack, tile, first, rows, columns, y)
}
void ck_int4_affine_multiply(const void *tiles, const ck_activations *x, ptrdiff_t batch, float *y, ptrdiff_t y_stride,
                      ptrdiff_t rows, ptrdiff_t columns) {
  FASTEST(ck_int4_affine_product)(tiles, x, batch, y, y_stride, rows, columns);
}

#else
#include "sixteen.h"

// Whole groups; bit by bit what pack_group does.
static void AT(int4_affine_pack)(const float *x, ptrdiff_t rows, ptrdiff_t columns, uint8_t *tile) {
  typedef int32_t i16 __attribute__((vector_size(64)));
  typedef uint8_t u8 __attribute__((vector_size(16)));
  memset(tile, 0, ck_int4_affine_tile_bytes(columns));
  for (ptrdiff_t r = 0; r < rows; r++)
    for (ptrdiff_t g = 0; g < groups_of(columns); g++) {
      const float *const from = x + r * columns + g * CK_GROUP;
      if (values_in(g, columns) < CK_GROUP) {
        pack_group(from, values_in(g, columns), tile, r, g);
        continue;
      }
      const v16 a = load16(CK_F32, from, 0), b = load16(CK_F32, from, 16);
      const int32_t bits = __builtin_reduce_max(__builtin_elementwise_max((i16)a & 0x7fffffff, (i16)b & 0x7fffffff));
      float scale, offset;
      if (!put_scales(__builtin_reduce_min(__builtin_elementwise_min(a, b)),
                      __builtin_reduce_max(__builtin_elementwise_max(a, b)), bits < 0x7f800000, tile, r, g, &scale,
                      &offset))
        continue;
      u8 halves[2];
      for (int part = 0; part < 2; part++) {
        v16 q = __builtin_elementwise_rint(((part ? b : a) - offset) / scale);
        q = __builtin_elementwise_min(__builtin_elementwise_max(q, (v16){0}), (v16){0} + 15.0f);
        halves[part] = __builtin_convertvector(__builtin_convertvector(q, i16), u8);
      }
      const u8 nibbles = halves[0] | halves[1] << 4;
      uint8_t *const to = tile + int4_affine_byte_at(r, g * CK_GROUP);
      for (int step = 0; step < CK_GROUP / 8; step++)
        memcpy(to + step * CK_TILE * 4, (const uint8_t *)&nibbles + 4 * step, 4);
    }
}

static void AT(int4_affine_unpack)(const uint8_t *tile, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t columns, float *y) {
  typedef uint8_t u8 __attribute__((vector_size(16)));
  for (ptrdiff_t r = 0; r < rows; r++)
    for (ptrdiff_t g = 0; g < groups_of(columns); g++) {
      float *const to = y + r * columns + g * CK_GROUP;
      if (values_in(g, columns) < CK_GROUP) {
        unpack_group(tile, first + r, g, values_in(g, columns), to);
        continue;
      }
      const uint8_t *const from = tile + int4_affine_byte_at(first + r, g * CK_GROUP);
      u8 nibbles;
      for (int step = 0; step < CK_GROUP / 8; step++)
        memcpy((uint8_t *)&nibbles + 4 * step, from + step * CK_TILE * 4, 4);
      const v16 scale = (v16){0} + float_of_half(load_u16(tile + int4_affine_scale_at(g, first + r)));
      const v16 offset = (v16){0} + float_of_half(load_u16(tile + int4_affine_offset_at(g, first + r)));
      store16(to, fma16(scale, __builtin_convertvector(nibbles & 15, v16), offset));
      store16(to + 16, fma16(scale, __builtin_convertvector(nibbles >> 4, v16), offset));
    }
}

#include "sixteen_end.h"
#endif
