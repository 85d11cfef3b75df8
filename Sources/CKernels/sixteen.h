// Sixteen f32 as one value on every instruction set (one, two or four registers), so that sums have one order
// everywhere: loads from the stored formats, fused multiplication, and the pairwise sum. Included after vector.h.
// The functions are always inlined, so that no call passes such a value.
#pragma clang diagnostic ignored "-Wpsabi"

#ifndef CK_S8
#define CK_S8 3 /* beside the formats of ck_float: signed bytes */
#endif
#define v16 AT(sixteen_f32)
typedef float v16 __attribute__((vector_size(64)));

#define load16 AT(load_sixteen)
#define load16_part AT(load_sixteen_part)
#define store16 AT(store_sixteen)
#define fma16 AT(fma_sixteen)
#define sum16 AT(sum_sixteen)

// Sixteen values at p + i, in a format that is known when the loop is compiled.
INLINE v16 load16(const int format, const void *p, ptrdiff_t i) {
  typedef float f32 __attribute__((vector_size(64), aligned(1), may_alias));
  typedef _Float16 f16 __attribute__((vector_size(32), aligned(1), may_alias));
  typedef uint16_t u16 __attribute__((vector_size(32), aligned(1), may_alias));
  typedef uint32_t u32 __attribute__((vector_size(64)));
  typedef int8_t s8 __attribute__((vector_size(16), aligned(1), may_alias));
  switch (format) {
  case CK_F16: return __builtin_convertvector(*(const f16 *)((const char *)p + 2 * i), v16);
  case CK_BF16: return (v16)(__builtin_convertvector(*(const u16 *)((const char *)p + 2 * i), u32) << 16);
  case CK_S8: return __builtin_convertvector(*(const s8 *)((const char *)p + i), v16);
  default: return *(const f32 *)((const char *)p + 4 * i);
  }
}
// The first n of them, and zeros.
INLINE v16 load16_part(const int format, const void *p, ptrdiff_t i, ptrdiff_t n) {
  const size_t size = format == CK_F32 ? 4 : format == CK_S8 ? 1 : 2;
  char values[64] = {0};
  memcpy(values, (const char *)p + (size_t)i * size, (size_t)n * size);
  return load16(format, values, 0);
}
INLINE void store16(float *p, v16 v) { memcpy(p, &v, sizeof v); }
INLINE v16 fma16(v16 a, v16 b, v16 c) { return __builtin_elementwise_fma(a, b, c); }
INLINE float sum16(v16 v) {
  typedef float v8 __attribute__((vector_size(32)));
  typedef float v4 __attribute__((vector_size(16)));
  const v8 a = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
               __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
  const v4 b = __builtin_shufflevector(a, a, 0, 1, 2, 3) + __builtin_shufflevector(a, a, 4, 5, 6, 7);
  return (b[0] + b[2]) + (b[1] + b[3]);
}
