// Rotary position embedding (Su et al., arXiv 2104.09864) in the half-split form that Llama-style checkpoints use:
// coordinate i is paired with i + size/2, not with its neighbour. The backward pass is the rotation by -θ.
// Makes no tables.
#ifndef LANES
#include "kernels.h"

static void rotary_scalar(float *x, ptrdiff_t stride, const float *cosines, const float *sines, float sign,
                          ptrdiff_t tokens, ptrdiff_t heads, ptrdiff_t head_size) {
  const ptrdiff_t half = head_size / 2;
  for (ptrdiff_t t = 0; t < tokens; t++, x += stride, cosines += half, sines += half)
    for (ptrdiff_t h = 0; h < heads; h++) {
      float *a = x + h * head_size, *b = a + half;
      for (ptrdiff_t i = 0; i < half; i++) {
        const float u = a[i], v = b[i], s = sign * sines[i];
        a[i] = u * cosines[i] - v * s;
        b[i] = v * cosines[i] + u * s;
      }
    }
}

#define FAMILY "rotary.c"
#include "each_level.h"

void ck_rotary(float *x, ptrdiff_t stride, const float *cosines, const float *sines, float sign, ptrdiff_t tokens,
               ptrdiff_t heads, ptrdiff_t head_size) {
  DISPATCH(rotary, x, stride, cosines, sines, sign, tokens, heads, head_size)
}

#else

static void AT(rotary)(float *x, ptrdiff_t stride, const float *cosines, const float *sines, float sign,
                       ptrdiff_t tokens, ptrdiff_t heads, ptrdiff_t head_size) {
  const ptrdiff_t half = head_size / 2;
  for (ptrdiff_t t = 0; t < tokens; t++, x += stride, cosines += half, sines += half)
    for (ptrdiff_t h = 0; h < heads; h++) {
      float *a = x + h * head_size, *b = a + half;
      ptrdiff_t i = 0;
      for (; i + LANES <= half; i += LANES) {
        const vf u = load(a + i), v = load(b + i), c = load(cosines + i), s = sign * load(sines + i);
        store(a + i, u * c - v * s);
        store(b + i, v * c + u * s);
      }
      for (; i < half; i++) {
        const float u = a[i], v = b[i], s = sign * sines[i];
        a[i] = u * cosines[i] - v * s;
        b[i] = v * cosines[i] + u * s;
      }
    }
}

#endif
