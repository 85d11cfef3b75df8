// Softmax over rows, and the cross-entropy loss with its gradient in the same pass.
// Not the softmax inside attention, which never leaves attention.c.
#ifndef LANES
#include "kernels.h"

static void softmax_scalar(const float *x, float *y, ptrdiff_t rows, ptrdiff_t columns) {
  for (ptrdiff_t r = 0; r < rows; r++, x += columns, y += columns) {
    float top = x[0], sum = 0;
    for (ptrdiff_t c = 1; c < columns; c++) top = x[c] > top ? x[c] : top;
    for (ptrdiff_t c = 0; c < columns; c++) sum += (y[c] = expf(x[c] - top));
    for (ptrdiff_t c = 0; c < columns; c++) y[c] /= sum;
  }
}

static double cross_entropy_scalar(const float *x, const int32_t *targets, float *dx, float weight, ptrdiff_t rows,
                                   ptrdiff_t columns) {
  double loss = 0;
  for (ptrdiff_t r = 0; r < rows; r++, x += columns) {
    float *d = dx ? dx + r * columns : NULL;
    const int32_t target = targets[r];
    if (target < 0) {
      if (d) memset(d, 0, (size_t)columns * sizeof *d);
      continue;
    }
    float top = x[0], sum = 0;
    for (ptrdiff_t c = 1; c < columns; c++) top = x[c] > top ? x[c] : top;
    for (ptrdiff_t c = 0; c < columns; c++) sum += expf(x[c] - top);
    loss += (double)logf(sum) + (double)top - (double)x[target];
    if (!d) continue;
    for (ptrdiff_t c = 0; c < columns; c++) d[c] = weight * expf(x[c] - top) / sum;
    d[target] -= weight;
  }
  return loss;
}

static void cross_entropy_rows_scalar(const float *x, const int32_t *targets, const float *weights, float *losses,
                                      float *dx, ptrdiff_t rows, ptrdiff_t columns) {
  for (ptrdiff_t r = 0; r < rows; r++, x += columns) {
    float *d = dx ? dx + r * columns : NULL;
    const int32_t target = targets[r];
    losses[r] = 0;
    if (target < 0) {
      if (d) memset(d, 0, (size_t)columns * sizeof *d);
      continue;
    }
    float top = x[0], sum = 0;
    for (ptrdiff_t c = 1; c < columns; c++) top = x[c] > top ? x[c] : top;
    for (ptrdiff_t c = 0; c < columns; c++) sum += expf(x[c] - top);
    losses[r] = logf(sum) + (top - x[target]);
    if (!d) continue;
    for (ptrdiff_t c = 0; c < columns; c++) d[c] = weights[r] * expf(x[c] - top) / sum;
    d[target] -= weights[r];
  }
}

#define FAMILY "softmax.c"
#include "each_level.h"

void ck_softmax(const float *x, float *y, ptrdiff_t rows, ptrdiff_t columns) {
  DISPATCH(softmax, x, y, rows, columns)
}
double ck_cross_entropy(const float *x, const int32_t *targets, float *dx, float weight, ptrdiff_t rows,
                        ptrdiff_t columns) {
  DISPATCH(cross_entropy, x, targets, dx, weight, rows, columns)
}
void ck_cross_entropy_rows(const float *x, const int32_t *targets, const float *weights, float *losses, float *dx,
                           ptrdiff_t rows, ptrdiff_t columns) {
  DISPATCH(cross_entropy_rows, x, targets, weights, losses, dx, rows, columns)
}

#else

#define row_top AT(row_top_of)
#define row_exponentials AT(row_exponentials_of)

INLINE float row_top(const float *x, ptrdiff_t columns) {
  float top = x[0];
  ptrdiff_t c = 0;
  if (columns >= LANES) {
    vf most = load(x);
    for (c = LANES; c + LANES <= columns; c += LANES) {
      const vf v = load(x + c);
      most = choose(v > most, v, most);
    }
    top = max_lanes(most);
  }
  for (; c < columns; c++) top = x[c] > top ? x[c] : top;
  return top;
}

// Returns Σ exp(x - top); writes factor · exp(x - top) where y is not NULL.
INLINE float row_exponentials(const float *x, float *y, ptrdiff_t columns, float top, float factor) {
  vf sum = {0};
  ptrdiff_t c = 0;
  for (; c + LANES <= columns; c += LANES) {
    const vf e = exponential(load(x + c) - top);
    sum += e;
    if (y) store(y + c, factor * e);
  }
  if (c < columns) {
    const ptrdiff_t rest = columns - c;
    const vf e = choose(below(rest), exponential(load_part(x + c, rest) - top), (vf){0});
    sum += e;
    if (y) store_part(y + c, factor * e, rest);
  }
  return sum_lanes(sum);
}

static void AT(softmax)(const float *x, float *y, ptrdiff_t rows, ptrdiff_t columns) {
  for (ptrdiff_t r = 0; r < rows; r++, x += columns, y += columns) {
    const float inverse = 1.0f / row_exponentials(x, y, columns, row_top(x, columns), 1.0f);
    ptrdiff_t c = 0;
    for (; c + LANES <= columns; c += LANES) store(y + c, load(y + c) * inverse);
    for (; c < columns; c++) y[c] *= inverse;
  }
}

static double AT(cross_entropy)(const float *x, const int32_t *targets, float *dx, float weight, ptrdiff_t rows,
                                ptrdiff_t columns) {
  double loss = 0;
  for (ptrdiff_t r = 0; r < rows; r++, x += columns) {
    float *d = dx ? dx + r * columns : NULL;
    const int32_t target = targets[r];
    if (target < 0) {
      if (d) memset(d, 0, (size_t)columns * sizeof *d);
      continue;
    }
    const float top = row_top(x, columns);
    const float sum = row_exponentials(x, NULL, columns, top, 1.0f);
    loss += (double)logf(sum) + (double)top - (double)x[target];
    if (!d) continue;
    row_exponentials(x, d, columns, top, weight / sum);
    d[target] -= weight;
  }
  return loss;
}

static void AT(cross_entropy_rows)(const float *x, const int32_t *targets, const float *weights, float *losses,
                                   float *dx, ptrdiff_t rows, ptrdiff_t columns) {
  for (ptrdiff_t r = 0; r < rows; r++, x += columns) {
    float *d = dx ? dx + r * columns : NULL;
    const int32_t target = targets[r];
    losses[r] = 0;
    if (target < 0) {
      if (d) memset(d, 0, (size_t)columns * sizeof *d);
      continue;
    }
    const float top = row_top(x, columns);
    const float sum = row_exponentials(x, NULL, columns, top, 1.0f);
    losses[r] = logf(sum) + (top - x[target]);
    if (!d) continue;
    row_exponentials(x, d, columns, top, weights[r] / sum);
    d[target] -= weights[r];
  }
}

#undef row_top
#undef row_exponentials

#endif
