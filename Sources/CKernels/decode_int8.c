// Weights of eight bits: tiles made, read back, and multiplied with quantised activations.
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

void ck_int8_pack(const float *x, ptrdiff_t rows, ptrdiff_t columns, void *tile) {
  uint8_t *const out = tile;
  const ptrdiff_t groups = groups_of(columns);
  int8_clear(out, groups);
  for (ptrdiff_t r = 0; r < rows; r++)
    for (ptrdiff_t g = 0; g < groups; g++) {
      const ptrdiff_t first = g * CK_GROUP, end = first + CK_GROUP < columns ? first + CK_GROUP : columns;
      const float *const row = x + r * columns;
      float top = 0;
      bool finite = true;
      for (ptrdiff_t c = first; c < end; c++) {
        const float size = fabsf(row[c]);
        finite = finite && size <= 3.4028235e38f;
        top = size > top ? size : top;
      }
      const uint16_t half = finite ? scale_for(top) : half_of_float(NAN);
      const float scale = float_of_half(half);
      store_u16(out + int8_scale_at(g, r), half);
      // A scale that is zero, infinite or NaN leaves the weights zero; infinity and NaN show in the product.
      if (!(scale > 0 && scale <= 65504)) continue;
      for (ptrdiff_t c = first; c < end; c++) {
        const float q = nearbyintf(row[c] / scale);
        out[int8_byte_at(r, c)] = (uint8_t)((int)(q > 127 ? 127 : q < -127 ? -127 : q) + 128);
      }
    }
}

void ck_int8_unpack(const void *tile, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t columns, float *y) {
  const uint8_t *const in = tile;
  for (ptrdiff_t r = first; r < first + rows; r++)
    for (ptrdiff_t c = 0; c < columns; c++)
      y[(r - first) * columns + c] = float_of_half(load_u16(in + int8_scale_at(c / CK_GROUP, r))) *
                           (float)(in[int8_byte_at(r, c)] - 128);
}

void ck_int8_product_scalar(const uint8_t *tiles, const ck_activations *x, ptrdiff_t batch, float *y, ptrdiff_t y_stride,
                            ptrdiff_t rows, ptrdiff_t columns) {
  const ptrdiff_t groups = groups_of(columns);
  const size_t tile_bytes = ck_int8_tile_bytes(columns);
  for (ptrdiff_t first = 0; first < batch; first += CK_CHUNK) {
    const ptrdiff_t width = batch - first < CK_CHUNK ? batch - first : CK_CHUNK;
    for (ptrdiff_t r = 0; r < rows; r++) {
      const uint8_t *const tile = tiles + (size_t)(r / CK_TILE) * tile_bytes;
      for (ptrdiff_t b = 0; b < width; b++) {
        float sum = 0;
        for (ptrdiff_t g = 0; g < groups; g++) {
          const ck_activations *const a = x + (first * groups + g * width + b);
          int32_t dot = a->bias;
          for (ptrdiff_t i = 0; i < CK_GROUP; i++)
            dot += (int)tile[int8_byte_at(r % CK_TILE, g * CK_GROUP + i)] * a->q[i];
          sum = fmaf((float)dot, float_of_half(load_u16(tile + int8_scale_at(g, r % CK_TILE))) * a->scale, sum);
        }
        y[(first + b) * y_stride + r] = sum;
      }
    }
  }
}

void ck_int8_multiply(const void *tiles, const ck_activations *x, ptrdiff_t batch, float *y, ptrdiff_t y_stride,
                      ptrdiff_t rows, ptrdiff_t columns) {
  FASTEST(ck_int8_product)(tiles, x, batch, y, y_stride, rows, columns);
}
