// Weights of four bits: tiles made, read back, and multiplied with quantised activations.
#include "products.h"

size_t ck_int4_tile_bytes(ptrdiff_t columns) { return (size_t)groups_of(columns) * INT4_GROUP_BYTES; }

static void put_nibble(uint8_t *tile, ptrdiff_t row, ptrdiff_t column, int q) {
  tile[int4_byte_at(row, column)] |= (uint8_t)(is_upper(column) ? q << 4 : q);
}
static int nibble(const uint8_t *tile, ptrdiff_t row, ptrdiff_t column) {
  const uint8_t byte = tile[int4_byte_at(row, column)];
  return is_upper(column) ? byte >> 4 : byte & 15;
}

void ck_int4_pack(const float *x, ptrdiff_t rows, ptrdiff_t columns, void *tile) {
  uint8_t *const out = tile;
  memset(out, 0, ck_int4_tile_bytes(columns));
  for (ptrdiff_t r = 0; r < rows; r++)
    for (ptrdiff_t g = 0; g < groups_of(columns); g++) {
      const ptrdiff_t first = g * CK_GROUP, end = first + CK_GROUP < columns ? first + CK_GROUP : columns;
      const float *const row = x + r * columns;
      float low = row[first], high = row[first];
      bool finite = true;
      for (ptrdiff_t c = first; c < end; c++) {
        finite = finite && fabsf(row[c]) <= 3.4028235e38f;
        low = row[c] < low ? row[c] : low;
        high = row[c] > high ? row[c] : high;
      }
      const uint16_t offset = half_of_float(finite ? low : NAN);
      const float base = float_of_half(offset);
      uint16_t half = half_of_float(finite ? (high - base > 0 ? high - base : 0) / 15.0f : NAN);
      if (float_of_half(half) * 15.5f < high - base) half++;
      const float scale = float_of_half(half);
      store_u16(out + int4_scale_at(g, r), half);
      store_u16(out + int4_offset_at(g, r), offset);
      if (!(scale > 0 && scale <= 65504 && fabsf(base) <= 65504)) continue;
      for (ptrdiff_t c = first; c < end; c++) {
        const float q = nearbyintf((row[c] - base) / scale);
        put_nibble(out, r, c, (int)(q > 15 ? 15 : q < 0 ? 0 : q));
      }
    }
}

void ck_int4_unpack(const void *tile, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t columns, float *y) {
  const uint8_t *const in = tile;
  for (ptrdiff_t r = first; r < first + rows; r++)
    for (ptrdiff_t c = 0; c < columns; c++)
      y[(r - first) * columns + c] = fmaf(float_of_half(load_u16(in + int4_scale_at(c / CK_GROUP, r))), (float)nibble(in, r, c),
                                float_of_half(load_u16(in + int4_offset_at(c / CK_GROUP, r))));
}

void ck_int4_product_scalar(const uint8_t *tiles, const ck_activations *x, ptrdiff_t batch, float *y, ptrdiff_t y_stride,
                            ptrdiff_t rows, ptrdiff_t columns) {
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
          for (ptrdiff_t i = 0; i < CK_GROUP; i++) dot += nibble(tile, r % CK_TILE, g * CK_GROUP + i) * a->q[i];
          sum = fmaf((float)dot, float_of_half(load_u16(tile + int4_scale_at(g, r % CK_TILE))) * a->scale, sum);
          sum = fmaf(float_of_half(load_u16(tile + int4_offset_at(g, r % CK_TILE))), a->sum, sum);
        }
        y[(first + b) * y_stride + r] = sum;
      }
    }
  }
}

void ck_int4_multiply(const void *tiles, const ck_activations *x, ptrdiff_t batch, float *y, ptrdiff_t y_stride,
                      ptrdiff_t rows, ptrdiff_t columns) {
  FASTEST(ck_int4_product)(tiles, x, batch, y, y_stride, rows, columns);
}
