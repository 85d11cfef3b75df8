// The layout of quantised tiles, as decode.h describes it.
#include "half.h"
#include "kernels.h"

static inline ptrdiff_t groups_of(ptrdiff_t columns) { return (columns + CK_GROUP - 1) / CK_GROUP; }

// Eight bits: the scales of two groups are one cache line, and their bytes follow; a last group of an odd number has a
// line of its own.
enum { INT8_GROUP_BYTES = CK_TILE * CK_GROUP, INT8_PAIR_BYTES = 64 + 2 * INT8_GROUP_BYTES };
static inline size_t int8_scale_at(ptrdiff_t group, ptrdiff_t row) {
  return (size_t)(group / 2) * INT8_PAIR_BYTES + (size_t)(group % 2 * CK_TILE + row) * 2;
}
static inline size_t int8_bytes_at(ptrdiff_t group) {
  return (size_t)(group / 2) * INT8_PAIR_BYTES + 64 + (size_t)(group % 2) * INT8_GROUP_BYTES;
}
static inline size_t int8_byte_at(ptrdiff_t row, ptrdiff_t column) {
  return int8_bytes_at(column / CK_GROUP) + (size_t)(column % CK_GROUP / 4 * CK_TILE + row) * 4 + (size_t)(column % 4);
}
// A tile of zeros.
static inline void int8_clear(uint8_t *tile, ptrdiff_t groups) {
  for (ptrdiff_t g = 0; g < groups; g++) {
    if (g % 2 == 0) memset(tile + int8_scale_at(g, 0), 0, 64);
    memset(tile + int8_bytes_at(g), 128, INT8_GROUP_BYTES);
  }
}

// Four bits: sixteen bytes are the 32 columns of a row's group, c in the lower and c + 16 in the upper nibble of byte c. They
// lie in four words, a tile apart.
enum { INT4_GROUP_BYTES = CK_TILE * CK_GROUP / 2, INT4_PAIR_BYTES = 64 + 2 * INT4_GROUP_BYTES };
static inline void load_nibbles(const uint8_t *from, uint8_t nibbles[CK_GROUP / 2]) {
  for (int step = 0; step < CK_GROUP / 8; step++) memcpy(nibbles + 4 * step, from + step * CK_TILE * 4, 4);
}
static inline void store_nibbles(const uint8_t nibbles[CK_GROUP / 2], uint8_t *to) {
  for (int step = 0; step < CK_GROUP / 8; step++) memcpy(to + step * CK_TILE * 4, nibbles + 4 * step, 4);
}
static inline int nibble(const uint8_t nibbles[CK_GROUP / 2], ptrdiff_t column) {
  return column < CK_GROUP / 2 ? nibbles[column] & 15 : nibbles[column - CK_GROUP / 2] >> 4;
}

// Scales lie as those of eight bits do.
static inline size_t int4_scale_at(ptrdiff_t group, ptrdiff_t row) {
  return (size_t)(group / 2) * INT4_PAIR_BYTES + (size_t)(group % 2 * CK_TILE + row) * 2;
}
static inline size_t int4_bytes_at(ptrdiff_t group) {
  return (size_t)(group / 2) * INT4_PAIR_BYTES + 64 + (size_t)(group % 2) * INT4_GROUP_BYTES;
}
static inline size_t int4_nibbles_at(ptrdiff_t group, ptrdiff_t row) { return int4_bytes_at(group) + (size_t)row * 4; }
// A tile of zeros.
static inline void int4_clear(uint8_t *tile, ptrdiff_t groups) {
  for (ptrdiff_t g = 0; g < groups; g++) {
    if (g % 2 == 0) memset(tile + int4_scale_at(g, 0), 0, 64);
    memset(tile + int4_bytes_at(g), 0x88, INT4_GROUP_BYTES);
  }
}

// With offsets: scales, offsets and nibbles of one group are five cache lines.
enum { INT4_AFFINE_GROUP_BYTES = CK_TILE * 2 * 2 + INT4_GROUP_BYTES };
static inline size_t int4_affine_scale_at(ptrdiff_t group, ptrdiff_t row) {
  return (size_t)group * INT4_AFFINE_GROUP_BYTES + (size_t)row * 2;
}
static inline size_t int4_affine_offset_at(ptrdiff_t group, ptrdiff_t row) {
  return int4_affine_scale_at(group, row) + CK_TILE * 2;
}
static inline size_t int4_affine_nibbles_at(ptrdiff_t group, ptrdiff_t row) {
  return int4_affine_scale_at(group, 0) + CK_TILE * 4 + (size_t)row * 4;
}
// A tile of zeros.
static inline void int4_affine_clear(uint8_t *tile, ptrdiff_t groups) {
  memset(tile, 0, (size_t)groups * INT4_AFFINE_GROUP_BYTES);
}
