// Arrays of f16 and bf16 to f32 and back.
#ifndef LANES
#include "half.h"
#include "kernels.h"

static inline void brains_store_scalar(const float *x, uint8_t *y, ptrdiff_t count) {
  for (ptrdiff_t i = 0; i < count; i++) store_u16(y + 2 * i, brain_of_float(x[i]));
}

static void floats_load_scalar(ck_float format, const void *x, float *y, ptrdiff_t count) {
  const uint8_t *const in = x;
  for (ptrdiff_t i = 0; i < count; i++)
    y[i] = format == CK_F16 ? float_of_half(load_u16(in + 2 * i)) : float_of_brain(load_u16(in + 2 * i));
}

#define FAMILY "float_formats.c"
#include "each_level.h"

static void floats_load(ck_float format, const void *x, float *y, ptrdiff_t count) {
  DISPATCH(floats_load, format, x, y, count)
}

static void brains_store(const float *x, uint8_t *y, ptrdiff_t count) { DISPATCH(brains_store, x, y, count) }

void ck_floats_store(ck_float format, const float *x, void *y, ptrdiff_t count) {
  uint8_t *const out = y;
  switch (format) {
  case CK_F32: memcpy(y, x, (size_t)count * 4); break;
  case CK_F16:
    for (ptrdiff_t i = 0; i < count; i++) store_u16(out + 2 * i, half_of_float(x[i]));
    break;
  case CK_BF16: brains_store(x, out, count); break;
  }
}

void ck_floats_load(ck_float format, const void *x, float *y, ptrdiff_t count) {
  if (format == CK_F32) {
    memcpy(y, x, (size_t)count * 4);
  } else {
    floats_load(format, x, y, count);
  }
}

#else
#include "sixteen.h"

static void AT(floats_load)(ck_float format, const void *x, float *y, ptrdiff_t count) {
  ptrdiff_t i = 0;
  if (format == CK_F16)
    for (; i + 16 <= count; i += 16) store16(y + i, load16(CK_F16, x, i));
  else
    for (; i + 16 <= count; i += 16) store16(y + i, load16(CK_BF16, x, i));
  floats_load_scalar(format, (const uint8_t *)x + 2 * i, y + i, count - i);
}

// The compiler makes vectors of it.
static void AT(brains_store)(const float *x, uint8_t *y, ptrdiff_t count) { brains_store_scalar(x, y, count); }

#include "sixteen_end.h"
#endif
