// Shared by blocks.c and blocks_k.c.
#include "tiles.h"

// Q4_K keeps eight scales and eight minima of six bits in twelve bytes: those of the first four groups in the lower
// six bits of bytes 0 to 3 (scales) and 4 to 7 (minima); of the others, four bits in bytes 8 to 11 and two bits on
// top of bytes 0 to 7.
static inline int q4_k_scale(const uint8_t *packed, int group) {
  return group < 4 ? packed[group] & 63 : (packed[group + 4] & 15) | (packed[group - 4] >> 6) << 4;
}
static inline int q4_k_minimum(const uint8_t *packed, int group) {
  return group < 4 ? packed[group + 4] & 63 : packed[group + 4] >> 4 | (packed[group] >> 6) << 4;
}

void load_q4_k(const uint8_t *block, float *y);
void load_q6_k(const uint8_t *block, float *y);
void store_q4_k(const float *x, uint8_t *block);
void store_q6_k(const float *x, uint8_t *block);
