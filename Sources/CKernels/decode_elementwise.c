// What lies between the products of a decoding step: the residual stream's sums and norms, and the gated activation.
#ifndef LANES
#include "kernels.h"

static float rms_scale_scalar(const float *x, ptrdiff_t columns, float epsilon) {
  float squares = 0;
  for (ptrdiff_t c = 0; c < columns; c++) squares += x[c] * x[c];
  return 1.0f / sqrtf(squares / (float)columns + epsilon);
}

static void residual_norm_scalar(float *h, const float *branch, const float *branch_gain, const float *gain, float *out,
                                 ptrdiff_t rows, ptrdiff_t columns, float epsilon) {
  for (ptrdiff_t r = 0; r < rows; r++, h += columns) {
    if (branch) {
      const float *const b = branch + r * columns;
      const float s = branch_gain ? rms_scale_scalar(b, columns, epsilon) : 1;
      for (ptrdiff_t c = 0; c < columns; c++) h[c] += branch_gain ? b[c] * s * branch_gain[c] : b[c];
    }
    if (out) {
      const float s = rms_scale_scalar(h, columns, epsilon);
      for (ptrdiff_t c = 0; c < columns; c++) out[r * columns + c] = h[c] * s * gain[c];
    }
  }
}

static void silu_multiply_scalar(const float *gate, const float *up, float *y, ptrdiff_t count) {
  for (ptrdiff_t i = 0; i < count; i++) y[i] = gate[i] / (1.0f + expf(-gate[i])) * up[i];
}

#define FAMILY "decode_elementwise.c"
#include "each_level.h"

void ck_residual_norm(float *h, const float *branch, const float *branch_gain, const float *gain, float *out,
                      ptrdiff_t rows, ptrdiff_t columns, float epsilon) {
  DISPATCH(residual_norm, h, branch, branch_gain, gain, out, rows, columns, epsilon)
}
void ck_silu_multiply(const float *gate, const float *up, float *y, ptrdiff_t count) {
  DISPATCH(silu_multiply, gate, up, y, count)
}

#else
#define rms_scale AT(rms_scale)
#define silu AT(silu_of)

INLINE float rms_scale(const float *x, ptrdiff_t columns, float epsilon) {
  vf a = {0}, b = {0};
  ptrdiff_t c = 0;
  for (; c + 2 * LANES <= columns; c += 2 * LANES) {
    const vf u = load(x + c), v = load(x + c + LANES);
    a += u * u;
    b += v * v;
  }
  for (; c < columns; c += LANES) {
    const vf u = columns - c >= LANES ? load(x + c) : load_part(x + c, columns - c);
    a += u * u;
  }
  return 1.0f / sqrtf(sum_lanes(a + b) / (float)columns + epsilon);
}

static void AT(residual_norm)(float *h, const float *branch, const float *branch_gain, const float *gain, float *out,
                              ptrdiff_t rows, ptrdiff_t columns, float epsilon) {
  const ptrdiff_t whole = columns - columns % LANES;
  for (ptrdiff_t r = 0; r < rows; r++, h += columns) {
    if (branch) {
      const float *const b = branch + r * columns;
      const float s = branch_gain ? rms_scale(b, columns, epsilon) : 1;
      ptrdiff_t c = 0;
      for (; c < whole; c += LANES)
        store(h + c, load(h + c) + (branch_gain ? load(b + c) * s * load(branch_gain + c) : load(b + c)));
      for (; c < columns; c++) h[c] += branch_gain ? b[c] * s * branch_gain[c] : b[c];
    }
    if (out) {
      float *const y = out + r * columns;
      const float s = rms_scale(h, columns, epsilon);
      ptrdiff_t c = 0;
      for (; c < whole; c += LANES) store(y + c, load(h + c) * s * load(gain + c));
      for (; c < columns; c++) y[c] = h[c] * s * gain[c];
    }
  }
}

INLINE vf silu(vf x) { return x / (1.0f + exponential(-x)); }

static void AT(silu_multiply)(const float *gate, const float *up, float *y, ptrdiff_t count) {
  ptrdiff_t i = 0;
  for (; i + LANES <= count; i += LANES) store(y + i, silu(load(gate + i)) * load(up + i));
  if (i < count) store_part(y + i, silu(load_part(gate + i, count - i)) * load_part(up + i, count - i), count - i);
}

#undef rms_scale
#undef silu
#endif
