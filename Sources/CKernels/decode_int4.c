// Weights of four bits and a scale: tiles made, read back, and (slowly) multiplied with quantised activations.
#ifndef LANES
#include "products.h"

size_t ck_int4_tile_bytes(ptrdiff_t columns) {
  const ptrdiff_t groups = groups_of(columns);
  return (size_t)(groups / 2) * INT4_PAIR_BYTES + (size_t)(groups % 2) * (64 + INT4_GROUP_BYTES);
}

static int nibble(const uint8_t *tile, ptrdiff_t row, ptrdiff_t column) {
  const uint8_t byte = tile[int4_byte_at(row, column)];
  return is_upper(column) ? byte >> 4 : byte & 15;
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
  for (ptrdiff_t i = 0; i < CK_GROUP / 2; i++) {
    const int first = (int)step(values[i], scale) + 8, second = (int)step(values[i + 16], scale) + 8;
    tile[int4_byte_at(row, group * CK_GROUP + i)] = (uint8_t)(first | second << 4);
  }
}

static void unpack_group(const uint8_t *tile, ptrdiff_t row, ptrdiff_t group, ptrdiff_t count, float *y) {
  const float scale = float_of_half(load_u16(tile + int4_scale_at(group, row)));
  for (ptrdiff_t i = 0; i < count; i++) y[i] = scale * (float)(nibble(tile, row, group * CK_GROUP + i) - 8);
}

static ptrdiff_t values_in(ptrdiff_t group, ptrdiff_t columns) {
  const ptrdiff_t left = columns - group * CK_GROUP;
  return left < CK_GROUP ? left : CK_GROUP;
}

static void int4_pack_scalar(const float *x, ptrdiff_t rows, ptrdiff_t columns, uint8_t *tile) {
  int4_clear(tile, groups_of(columns));
  for (ptrdiff_t r = 0; r < rows; r++)
    for (ptrdiff_t g = 0; g < groups_of(columns); g++)
      pack_group(x + r * columns + g * CK_GROUP, values_in(g, columns), tile, r, g);
}

static void int4_unpack_scalar(const uint8_t *tile, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t columns, float *y) {
  for (ptrdiff_t r = 0; r < rows; r++)
    for (ptrdiff_t g = 0; g < groups_of(columns); g++)
      unpack_group(tile, first + r, g, values_in(g, columns), y + r * columns + g * CK_GROUP);
}

void ck_int4_product_scalar(const uint8_t *tiles, const ck_activations *x, ptrdiff_t batch, float *y,
                            ptrdiff_t y_stride, ptrdiff_t rows, ptrdiff_t columns) {
  const ptrdiff_t groups = groups_of(columns);
  const size_t tile_bytes = ck_int4_tile_bytes(columns);
  for (ptrdiff_t first = 0; first < batch; first += CK_CHUNK) {
    const ptrdiff_t width = batch - first < CK_CHUNK ? batch - first : CK_CHUNK;
    for (ptrdiff_t r = 0; r < rows; r++) {
      const uint8_t *const tile = tiles + (size_t)(r / CK_TILE) * tile_bytes;
      for (ptrdiff_t b = 0; b < width; b++) {
        float sum = 0;
        for (ptrdiff_t g = 0; g < groups; g++) {
          const ck_activations *const a = x + (first * groups + g * width + b);
          int32_t dot = 0;
          for (ptrdiff_t i = 0; i < CK_GROUP; i++)
            dot += (nibble(tile, r % CK_TILE, g * CK_GROUP + i) - 8) * a->q[i];
          sum = fmaf((float)dot, float_of_half(load_u16(tile + int4_scale_at(g, r % CK_TILE))) * a->scale, sum);
        }
        y[(first + b) * y_stride + r] = sum;
      }
    }
  }
}

#define FAMILY "decode_int4.c"
#include "each_level.h"

void ck_int4_pack(const float *x, ptrdiff_t rows, ptrdiff_t columns, void *tile) {
  DISPATCH(int4_pack, x, rows, columns, tile)
}
void ck_int4_unpack(const void *tile, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t columns, float *y) {
  DISPATCH(int4_unpack, tile, first, rows, columns, y)
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

// Whole groups; bit by bit what pack_group does.
static void AT(int4_pack)(const float *x, ptrdiff_t rows, ptrdiff_t columns, uint8_t *tile) {
  typedef int32_t i16 __attribute__((vector_size(64)));
  typedef uint8_t u8 __attribute__((vector_size(16)));
  int4_clear(tile, groups_of(columns));
  for (ptrdiff_t r = 0; r < rows; r++)
    for (ptrdiff_t g = 0; g < groups_of(columns); g++) {
      const float *const from = x + r * columns + g * CK_GROUP;
      if (values_in(g, columns) < CK_GROUP) {
        pack_group(from, values_in(g, columns), tile, r, g);
        continue;
      }
      const v16 a = load16(CK_F32, from, 0), b = load16(CK_F32, from, 16);
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
      store_u16(tile + int4_scale_at(g, r), half);
      if (scale == 0) continue;
      u8 halves[2];
      for (int part = 0; part < 2; part++)
        halves[part] =
            __builtin_convertvector(__builtin_convertvector(AT(steps)(part ? b : a, scale), i16) + 8, u8);
      const u8 nibbles = halves[0] | halves[1] << 4;
      uint8_t *const to = tile + int4_byte_at(r, g * CK_GROUP);
      for (int step = 0; step < CK_GROUP / 8; step++)
        memcpy(to + step * CK_TILE * 4, (const uint8_t *)&nibbles + 4 * step, 4);
    }
}

static void AT(int4_unpack)(const uint8_t *tile, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t columns, float *y) {
  typedef uint8_t u8 __attribute__((vector_size(16)));
  for (ptrdiff_t r = 0; r < rows; r++)
    for (ptrdiff_t g = 0; g < groups_of(columns); g++) {
      float *const to = y + r * columns + g * CK_GROUP;
      if (values_in(g, columns) < CK_GROUP) {
        unpack_group(tile, first + r, g, values_in(g, columns), to);
        continue;
      }
      const uint8_t *const from = tile + int4_byte_at(first + r, g * CK_GROUP);
      u8 nibbles;
      for (int step = 0; step < CK_GROUP / 8; step++)
        memcpy((uint8_t *)&nibbles + 4 * step, from + step * CK_TILE * 4, 4);
      const float scale = float_of_half(load_u16(tile + int4_scale_at(g, first + r)));
      store16(to, scale * (__builtin_convertvector(nibbles & 15, v16) - 8.0f));
      store16(to + 16, scale * (__builtin_convertvector(nibbles >> 4, v16) - 8.0f));
    }
}

#include "sixteen_end.h"
#endif
