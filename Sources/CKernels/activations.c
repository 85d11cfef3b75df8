// Activations in eight bits, quantised afresh for every product with quantised weights.
#include "kernels.h"

ptrdiff_t ck_activations_count(ptrdiff_t batch, ptrdiff_t columns) {
  return batch * ((columns + CK_GROUP - 1) / CK_GROUP);
}

static void quantize_group_scalar(const float *x, ptrdiff_t count, ck_activations *out) {
  float top = 0;
  bool finite = true;
  for (ptrdiff_t i = 0; i < count; i++) {
    const float size = fabsf(x[i]);
    finite = finite && size <= 3.4028235e38f;
    top = size > top ? size : top;
  }
  int sum = 0;
  // Of a top below this the reciprocal overflows; then the group counts as zeros.
  const float inverse = finite && top > 1e-36f ? 127.0f / top : 0;
  for (ptrdiff_t i = 0; i < CK_GROUP; i++) {
    const int q = i < count && finite ? (int)nearbyintf(x[i] * inverse) : 0;
    out->q[i] = (int8_t)q;
    sum += q;
  }
  out->scale = finite ? top / 127.0f : NAN;
  out->sum = out->scale * (float)sum;
  out->bias = -128 * sum;
}

void ck_quantize_activations(const float *x, ptrdiff_t batch, ptrdiff_t columns, ck_activations *out) {
  for (ptrdiff_t first = 0; first < batch; first += CK_CHUNK) {
    const ptrdiff_t width = batch - first < CK_CHUNK ? batch - first : CK_CHUNK;
    for (ptrdiff_t c = 0; c < columns; c += CK_GROUP)
      for (ptrdiff_t b = first; b < first + width; b++)
        quantize_group_scalar(x + b * columns + c, columns - c < CK_GROUP ? columns - c : CK_GROUP, out++);
  }
}
