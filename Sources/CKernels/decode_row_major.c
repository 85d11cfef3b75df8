// A few rows of activations times row-major weights in f32, f16 or bf16: every weight is read once.
#include "half.h"
#include "kernels.h"

enum { SIXTEEN = 16 };

static float weight(ck_float format, const uint8_t *row, ptrdiff_t c) {
  float w;
  switch (format) {
  case CK_F16: return float_of_half(load_u16(row + 2 * c));
  case CK_BF16: return float_of_brain(load_u16(row + 2 * c));
  default: memcpy(&w, row + 4 * c, 4); return w;
  }
}

static void row_major_multiply_scalar(ck_float format, const void *weights, const float *x, ptrdiff_t batch, float *y,
                                      ptrdiff_t y_stride, ptrdiff_t rows, ptrdiff_t columns) {
  const ptrdiff_t row_bytes = columns * (format == CK_F32 ? 4 : 2);
  for (ptrdiff_t r = 0; r < rows; r++) {
    const uint8_t *const row = (const uint8_t *)weights + r * row_bytes;
    for (ptrdiff_t b = 0; b < batch; b++) {
      float lanes[SIXTEEN] = {0};
      for (ptrdiff_t c = 0; c < columns; c++)
        lanes[c % SIXTEEN] = fmaf(weight(format, row, c), x[b * columns + c], lanes[c % SIXTEEN]);
      for (int width = SIXTEEN / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++) lanes[i] += lanes[i + width];
      y[b * y_stride + r] = lanes[0];
    }
  }
}

void ck_row_major_multiply(ck_float format, const void *weights, const float *x, ptrdiff_t batch, float *y,
                           ptrdiff_t y_stride, ptrdiff_t rows, ptrdiff_t columns) {
  row_major_multiply_scalar(format, weights, x, batch, y, y_stride, rows, columns);
}
