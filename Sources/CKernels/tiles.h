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

// Four bits: a byte holds the columns c and c + 16 of a group, the second in its upper nibble; this is the byte of a
// column within its group.
enum { INT4_GROUP_BYTES = CK_TILE * CK_GROUP / 2, INT4_PAIR_BYTES = 64 + 2 * INT4_GROUP_BYTES };
static inline size_t nibble_at(ptrdiff_t row, ptrdiff_t column) {
  const ptrdiff_t within = column % (CK_GROUP / 2);
  return (size_t)(within / 4 * CK_TILE + row) * 4 + (size_t)(within % 4);
}
static inline bool is_upper(ptrdiff_t column) { return column % CK_GROUP >= CK_GROUP / 2; }

// Scales lie as those of eight bits do.
static inline size_t int4_scale_at(ptrdiff_t group, ptrdiff_t row) {
  return (size_t)(group / 2) * INT4_PAIR_BYTES + (size_t)(group % 2 * CK_TILE + row) * 2;
}
static inline size_t int4_bytes_at(ptrdiff_t group) {
  return (size_t)(group / 2) * INT4_PAIR_BYTES + 64 + (size_t)(group % 2) * INT4_GROUP_BYTES;
}
static inline size_t int4_byte_at(ptrdiff_t row, ptrdiff_t column) {
  return int4_bytes_at(column / CK_GROUP) + nibble_at(row, column);
}
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
static inline size_t int4_affine_byte_at(ptrdiff_t row, ptrdiff_t column) {
  return (size_t)(column / CK_GROUP) * INT4_AFFINE_GROUP_BYTES + CK_TILE * 4 + nibble_at(row, column);
}
