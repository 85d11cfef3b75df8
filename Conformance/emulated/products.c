// The products of a few rows on NEON against the scalar loops, bit by bit: test_emulated.py compiles this with the kernels for
// aarch64 and runs it under an emulator. Prints what differs.
#include "CKernels.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int shapes[][2] = {{1, 1}, {3, 7}, {16, 32}, {17, 33}, {48, 576}, {33, 64}, {40, 100}, {97, 2048}};
static const ck_level levels[] = {CK_SCALAR, CK_NEON};
enum { SHAPES = sizeof shapes / sizeof *shapes, BATCHES = 16, TILE = 16 };

static int compared, different;

static void compare(const char *what, const void *a, const void *b, size_t bytes, int rows, int columns, int batch) {
  compared++;
  if (!memcmp(a, b, bytes)) return;
  different++;
  printf("%s differs: %d x %d, batch %d\n", what, rows, columns, batch);
}

// Nearly normal numbers.
static float drawn(void) {
  static uint32_t state = 1;
  float sum = 0;
  for (int i = 0; i < 6; i++) {
    state = state * 1664525u + 1013904223u;
    sum += (float)(state >> 8) / 16777216.0f - 0.5f;
  }
  return sum;
}
static float *numbers(size_t count) {
  float *const x = malloc(count * sizeof *x);
  for (size_t i = 0; i < count; i++) x[i] = drawn();
  return x;
}
static void *lines(size_t bytes) { return calloc(1, bytes + 64); }

static const struct {
  const char *name;
  size_t (*bytes)(ptrdiff_t);
  void (*pack)(const float *, ptrdiff_t, ptrdiff_t, void *);
  void (*unpack)(const void *, ptrdiff_t, ptrdiff_t, ptrdiff_t, float *);
  void (*multiply)(const void *, const ck_activations *, ptrdiff_t, float *, ptrdiff_t, ptrdiff_t, ptrdiff_t);
} formats[] = {
    {"int8", ck_int8_tile_bytes, ck_int8_pack, ck_int8_unpack, ck_int8_multiply},
    {"int4", ck_int4_tile_bytes, ck_int4_pack, ck_int4_unpack, ck_int4_multiply},
    {"int4-affine", ck_int4_affine_tile_bytes, ck_int4_affine_pack, ck_int4_affine_unpack, ck_int4_affine_multiply},
};

static void tiles(int format, int rows, int columns) {
  const int count = (rows + TILE - 1) / TILE;
  const size_t bytes = formats[format].bytes(columns);
  float *const x = numbers((size_t)rows * columns), *values[2];
  uint8_t *packed[2];
  // Packed with a group that is not a number, and then without it, which products take.
  for (int pass = 0; pass < 2; pass++) {
    x[rows * columns / 2] = pass ? 0.5f : NAN;
    for (int l = 0; l < 2; l++) {
      ck_set_level(levels[l]);
      packed[l] = lines(bytes * count);
      values[l] = lines((size_t)rows * columns * 4);
      for (int i = 0; i < count; i++) {
        const int part = rows - i * TILE < TILE ? rows - i * TILE : TILE;
        formats[format].pack(x + i * TILE * columns, part, columns, packed[l] + i * bytes);
        formats[format].unpack(packed[l] + i * bytes, 0, part, columns, values[l] + i * TILE * columns);
      }
    }
    compare("packing", packed[0], packed[1], bytes * count, rows, columns, 0);
    compare("unpacking", values[0], values[1], (size_t)rows * columns * 4, rows, columns, 0);
  }
  for (int batch = 1; batch <= BATCHES; batch++) {
    const float *const a = numbers((size_t)batch * columns);
    float *y[2];
    for (int l = 0; l < 2; l++) {
      ck_set_level(levels[l]);
      ck_activations *const q = lines(sizeof *q * (size_t)ck_activations_count(batch, columns));
      ck_quantize_activations(a, batch, columns, q);
      y[l] = lines((size_t)batch * rows * 4);
      formats[format].multiply(packed[0], q, batch, y[l], rows, rows, columns);
    }
    compare(formats[format].name, y[0], y[1], (size_t)batch * rows * 4, rows, columns, batch);
  }
}

static void row_major(ck_float format, int rows, int columns) {
  void *const weights = lines((size_t)rows * columns * 4);
  ck_floats_store(format, numbers((size_t)rows * columns), weights, (ptrdiff_t)rows * columns);
  for (int batch = 1; batch <= BATCHES; batch++) {
    const float *const a = numbers((size_t)batch * columns);
    float *y[2];
    for (int l = 0; l < 2; l++) {
      ck_set_level(levels[l]);
      y[l] = lines((size_t)batch * rows * 4);
      if (format == CK_BF16) {
        uint16_t *const arranged = lines(2 * ck_bf16_arranged_count(batch, columns));
        ck_bf16_arrange(a, batch, columns, arranged);
        ck_bf16_multiply(weights, arranged, batch, y[l], rows, rows, columns);
      } else {
        float *const arranged = lines(4 * ck_arranged_count(batch, columns));
        ck_arrange(a, batch, columns, arranged);
        ck_row_major_multiply(format, weights, arranged, batch, y[l], rows, rows, columns);
      }
    }
    compare("a row-major product", y[0], y[1], (size_t)batch * rows * 4, rows, columns, batch);
  }
}

// Nothing is freed: the process ends.
int main(void) {
  ck_set_level(CK_NEON);
  printf("integer dot product: %s\n", ck_has_integer_dot() ? "yes" : "no");
  for (int s = 0; s < SHAPES; s++) {
    for (int f = 0; f < 3; f++) tiles(f, shapes[s][0], shapes[s][1]);
    for (int f = CK_F32; f <= CK_BF16; f++) row_major((ck_float)f, shapes[s][0], shapes[s][1]);
  }
  printf("compared: %d, different: %d\n", compared, different);
  return different != 0;
}
