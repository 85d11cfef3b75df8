// The block formats of GGUF files with 32 values a block, and what all block formats share.
// Q8_0: { f16 d, 32 × s8 }, value d · q. Q4_0: { f16 d, 16 bytes }, value d · (q - 8). Q4_1: { f16 d, f16 m, 16
// bytes }, value d · q + m. The lower nibbles are the first sixteen values.
// Source: the format's definition in ggml (MIT), whose results a test compares with.
#include "blocks.h"

enum { HALF = CK_GROUP / 2 };

static const struct {
  ptrdiff_t values;
  size_t bytes;
} sizes[] = {
    [CK_Q8_0] = {32, 34}, [CK_Q4_0] = {32, 18},   [CK_Q4_1] = {32, 20},
    [CK_Q4_K] = {256, 144}, [CK_Q6_K] = {256, 210},
};

ptrdiff_t ck_block_values(ck_block format) { return sizes[format].values; }
size_t ck_block_bytes(ck_block format) { return sizes[format].bytes; }

static void load_block(ck_block format, const uint8_t *block, float *y) {
  const float d = float_of_half(load_u16(block));
  switch (format) {
  case CK_Q8_0:
    for (int i = 0; i < CK_GROUP; i++) y[i] = d * (float)(int8_t)block[2 + i];
    break;
  case CK_Q4_0:
    for (int i = 0; i < HALF; i++) {
      y[i] = d * (float)((block[2 + i] & 15) - 8);
      y[i + HALF] = d * (float)((block[2 + i] >> 4) - 8);
    }
    break;
  case CK_Q4_1: {
    const float m = float_of_half(load_u16(block + 2));
    for (int i = 0; i < HALF; i++) {
      y[i] = d * (float)(block[4 + i] & 15) + m;
      y[i + HALF] = d * (float)(block[4 + i] >> 4) + m;
    }
    break;
  }
  case CK_Q4_K: load_q4_k(block, y); break;
  case CK_Q6_K: load_q6_k(block, y); break;
  }
}

void ck_blocks_load(ck_block format, const void *blocks, float *y, ptrdiff_t count) {
  for (ptrdiff_t i = 0; i < count; i += sizes[format].values)
    load_block(format, (const uint8_t *)blocks + (size_t)(i / sizes[format].values) * sizes[format].bytes, y + i);
}

// 0 to `top`, for NaN 0: the conversion of a float out of range to an integer has no defined result.
static int clamp(float x, float top) { return x >= top ? (int)top : x > 0 ? (int)x : 0; }

static void store_block(ck_block format, const float *x, uint8_t *block) {
  // The value of the greatest size, with its sign; the smallest; the greatest.
  float far = 0, low = x[0], high = x[0];
  for (int i = 0; i < CK_GROUP && format <= CK_Q4_1; i++) {
    far = fabsf(x[i]) > fabsf(far) || x[i] != x[i] ? x[i] : far;
    low = x[i] < low ? x[i] : low;
    high = x[i] > high ? x[i] : high;
  }
  switch (format) {
  case CK_Q8_0: {
    const float d = fabsf(far) / 127.0f, inverse = d > 0 ? 1.0f / d : 0;
    store_u16(block, half_of_float(d));
    for (int i = 0; i < CK_GROUP; i++) {
      // Half away from zero, as the format's definition rounds.
      const float q = roundf(x[i] * inverse);
      block[2 + i] = (uint8_t)(int8_t)(q >= -127 && q <= 127 ? (int)q : 0);
    }
    break;
  }
  case CK_Q4_0: {
    const float d = far / -8.0f, inverse = d != 0 ? 1.0f / d : 0;
    store_u16(block, half_of_float(d));
    for (int i = 0; i < HALF; i++)
      block[2 + i] = (uint8_t)(clamp(x[i] * inverse + 8.5f, 15) | clamp(x[i + HALF] * inverse + 8.5f, 15) << 4);
    break;
  }
  case CK_Q4_1: {
    const float d = (high - low) / 15.0f, inverse = d > 0 ? 1.0f / d : 0;
    store_u16(block, half_of_float(far != far ? far : d));
    store_u16(block + 2, half_of_float(low));
    for (int i = 0; i < HALF; i++)
      block[4 + i] =
          (uint8_t)(clamp((x[i] - low) * inverse + 0.5f, 15) | clamp((x[i + HALF] - low) * inverse + 0.5f, 15) << 4);
    break;
  }
  case CK_Q4_K: store_q4_k(x, block); break;
  case CK_Q6_K: store_q6_k(x, block); break;
  }
}

void ck_blocks_store(ck_block format, const float *x, void *blocks, ptrdiff_t count) {
  for (ptrdiff_t i = 0; i < count; i += sizes[format].values)
    store_block(format, x + i, (uint8_t *)blocks + (size_t)(i / sizes[format].values) * sizes[format].bytes);
}

static void group_to_int8(const uint8_t *block, uint8_t *tile, ptrdiff_t row, ptrdiff_t group) {
  memcpy(tile + int8_scale_at(group, row), block, 2);
  for (int i = 0; i < CK_GROUP; i++)
    tile[int8_byte_at(row, group * CK_GROUP + i)] = (uint8_t)(block[2 + i] ^ 0x80);
}

static void group_to_int4(const uint8_t *block, uint8_t *tile, ptrdiff_t row, ptrdiff_t group) {
  memcpy(tile + int4_scale_at(group, row), block, 2);
  store_nibbles(block + 2, tile + int4_nibbles_at(group, row));
}

// `nibbles`: 16 bytes, lower halves first.
static void group_to_int4_affine(const uint8_t *nibbles, uint16_t scale, uint16_t offset, uint8_t *tile, ptrdiff_t row,
                          ptrdiff_t group) {
  store_u16(tile + int4_affine_scale_at(group, row), scale);
  store_u16(tile + int4_affine_offset_at(group, row), offset);
  store_nibbles(nibbles, tile + int4_affine_nibbles_at(group, row));
}

static void q4_k_to_int4_affine(const uint8_t *block, uint8_t *tile, ptrdiff_t row, ptrdiff_t group) {
  const float d = float_of_half(load_u16(block)), m = float_of_half(load_u16(block + 2));
  for (int part = 0; part < 8; part++) {
    // 32 bytes hold two groups, the first in the lower nibbles.
    const uint8_t *const bytes = block + 16 + part / 2 * CK_GROUP;
    const int shift = part % 2 * 4;
    uint8_t nibbles[HALF];
    for (int i = 0; i < HALF; i++)
      nibbles[i] = (uint8_t)((bytes[i] >> shift & 15) | (bytes[i + HALF] >> shift & 15) << 4);
    group_to_int4_affine(nibbles, half_of_float(d * (float)q4_k_scale(block + 4, part)),
                         half_of_float(-m * (float)q4_k_minimum(block + 4, part)), tile, row, group + part);
  }
}

bool ck_blocks_to_tile(ck_block format, const void *blocks, size_t row_bytes, ptrdiff_t rows, ptrdiff_t columns,
                       void *tile) {
  if (format == CK_Q6_K) return false;
  const ptrdiff_t groups = groups_of(columns);
  uint8_t *const out = tile;
  switch (format) {
  case CK_Q8_0: int8_clear(out, groups); break;
  case CK_Q4_0: int4_clear(out, groups); break;
  default: int4_affine_clear(out, groups); break;
  }
  for (ptrdiff_t r = 0; r < rows; r++) {
    const uint8_t *block = (const uint8_t *)blocks + (size_t)r * row_bytes;
    for (ptrdiff_t g = 0; g < groups; g += sizes[format].values / CK_GROUP, block += sizes[format].bytes) {
      switch (format) {
      case CK_Q8_0: group_to_int8(block, out, r, g); break;
      case CK_Q4_0: group_to_int4(block, out, r, g); break;
      case CK_Q4_1: group_to_int4_affine(block + 4, load_u16(block), load_u16(block + 2), out, r, g); break;
      default: q4_k_to_int4_affine(block, out, r, g); break;
      }
    }
  }
  return true;
}
