// The block formats of GGUF files with 256 values a block.
// Q4_K: { f16 d, f16 m, 12 bytes of scales and minima, 128 bytes }, eight groups of 32 with value d s q - m t.
// Q6_K: { 128 bytes of lower four bits, 64 bytes of upper two, 16 × s8 scales, f16 d }, sixteen groups of 16 with
// value d s (q - 32).
// Source: the format's definition in ggml (MIT). Its searches for better scales are not made here.
#include "blocks.h"

enum { SUPER = 256, SMALL = 16 };

void load_q4_k(const uint8_t *block, float *y) {
  const float d = float_of_half(load_u16(block)), m = float_of_half(load_u16(block + 2));
  for (int i = 0; i < SUPER; i++) {
    const int group = i / CK_GROUP;
    const uint8_t byte = block[16 + group / 2 * CK_GROUP + i % CK_GROUP];
    const int q = group % 2 ? byte >> 4 : byte & 15;
    y[i] = d * (float)q4_k_scale(block + 4, group) * (float)q - m * (float)q4_k_minimum(block + 4, group);
  }
}

// Value i lies in half i / 128; its lower bits in one of 64 bytes, its upper bits in one of 32.
static inline int q6_k_low(int i) { return i / 128 * 64 + i % 64; }
static inline int q6_k_low_shift(int i) { return i % 128 / 64 * 4; }
static inline int q6_k_high(int i) { return 128 + i / 128 * 32 + i % 32; }
static inline int q6_k_high_shift(int i) { return i % 128 / 32 * 2; }

void load_q6_k(const uint8_t *block, float *y) {
  const float d = float_of_half(load_u16(block + 208));
  for (int i = 0; i < SUPER; i++) {
    const int low = block[q6_k_low(i)] >> q6_k_low_shift(i) & 15, high = block[q6_k_high(i)] >> q6_k_high_shift(i) & 3;
    y[i] = d * (float)(int8_t)block[192 + i / SMALL] * (float)((low | high << 4) - 32);
  }
}

static int rounded(float x, int low, int high) {
  const float q = nearbyintf(x);
  return q >= (float)high ? high : q > (float)low ? (int)q : low;
}

// The scale and the minimum (not below zero, to be subtracted) of 32 values for sixteen steps. A fit by least squares
// of the steps that the range gives, kept if it errs less.
static void fit_group(const float *x, float *scale, float *minimum) {
  float low = 0, high = x[0];
  for (int i = 0; i < CK_GROUP; i++) {
    low = x[i] < low ? x[i] : low;
    high = x[i] > high ? x[i] : high;
  }
  *scale = (high - low) / 15.0f;
  *minimum = -low;
  if (!(*scale > 0)) return;
  float best = INFINITY;
  float s = *scale, m = *minimum;
  for (int turn = 0; turn < 4; turn++) {
    float error = 0, sq = 0, sqq = 0, sx = 0, sqx = 0;
    for (int i = 0; i < CK_GROUP; i++) {
      const float q = (float)rounded((x[i] + m) / s, 0, 15), e = s * q - m - x[i];
      error += e * e;
      sq += q;
      sqq += q * q;
      sx += x[i];
      sqx += q * x[i];
    }
    if (!(error < best)) break;
    best = error;
    *scale = s;
    *minimum = m;
    const float n = CK_GROUP, determinant = n * sqq - sq * sq;
    if (!(determinant > 0)) break;
    s = (n * sqx - sq * sx) / determinant;
    m = (sq * sqx - sqq * sx) / determinant;
    if (m < 0) m = 0, s = sqx / sqq;
    if (!(s > 0)) break;
  }
}

void store_q4_k(const float *x, uint8_t *block) {
  float scales[8], minima[8], scale_top = 0, minimum_top = 0;
  bool finite = true;
  for (int i = 0; i < SUPER; i++) finite = finite && fabsf(x[i]) <= 3.4028235e38f;
  for (int group = 0; group < 8; group++) {
    fit_group(x + group * CK_GROUP, &scales[group], &minima[group]);
    scale_top = scales[group] > scale_top ? scales[group] : scale_top;
    minimum_top = minima[group] > minimum_top ? minima[group] : minimum_top;
  }
  memset(block, 0, 144);
  store_u16(block, half_of_float(finite ? scale_top / 63.0f : NAN));
  store_u16(block + 2, half_of_float(minimum_top / 63.0f));
  if (!finite) return;
  const float d = float_of_half(load_u16(block)), m = float_of_half(load_u16(block + 2));
  for (int group = 0; group < 8; group++) {
    const int s = d > 0 ? rounded(scales[group] / d, 0, 63) : 0, t = m > 0 ? rounded(minima[group] / m, 0, 63) : 0;
    uint8_t *const packed = block + 4;
    if (group < 4) {
      packed[group] |= (uint8_t)s;
      packed[group + 4] |= (uint8_t)t;
    } else {
      packed[group + 4] = (uint8_t)((s & 15) | (t & 15) << 4);
      packed[group - 4] |= (uint8_t)(s >> 4 << 6);
      packed[group] |= (uint8_t)(t >> 4 << 6);
    }
    const float step = d * (float)s, base = m * (float)t;
    for (int i = 0; i < CK_GROUP; i++) {
      const int q = step > 0 ? rounded((x[group * CK_GROUP + i] + base) / step, 0, 15) : 0;
      block[16 + group / 2 * CK_GROUP + i] |= (uint8_t)(group % 2 ? q << 4 : q);
    }
  }
}

void store_q6_k(const float *x, uint8_t *block) {
  float scales[SMALL], top = 0;
  bool finite = true;
  for (int group = 0; group < SMALL; group++) {
    float far = 0;
    for (int i = group * SMALL; i < (group + 1) * SMALL; i++) {
      finite = finite && fabsf(x[i]) <= 3.4028235e38f;
      far = fabsf(x[i]) > fabsf(far) ? x[i] : far;
    }
    // 32 steps on the side of the value of the greatest size, 31 on the other.
    scales[group] = far / -32.0f;
    top = fabsf(scales[group]) > fabsf(top) ? scales[group] : top;
  }
  memset(block, 0, 210);
  store_u16(block + 208, half_of_float(finite ? top / -128.0f : NAN));
  const float d = float_of_half(load_u16(block + 208));
  if (!finite) return;
  for (int group = 0; group < SMALL; group++) {
    const int s = d != 0 ? rounded(scales[group] / d, -128, 127) : 0;
    block[192 + group] = (uint8_t)(int8_t)s;
    const float step = d * (float)s;
    for (int i = group * SMALL; i < (group + 1) * SMALL; i++) {
      const int q = (step != 0 ? rounded(x[i] / step, -32, 31) : 0) + 32;
      block[q6_k_low(i)] |= (uint8_t)((q & 15) << q6_k_low_shift(i));
      block[q6_k_high(i)] |= (uint8_t)(q >> 4 << q6_k_high_shift(i));
    }
  }
}
