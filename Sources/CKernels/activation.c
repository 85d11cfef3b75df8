// GELU (the tanh form of GPT-2), SwiGLU and leaky ReLU, forward and backward; GELU also with the bias of the linear
// layer before it.
// Not the erf form of GELU.
//
// gelu(x) = x/2 (1 + tanh u) = x σ(2u) with u = √(2/π) (x + 0.044715 x³), because 1 + tanh u = 2 σ(2u): one
// exponential and no tanh. With s = σ(2u): gelu'(x) = s + x s (1 - s) 2u'.
#ifndef LANES
#include "kernels.h"

#define ROOT 1.5957691216057308f /* 2 √(2/π) */
#define CUBE 0.044715f

static float gelu(float x) { return x / (1.0f + expf(-ROOT * (x + CUBE * x * x * x))); }
static float gelu_slope(float x) {
  const float s = 1.0f / (1.0f + expf(-ROOT * (x + CUBE * x * x * x)));
  return s + x * s * (1.0f - s) * ROOT * (1.0f + 3.0f * CUBE * x * x);
}

static void gelu_forward_scalar(const float *x, float *y, ptrdiff_t count) {
  for (ptrdiff_t i = 0; i < count; i++) y[i] = gelu(x[i]);
}
static void gelu_backward_scalar(const float *x, const float *dy, float *dx, ptrdiff_t count) {
  for (ptrdiff_t i = 0; i < count; i++) dx[i] = dy[i] * gelu_slope(x[i]);
}
static void bias_gelu_forward_scalar(float *u, const float *bias, float *y, ptrdiff_t rows, ptrdiff_t columns) {
  for (ptrdiff_t r = 0; r < rows; r++, u += columns, y += columns)
    for (ptrdiff_t c = 0; c < columns; c++) {
      const float x = u[c] + bias[c];
      u[c] = x;
      y[c] = gelu(x);
    }
}
static void bias_gelu_backward_scalar(const float *u, const float *dy, float *du, float *dbias, ptrdiff_t rows,
                                      ptrdiff_t columns) {
  for (ptrdiff_t r = 0; r < rows; r++, u += columns, dy += columns, du += columns)
    for (ptrdiff_t c = 0; c < columns; c++) {
      du[c] = dy[c] * gelu_slope(u[c]);
      dbias[c] += du[c];
    }
}
static void swiglu_forward_scalar(const float *x, float *y, ptrdiff_t rows, ptrdiff_t columns) {
  for (ptrdiff_t r = 0; r < rows; r++, x += 2 * columns, y += columns)
    for (ptrdiff_t c = 0; c < columns; c++) y[c] = x[c] / (1.0f + expf(-x[c])) * x[columns + c];
}
// silu(g) = g s with s = σ(g); silu'(g) = s + g s (1 - s).
static void swiglu_backward_scalar(const float *x, const float *dy, float *dx, ptrdiff_t rows, ptrdiff_t columns) {
  for (ptrdiff_t r = 0; r < rows; r++, x += 2 * columns, dx += 2 * columns, dy += columns)
    for (ptrdiff_t c = 0; c < columns; c++) {
      const float g = x[c], up = x[columns + c], s = 1.0f / (1.0f + expf(-g));
      dx[c] = dy[c] * up * (s + g * s * (1.0f - s));
      dx[columns + c] = dy[c] * g * s;
    }
}

static void leaky_relu_forward_scalar(const float *x, float slope, float *y, ptrdiff_t count) {
  for (ptrdiff_t i = 0; i < count; i++) y[i] = x[i] > 0 ? x[i] : slope * x[i];
}
static void leaky_relu_backward_scalar(const float *x, const float *dy, float slope, float *dx, ptrdiff_t count) {
  for (ptrdiff_t i = 0; i < count; i++) dx[i] = x[i] > 0 ? dy[i] : slope * dy[i];
}

#define FAMILY "activation.c"
#include "each_level.h"

void ck_gelu_forward(const float *x, float *y, ptrdiff_t count) { DISPATCH(gelu_forward, x, y, count) }
void ck_gelu_backward(const float *x, const float *dy, float *dx, ptrdiff_t count) {
  DISPATCH(gelu_backward, x, dy, dx, count)
}
void ck_bias_gelu_forward(float *u, const float *bias, float *y, ptrdiff_t rows, ptrdiff_t columns) {
  DISPATCH(bias_gelu_forward, u, bias, y, rows, columns)
}
void ck_bias_gelu_backward(const float *u, const float *dy, float *du, float *dbias, ptrdiff_t rows,
                           ptrdiff_t columns) {
  DISPATCH(bias_gelu_backward, u, dy, du, dbias, rows, columns)
}
void ck_swiglu_forward(const float *x, float *y, ptrdiff_t rows, ptrdiff_t columns) {
  DISPATCH(swiglu_forward, x, y, rows, columns)
}
void ck_swiglu_backward(const float *x, const float *dy, float *dx, ptrdiff_t rows, ptrdiff_t columns) {
  DISPATCH(swiglu_backward, x, dy, dx, rows, columns)
}

void ck_leaky_relu_forward(const float *x, float slope, float *y, ptrdiff_t count) {
  DISPATCH(leaky_relu_forward, x, slope, y, count)
}
void ck_leaky_relu_backward(const float *x, const float *dy, float slope, float *dx, ptrdiff_t count) {
  DISPATCH(leaky_relu_backward, x, dy, slope, dx, count)
}

#else

#define sigmoid AT(sigmoid_vector)
#define gelu_vector AT(gelu_vector_of)
#define gelu_slope_vector AT(gelu_slope_vector_of)

INLINE vf sigmoid(vf x) { return 1.0f / (1.0f + exponential(-x)); }
INLINE vf gelu_vector(vf x) { return x * sigmoid(ROOT * (x + CUBE * x * x * x)); }
INLINE vf gelu_slope_vector(vf x) {
  const vf square = x * x, s = sigmoid(ROOT * (x + CUBE * x * square));
  return s + x * s * (1.0f - s) * ROOT * (1.0f + 3.0f * CUBE * square);
}

static void AT(gelu_forward)(const float *x, float *y, ptrdiff_t count) {
  ptrdiff_t i = 0;
  for (; i + LANES <= count; i += LANES) store(y + i, gelu_vector(load(x + i)));
  if (i < count) store_part(y + i, gelu_vector(load_part(x + i, count - i)), count - i);
}

static void AT(gelu_backward)(const float *x, const float *dy, float *dx, ptrdiff_t count) {
  ptrdiff_t i = 0;
  for (; i + LANES <= count; i += LANES) store(dx + i, load(dy + i) * gelu_slope_vector(load(x + i)));
  if (i < count) {
    const vf d = load_part(dy + i, count - i) * gelu_slope_vector(load_part(x + i, count - i));
    store_part(dx + i, d, count - i);
  }
}

static void AT(bias_gelu_forward)(float *u, const float *bias, float *y, ptrdiff_t rows, ptrdiff_t columns) {
  for (ptrdiff_t r = 0; r < rows; r++, u += columns, y += columns) {
    ptrdiff_t c = 0;
    for (; c + LANES <= columns; c += LANES) {
      const vf x = load(u + c) + load(bias + c);
      store(u + c, x);
      store(y + c, gelu_vector(x));
    }
    if (c < columns) {
      const ptrdiff_t rest = columns - c;
      const vf x = load_part(u + c, rest) + load_part(bias + c, rest);
      store_part(u + c, x, rest);
      store_part(y + c, gelu_vector(x), rest);
    }
  }
}

static void AT(bias_gelu_backward)(const float *u, const float *dy, float *du, float *dbias, ptrdiff_t rows,
                                   ptrdiff_t columns) {
  for (ptrdiff_t r = 0; r < rows; r++, u += columns, dy += columns, du += columns) {
    ptrdiff_t c = 0;
    for (; c + LANES <= columns; c += LANES) {
      const vf d = load(dy + c) * gelu_slope_vector(load(u + c));
      store(du + c, d);
      store(dbias + c, load(dbias + c) + d);
    }
    if (c < columns) {
      const ptrdiff_t rest = columns - c;
      const vf d = load_part(dy + c, rest) * gelu_slope_vector(load_part(u + c, rest));
      store_part(du + c, d, rest);
      store_part(dbias + c, load_part(dbias + c, rest) + d, rest);
    }
  }
}

static void AT(swiglu_forward)(const float *x, float *y, ptrdiff_t rows, ptrdiff_t columns) {
  for (ptrdiff_t r = 0; r < rows; r++, x += 2 * columns, y += columns) {
    ptrdiff_t c = 0;
    for (; c + LANES <= columns; c += LANES) {
      const vf g = load(x + c);
      store(y + c, g * sigmoid(g) * load(x + columns + c));
    }
    if (c < columns) {
      const ptrdiff_t rest = columns - c;
      const vf g = load_part(x + c, rest);
      store_part(y + c, g * sigmoid(g) * load_part(x + columns + c, rest), rest);
    }
  }
}

static void AT(swiglu_backward)(const float *x, const float *dy, float *dx, ptrdiff_t rows, ptrdiff_t columns) {
  for (ptrdiff_t r = 0; r < rows; r++, x += 2 * columns, dx += 2 * columns, dy += columns) {
    ptrdiff_t c = 0;
    for (; c + LANES <= columns; c += LANES) {
      const vf g = load(x + c), up = load(x + columns + c), d = load(dy + c), s = sigmoid(g);
      store(dx + c, d * up * (s + g * s * (1.0f - s)));
      store(dx + columns + c, d * g * s);
    }
    if (c < columns) {
      const ptrdiff_t rest = columns - c;
      const vf g = load_part(x + c, rest), up = load_part(x + columns + c, rest), d = load_part(dy + c, rest);
      const vf s = sigmoid(g);
      store_part(dx + c, d * up * (s + g * s * (1.0f - s)), rest);
      store_part(dx + columns + c, d * g * s, rest);
    }
  }
}

static void AT(leaky_relu_forward)(const float *x, float slope, float *y, ptrdiff_t count) {
  ptrdiff_t i = 0;
  for (; i + LANES <= count; i += LANES) {
    const vf v = load(x + i);
    store(y + i, choose(v > 0, v, slope * v));
  }
  for (; i < count; i++) y[i] = x[i] > 0 ? x[i] : slope * x[i];
}

static void AT(leaky_relu_backward)(const float *x, const float *dy, float slope, float *dx, ptrdiff_t count) {
  ptrdiff_t i = 0;
  for (; i + LANES <= count; i += LANES) {
    const vf d = load(dy + i);
    store(dx + i, choose(load(x + i) > 0, d, slope * d));
  }
  for (; i < count; i++) dx[i] = x[i] > 0 ? dy[i] : slope * dy[i];
}

#undef sigmoid
#undef gelu_vector
#undef gelu_slope_vector

#endif
