// Layer norm and RMS norm over the rows of a matrix, forward and backward.
// Not fused with what comes before or after, and without running statistics: a row depends on itself alone.
#ifndef LANES
#include "kernels.h"

static void layer_norm_forward_scalar(const float *x, const float *gain, const float *bias, float *y, float *mean,
                                      float *scale, ptrdiff_t rows, ptrdiff_t columns, float epsilon) {
  for (ptrdiff_t r = 0; r < rows; r++, x += columns, y += columns) {
    float sum = 0, squares = 0;
    for (ptrdiff_t c = 0; c < columns; c++) sum += x[c];
    const float m = sum / (float)columns;
    for (ptrdiff_t c = 0; c < columns; c++) squares += (x[c] - m) * (x[c] - m);
    const float s = 1.0f / sqrtf(squares / (float)columns + epsilon);
    for (ptrdiff_t c = 0; c < columns; c++) y[c] = (x[c] - m) * s * gain[c] + bias[c];
    mean[r] = m;
    scale[r] = s;
  }
}

// With n = (x - mean) · scale and g = dy · gain: dx = scale · (g - mean of g - n · mean of g · n).
static void layer_norm_backward_scalar(const float *dy, const float *x, const float *gain, const float *mean,
                                       const float *scale, float *dx, bool adds, float *dgain, float *dbias,
                                       ptrdiff_t rows, ptrdiff_t columns) {
  for (ptrdiff_t r = 0; r < rows; r++, x += columns, dy += columns, dx += columns) {
    float first = 0, second = 0;
    for (ptrdiff_t c = 0; c < columns; c++) {
      const float n = (x[c] - mean[r]) * scale[r];
      first += dy[c] * gain[c];
      second += dy[c] * gain[c] * n;
      dgain[c] += dy[c] * n;
      dbias[c] += dy[c];
    }
    first /= (float)columns;
    second /= (float)columns;
    for (ptrdiff_t c = 0; c < columns; c++) {
      const float n = (x[c] - mean[r]) * scale[r];
      const float d = scale[r] * (dy[c] * gain[c] - first - n * second);
      dx[c] = adds ? dx[c] + d : d;
    }
  }
}

static void rms_norm_forward_scalar(const float *x, const float *gain, float *y, float *scale, ptrdiff_t rows,
                                    ptrdiff_t columns, float epsilon) {
  for (ptrdiff_t r = 0; r < rows; r++, x += columns, y += columns) {
    float squares = 0;
    for (ptrdiff_t c = 0; c < columns; c++) squares += x[c] * x[c];
    scale[r] = 1.0f / sqrtf(squares / (float)columns + epsilon);
    for (ptrdiff_t c = 0; c < columns; c++) y[c] = x[c] * scale[r] * gain[c];
  }
}

static void rms_norm_backward_scalar(const float *dy, const float *x, const float *gain, const float *scale, float *dx,
                                     bool adds, float *dgain, ptrdiff_t rows, ptrdiff_t columns) {
  for (ptrdiff_t r = 0; r < rows; r++, x += columns, dy += columns, dx += columns) {
    float second = 0;
    for (ptrdiff_t c = 0; c < columns; c++) {
      const float n = x[c] * scale[r];
      second += dy[c] * gain[c] * n;
      dgain[c] += dy[c] * n;
    }
    second /= (float)columns;
    for (ptrdiff_t c = 0; c < columns; c++) {
      const float d = scale[r] * (dy[c] * gain[c] - x[c] * scale[r] * second);
      dx[c] = adds ? dx[c] + d : d;
    }
  }
}

#define FAMILY "norm.c"
#include "each_level.h"

void ck_layer_norm_forward(const float *x, const float *gain, const float *bias, float *y, float *mean, float *scale,
                           ptrdiff_t rows, ptrdiff_t columns, float epsilon) {
  DISPATCH(layer_norm_forward, x, gain, bias, y, mean, scale, rows, columns, epsilon)
}
void ck_layer_norm_backward(const float *dy, const float *x, const float *gain, const float *mean, const float *scale,
                            float *dx, bool adds, float *dgain, float *dbias, ptrdiff_t rows, ptrdiff_t columns) {
  DISPATCH(layer_norm_backward, dy, x, gain, mean, scale, dx, adds, dgain, dbias, rows, columns)
}
void ck_rms_norm_forward(const float *x, const float *gain, float *y, float *scale, ptrdiff_t rows, ptrdiff_t columns,
                         float epsilon) {
  DISPATCH(rms_norm_forward, x, gain, y, scale, rows, columns, epsilon)
}
void ck_rms_norm_backward(const float *dy, const float *x, const float *gain, const float *scale, float *dx, bool adds,
                          float *dgain, ptrdiff_t rows, ptrdiff_t columns) {
  DISPATCH(rms_norm_backward, dy, x, gain, scale, dx, adds, dgain, rows, columns)
}

#else

static void AT(layer_norm_forward)(const float *x, const float *gain, const float *bias, float *y, float *mean,
                                   float *scale, ptrdiff_t rows, ptrdiff_t columns, float epsilon) {
  const ptrdiff_t whole = columns - columns % LANES, rest = columns - whole;
  const vi mask = below(rest);
  for (ptrdiff_t r = 0; r < rows; r++, x += columns, y += columns) {
    vf a = {0}, b = {0};
    ptrdiff_t c = 0;
    for (; c + 2 * LANES <= whole; c += 2 * LANES) a += load(x + c), b += load(x + c + LANES);
    for (; c < whole; c += LANES) a += load(x + c);
    if (rest) b += load_part(x + c, rest);
    const float m = sum_lanes(a + b) / (float)columns;
    a = b = (vf){0};
    for (c = 0; c + 2 * LANES <= whole; c += 2 * LANES) {
      const vf u = load(x + c) - m, v = load(x + c + LANES) - m;
      a += u * u;
      b += v * v;
    }
    for (; c < whole; c += LANES) {
      const vf u = load(x + c) - m;
      a += u * u;
    }
    if (rest) {
      const vf u = choose(mask, load_part(x + c, rest) - m, (vf){0});
      b += u * u;
    }
    const float s = 1.0f / sqrtf(sum_lanes(a + b) / (float)columns + epsilon);
    for (c = 0; c < whole; c += LANES) store(y + c, (load(x + c) - m) * s * load(gain + c) + load(bias + c));
    for (; c < columns; c++) y[c] = (x[c] - m) * s * gain[c] + bias[c];
    mean[r] = m;
    scale[r] = s;
  }
}

static void AT(layer_norm_backward)(const float *dy, const float *x, const float *gain, const float *mean,
                                    const float *scale, float *dx, bool adds, float *dgain, float *dbias,
                                    ptrdiff_t rows, ptrdiff_t columns) {
  const ptrdiff_t whole = columns - columns % LANES;
  for (ptrdiff_t r = 0; r < rows; r++, x += columns, dy += columns, dx += columns) {
    const float m = mean[r], s = scale[r];
    vf a = {0}, b = {0};
    ptrdiff_t c = 0;
    for (; c < whole; c += LANES) {
      const vf d = load(dy + c), n = (load(x + c) - m) * s, g = d * load(gain + c);
      a += g;
      b += g * n;
      store(dgain + c, load(dgain + c) + d * n);
      store(dbias + c, load(dbias + c) + d);
    }
    float first = sum_lanes(a), second = sum_lanes(b);
    for (; c < columns; c++) {
      const float n = (x[c] - m) * s;
      first += dy[c] * gain[c];
      second += dy[c] * gain[c] * n;
      dgain[c] += dy[c] * n;
      dbias[c] += dy[c];
    }
    first /= (float)columns;
    second /= (float)columns;
    for (c = 0; c < whole; c += LANES) {
      const vf n = (load(x + c) - m) * s;
      const vf d = s * (load(dy + c) * load(gain + c) - first - n * second);
      store(dx + c, adds ? load(dx + c) + d : d);
    }
    for (; c < columns; c++) {
      const float d = s * (dy[c] * gain[c] - first - (x[c] - m) * s * second);
      dx[c] = adds ? dx[c] + d : d;
    }
  }
}

static void AT(rms_norm_forward)(const float *x, const float *gain, float *y, float *scale, ptrdiff_t rows,
                                 ptrdiff_t columns, float epsilon) {
  const ptrdiff_t whole = columns - columns % LANES;
  for (ptrdiff_t r = 0; r < rows; r++, x += columns, y += columns) {
    vf a = {0}, b = {0};
    ptrdiff_t c = 0;
    for (; c + 2 * LANES <= whole; c += 2 * LANES) {
      a += load(x + c) * load(x + c);
      b += load(x + c + LANES) * load(x + c + LANES);
    }
    for (; c < whole; c += LANES) a += load(x + c) * load(x + c);
    float squares = sum_lanes(a + b);
    for (; c < columns; c++) squares += x[c] * x[c];
    const float s = 1.0f / sqrtf(squares / (float)columns + epsilon);
    for (c = 0; c < whole; c += LANES) store(y + c, load(x + c) * s * load(gain + c));
    for (; c < columns; c++) y[c] = x[c] * s * gain[c];
    scale[r] = s;
  }
}

static void AT(rms_norm_backward)(const float *dy, const float *x, const float *gain, const float *scale, float *dx,
                                  bool adds, float *dgain, ptrdiff_t rows, ptrdiff_t columns) {
  const ptrdiff_t whole = columns - columns % LANES;
  for (ptrdiff_t r = 0; r < rows; r++, x += columns, dy += columns, dx += columns) {
    const float s = scale[r];
    vf b = {0};
    ptrdiff_t c = 0;
    for (; c < whole; c += LANES) {
      const vf d = load(dy + c), n = load(x + c) * s;
      b += d * load(gain + c) * n;
      store(dgain + c, load(dgain + c) + d * n);
    }
    float second = sum_lanes(b);
    for (; c < columns; c++) {
      second += dy[c] * gain[c] * x[c] * s;
      dgain[c] += dy[c] * x[c] * s;
    }
    second /= (float)columns;
    for (c = 0; c < whole; c += LANES) {
      const vf d = s * (load(dy + c) * load(gain + c) - load(x + c) * s * second);
      store(dx + c, adds ? load(dx + c) + d : d);
    }
    for (; c < columns; c++) {
      const float d = s * (dy[c] * gain[c] - x[c] * s * second);
      dx[c] = adds ? dx[c] + d : d;
    }
  }
}

#endif
