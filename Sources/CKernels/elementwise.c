// Sums, products and biases: passes that memory bounds. Each is one pass; what can be fused with a neighbour is fused
// in the file of the neighbour.
#ifndef LANES
#include "kernels.h"

static void add_scalar(const float *a, const float *b, float *y, ptrdiff_t count) {
  for (ptrdiff_t i = 0; i < count; i++) y[i] = a[i] + b[i];
}
static void multiply_scalar(const float *a, const float *b, float *y, ptrdiff_t count) {
  for (ptrdiff_t i = 0; i < count; i++) y[i] = a[i] * b[i];
}
static void axpy_scalar(float factor, const float *x, float *y, ptrdiff_t count) {
  for (ptrdiff_t i = 0; i < count; i++) y[i] += factor * x[i];
}
static void scale_scalar(float factor, const float *x, float *y, ptrdiff_t count) {
  for (ptrdiff_t i = 0; i < count; i++) y[i] = factor * x[i];
}
static void add_bias_scalar(float *y, const float *bias, const float *residual, ptrdiff_t rows, ptrdiff_t columns) {
  for (ptrdiff_t r = 0; r < rows; r++, y += columns) {
    for (ptrdiff_t c = 0; c < columns; c++) y[c] += residual ? bias[c] + residual[c] : bias[c];
    if (residual) residual += columns;
  }
}
static void column_sums_scalar(const float *x, float *sums, ptrdiff_t rows, ptrdiff_t columns) {
  for (ptrdiff_t r = 0; r < rows; r++, x += columns)
    for (ptrdiff_t c = 0; c < columns; c++) sums[c] += x[c];
}
static double dot_scalar(const float *a, const float *b, ptrdiff_t count) {
  double sum = 0;
  for (ptrdiff_t i = 0; i < count; i++) sum += (double)a[i] * (double)b[i];
  return sum;
}
static double sum_scalar(const float *x, ptrdiff_t count) {
  double sum = 0;
  for (ptrdiff_t i = 0; i < count; i++) sum += (double)x[i];
  return sum;
}

#define FAMILY "elementwise.c"
#include "each_level.h"

void ck_add(const float *a, const float *b, float *y, ptrdiff_t count) { DISPATCH(add, a, b, y, count) }
void ck_multiply(const float *a, const float *b, float *y, ptrdiff_t count) { DISPATCH(multiply, a, b, y, count) }
void ck_axpy(float factor, const float *x, float *y, ptrdiff_t count) { DISPATCH(axpy, factor, x, y, count) }
void ck_scale(float factor, const float *x, float *y, ptrdiff_t count) { DISPATCH(scale, factor, x, y, count) }
void ck_add_bias(float *y, const float *bias, const float *residual, ptrdiff_t rows, ptrdiff_t columns) {
  DISPATCH(add_bias, y, bias, residual, rows, columns)
}
void ck_column_sums(const float *x, float *sums, ptrdiff_t rows, ptrdiff_t columns) {
  DISPATCH(column_sums, x, sums, rows, columns)
}
double ck_dot(const float *a, const float *b, ptrdiff_t count) { DISPATCH(dot, a, b, count) }
double ck_sum_of_squares(const float *x, ptrdiff_t count) { return ck_dot(x, x, count); }
double ck_sum(const float *x, ptrdiff_t count) { DISPATCH(sum, x, count) }

#else

static void AT(add)(const float *a, const float *b, float *y, ptrdiff_t count) {
  ptrdiff_t i = 0;
  for (; i + LANES <= count; i += LANES) store(y + i, load(a + i) + load(b + i));
  for (; i < count; i++) y[i] = a[i] + b[i];
}
static void AT(multiply)(const float *a, const float *b, float *y, ptrdiff_t count) {
  ptrdiff_t i = 0;
  for (; i + LANES <= count; i += LANES) store(y + i, load(a + i) * load(b + i));
  for (; i < count; i++) y[i] = a[i] * b[i];
}
static void AT(axpy)(float factor, const float *x, float *y, ptrdiff_t count) {
  ptrdiff_t i = 0;
  for (; i + LANES <= count; i += LANES) store(y + i, load(y + i) + factor * load(x + i));
  for (; i < count; i++) y[i] += factor * x[i];
}
static void AT(scale)(float factor, const float *x, float *y, ptrdiff_t count) {
  ptrdiff_t i = 0;
  for (; i + LANES <= count; i += LANES) store(y + i, factor * load(x + i));
  for (; i < count; i++) y[i] = factor * x[i];
}
static void AT(add_bias)(float *y, const float *bias, const float *residual, ptrdiff_t rows, ptrdiff_t columns) {
  for (ptrdiff_t r = 0; r < rows; r++, y += columns) {
    ptrdiff_t c = 0;
    if (residual) {
      for (; c + LANES <= columns; c += LANES)
        store(y + c, load(y + c) + (load(bias + c) + load(residual + c)));
      for (; c < columns; c++) y[c] += bias[c] + residual[c];
      residual += columns;
    } else {
      for (; c + LANES <= columns; c += LANES) store(y + c, load(y + c) + load(bias + c));
      for (; c < columns; c++) y[c] += bias[c];
    }
  }
}
static void AT(column_sums)(const float *x, float *sums, ptrdiff_t rows, ptrdiff_t columns) {
  for (ptrdiff_t r = 0; r < rows; r++, x += columns) {
    ptrdiff_t c = 0;
    for (; c + LANES <= columns; c += LANES) store(sums + c, load(sums + c) + load(x + c));
    for (; c < columns; c++) sums[c] += x[c];
  }
}
// Sums of 1,024 in f32, summed in f64.
static double AT(dot)(const float *a, const float *b, ptrdiff_t count) {
  double sum = 0;
  ptrdiff_t i = 0;
  while (i + LANES <= count) {
    vf s = {0};
    for (int n = 0; n < 1024 / LANES && i + LANES <= count; n++, i += LANES) s += load(a + i) * load(b + i);
    sum += (double)sum_lanes(s);
  }
  for (; i < count; i++) sum += (double)a[i] * (double)b[i];
  return sum;
}
static double AT(sum)(const float *x, ptrdiff_t count) {
  double sum = 0;
  ptrdiff_t i = 0;
  while (i + LANES <= count) {
    vf s = {0};
    for (int n = 0; n < 1024 / LANES && i + LANES <= count; n++, i += LANES) s += load(x + i);
    sum += (double)sum_lanes(s);
  }
  for (; i < count; i++) sum += (double)x[i];
  return sum;
}

#endif
