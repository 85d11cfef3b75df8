// Arrays of f16 and bf16 to f32 and back.
#include "half.h"
#include "kernels.h"

void ck_floats_store(ck_float format, const float *x, void *y, ptrdiff_t count) {
  uint8_t *const out = y;
  switch (format) {
  case CK_F32: memcpy(y, x, (size_t)count * 4); break;
  case CK_F16:
    for (ptrdiff_t i = 0; i < count; i++) store_u16(out + 2 * i, half_of_float(x[i]));
    break;
  case CK_BF16:
    for (ptrdiff_t i = 0; i < count; i++) store_u16(out + 2 * i, brain_of_float(x[i]));
    break;
  }
}

void ck_floats_load(ck_float format, const void *x, float *y, ptrdiff_t count) {
  const uint8_t *const in = x;
  switch (format) {
  case CK_F32: memcpy(y, x, (size_t)count * 4); break;
  case CK_F16:
    for (ptrdiff_t i = 0; i < count; i++) y[i] = float_of_half(load_u16(in + 2 * i));
    break;
  case CK_BF16:
    for (ptrdiff_t i = 0; i < count; i++) y[i] = float_of_brain(load_u16(in + 2 * i));
    break;
  }
}
