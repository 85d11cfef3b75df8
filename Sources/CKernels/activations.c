// Activations in eight bits, quantised afresh for every product with quantised weights.
#ifndef LANES
#include "kernels.h"

ptrdiff_t ck_activations_count(ptrdiff_t batch, ptrdiff_t columns) {
  return batch * ((columns + CK_GROUP - 1) / CK_GROUP);
}

// 32 values, of which those behind `count` are zero. Of a top below TINY the reciprocal overflows; it counts as zero.
#define TINY 1e-36f

static void quantize_activations_scalar(const float *x, ptrdiff_t count, ck_activations *out) {
  float top = 0;
  bool finite = true;
  for (ptrdiff_t i = 0; i < count; i++) {
    const float size = fabsf(x[i]);
    finite = finite && size <= 3.4028235e38f;
    top = size > top ? size : top;
  }
  int sum = 0;
  const float inverse = finite && top > TINY ? 127.0f / top : 0;
  for (ptrdiff_t i = 0; i < CK_GROUP; i++) {
    const int q = i < count && finite ? (int)nearbyintf(x[i] * inverse) : 0;
    out->q[i] = (int8_t)q;
    sum += q;
  }
  out->scale = finite ? top / 127.0f : NAN;
  out->sum = out->scale * (float)sum;
  out->bias = -128 * sum;
}

#define FAMILY "activations.c"
#include "each_level.h"

static void quantize_group(const float *x, ptrdiff_t count, ck_activations *out) {
  DISPATCH(quantize_activations, x, count, out)
}

void ck_quantize_activations(const float *x, ptrdiff_t batch, ptrdiff_t columns, ck_activations *out) {
  for (ptrdiff_t first = 0; first < batch; first += CK_CHUNK) {
    const ptrdiff_t width = batch - first < CK_CHUNK ? batch - first : CK_CHUNK;
    for (ptrdiff_t c = 0; c < columns; c += CK_GROUP)
      for (ptrdiff_t b = first; b < first + width; b++)
        quantize_group(x + b * columns + c, columns - c < CK_GROUP ? columns - c : CK_GROUP, out++);
  }
}

#else
#include "sixteen.h"

static void AT(quantize_activations)(const float *x, ptrdiff_t count, ck_activations *out) {
  typedef int32_t i16 __attribute__((vector_size(64)));
  typedef int8_t s8 __attribute__((vector_size(16), aligned(1)));
  const v16 first = count >= 16 ? load16(CK_F32, x, 0) : load16_part(CK_F32, x, 0, count);
  const v16 second = count >= 32   ? load16(CK_F32, x, 16)
                     : count <= 16 ? (v16){0}
                                   : load16_part(CK_F32, x, 16, count - 16);
  // Sizes are compared as integers: the order is the same, and what is not finite is greatest.
  const i16 a = (i16)first & 0x7fffffff, b = (i16)second & 0x7fffffff;
  const int32_t bits = __builtin_reduce_max(__builtin_elementwise_max(a, b));
  float top;
  memcpy(&top, &bits, 4);
  const bool finite = bits < 0x7f800000;
  const float inverse = finite && top > TINY ? 127.0f / top : 0;
  i16 p = {0}, q = {0};
  if (finite) {
    p = __builtin_convertvector(__builtin_elementwise_rint(first * inverse), i16);
    q = __builtin_convertvector(__builtin_elementwise_rint(second * inverse), i16);
  }
  *(s8 *)out->q = __builtin_convertvector(p, s8);
  *(s8 *)(out->q + 16) = __builtin_convertvector(q, s8);
  const int32_t sum = __builtin_reduce_add(p + q);
  out->scale = finite ? top / 127.0f : NAN;
  out->sum = out->scale * (float)sum;
  out->bias = -128 * sum;
}

#include "sixteen_end.h"
#endif
