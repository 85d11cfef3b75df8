// Reads memory and does as little as possible with it: the rate no product with stored weights can exceed.
#ifndef LANES
#include "kernels.h"

static uint32_t read_memory_scalar(const uint32_t *words, ptrdiff_t count) {
  uint32_t sum = 0;
  for (ptrdiff_t i = 0; i < count; i++) sum ^= words[i];
  return sum;
}

#define FAMILY "read.c"
#include "each_level.h"

uint32_t ck_read_memory(const uint32_t *words, ptrdiff_t count) { DISPATCH(read_memory, words, count) }

#else

static uint32_t AT(read_memory)(const uint32_t *words, ptrdiff_t count) {
  // Four sums, so that no addition waits for another.
  vi sums[4] = {0};
  const float *const p = (const float *)words;
  ptrdiff_t i = 0;
  for (; i + 4 * LANES <= count; i += 4 * LANES)
    for (int k = 0; k < 4; k++) sums[k] ^= (vi)load(p + i + k * LANES);
  const vi all = sums[0] ^ sums[1] ^ sums[2] ^ sums[3];
  uint32_t sum = 0;
  for (int l = 0; l < LANES; l++) sum ^= (uint32_t)all[l];
  for (; i < count; i++) sum ^= words[i];
  return sum;
}

#endif
