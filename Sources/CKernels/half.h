// f16 and bf16 as bits. Not the compiler's _Float16: without F16C it calls functions that not every runtime has.
#include <stdint.h>
#include <string.h>

static inline float float_of_bits(uint32_t bits) {
  float x;
  memcpy(&x, &bits, 4);
  return x;
}
static inline uint32_t bits_of_float(float x) {
  uint32_t bits;
  memcpy(&bits, &x, 4);
  return bits;
}

static inline float float_of_half(uint16_t h) {
  const uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = (h >> 10) & 31, mantissa = h & 1023;
  // NaN becomes quiet, as the processor's conversion makes it.
  if (exponent == 31) return float_of_bits(sign | 0x7f800000 | mantissa << 13 | (mantissa ? 0x400000 : 0));
  if (exponent == 0) return float_of_bits(sign | bits_of_float((float)mantissa * 0x1p-24f));
  return float_of_bits(sign | (exponent + 112) << 23 | mantissa << 13);
}

// To the nearest, ties to even; beyond 65520 infinity.
static inline uint16_t half_of_float(float x) {
  const uint32_t bits = bits_of_float(x);
  uint32_t size = bits & 0x7fffffff;
  const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
  if (size > 0x7f800000) return sign | 0x7e00 | (uint16_t)(size >> 13 & 0x1ff);
  if (size >= 0x477ff000) return sign | 0x7c00;
  // Below the normal numbers: between 1/2 and 1 floats lie 2^-24 apart, as such halves do, so the addition rounds.
  if (size < 0x38800000) return sign | (uint16_t)(bits_of_float(float_of_bits(size) + 0.5f) - 0x3f000000);
  size += 0xfff + (size >> 13 & 1);
  return sign | (uint16_t)((size - (112u << 23)) >> 13);
}

static inline float float_of_brain(uint16_t b) { return float_of_bits((uint32_t)b << 16); }

static inline uint16_t brain_of_float(float x) {
  const uint32_t bits = bits_of_float(x);
  if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// As the processors' product of pairs reads it: subnormal numbers are zeros. Without branches, so that the compiler makes
// vectors of a loop.
static inline uint16_t normal_brain_of_float(float x) {
  const uint16_t b = brain_of_float(x);
  return (b & 0x7f80) ? b : b & 0x8000;
}

static inline uint16_t load_u16(const void *p) {
  uint16_t v;
  memcpy(&v, p, 2);
  return v;
}
static inline void store_u16(void *p, uint16_t v) { memcpy(p, &v, 2); }
