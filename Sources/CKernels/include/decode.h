// The inner loops of running a language model: products of a few rows with stored weights, and the formats of those
// weights. Included by CKernels.h, whose common rules hold here too.
//
// One more rule: what a row of x becomes does not depend on the rows beside it. Every sum is taken in an order that
// is the same for every batch, and where nothing else is said also the same on every instruction set.
#ifndef CKERNELS_DECODE_H
#define CKERNELS_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// ---- Floating-point formats (float_formats.c) ----

typedef enum {
  CK_F32 = 0,
  CK_F16 = 1,
  CK_BF16 = 2,
} ck_float;

/// y = x in the format, rounded to the nearest, ties to even. NaN stays NaN. y needs no alignment.
void ck_floats_store(ck_float format, const float *x, void *y, ptrdiff_t count);
/// y = x, exactly. x needs no alignment.
void ck_floats_load(ck_float format, const void *x, float *y, ptrdiff_t count);

// ---- Row-major weights in f32 and f16 (decode_row_major.c) ----

enum { CK_LANES = 16, CK_CHUNK = 8 };

/// Floats that `batch` arranged rows of `columns` take.
size_t ck_arranged_count(ptrdiff_t batch, ptrdiff_t columns);
/// Arranges x [batch, columns] for the product: chunks of up to 8 rows follow each other; within one, sixteen columns
/// of all rows are followed by the next sixteen: [chunk][columns / 16][row][16], the last filled up with zeros. One
/// row is only filled up. `out` is aligned to 64 bytes, or the product is slower.
void ck_arrange(const float *x, ptrdiff_t batch, ptrdiff_t columns, float *out);
/// y[b, r] = Σ_c weights[r, c] · x[b, c]: weights [rows, columns], x arranged, y rows at the distance y_stride.
/// Lane l of sixteen sums the columns l, l + 16, … with fused multiplications, then the lanes are added pairwise.
/// weights need no alignment. `format` is f32 or f16.
void ck_row_major_multiply(ck_float format, const void *weights, const float *x, ptrdiff_t batch, float *y,
                           ptrdiff_t y_stride, ptrdiff_t rows, ptrdiff_t columns);

// ---- Row-major weights in bf16 (decode_bf16.c) ----

enum { CK_PAIRS = 2 * CK_LANES };

/// Values of bf16 that `batch` arranged rows of `columns` take.
size_t ck_bf16_arranged_count(ptrdiff_t batch, ptrdiff_t columns);
/// Arranges x [batch, columns] as ck_arrange does, rounded to bf16: [chunk][columns / 32][row][32]. What is smaller
/// than the smallest normal number, 1.2e-38, becomes zero.
void ck_bf16_arrange(const float *x, ptrdiff_t batch, ptrdiff_t columns, uint16_t *out);
/// y[b, r] = Σ_c weights[r, c] · x[b, c]: weights [rows, columns], x arranged, y rows at the distance y_stride.
/// Lane l of sixteen takes columns 32 s + 2 l + 1 and 32 s + 2 l, in this order and each with a fused multiplication,
/// for s = 0, 1, …; then the lanes are added pairwise. That is how the processors' product of bf16 pairs adds, except
/// that it takes sums below 1.2e-38 for zeros. weights need no alignment.
void ck_bf16_multiply(const void *weights, const uint16_t *x, ptrdiff_t batch, float *y, ptrdiff_t y_stride,
                      ptrdiff_t rows, ptrdiff_t columns);
/// Whether the processor multiplies pairs of bf16 and the level in use lets it.
bool ck_has_bf16_dot(void);

// ---- Quantised activations (activations.c) ----

enum { CK_GROUP = 32, CK_TILE = 16 };

/// 32 activations as scale · q. A group that holds a value which is not finite has the scale NaN.
typedef struct {
  int8_t q[CK_GROUP];
  float scale;
  /// scale · Σ q.
  float sum;
  /// -128 · Σ q: what unsigned bytes w + 128 add to a product with q, taken back.
  int32_t bias;
} ck_activations;

/// Structures that `batch` rows of `columns` take: batch · groups, where a last group may be part empty.
ptrdiff_t ck_activations_count(ptrdiff_t batch, ptrdiff_t columns);
/// Quantises x [batch, columns]. Chunks of up to 8 rows follow each other; within one, a group of all rows is
/// followed by the next group: [chunk][group][row].
void ck_quantize_activations(const float *x, ptrdiff_t batch, ptrdiff_t columns, ck_activations *out);

// ---- Eight and four bits (decode_int8.c, decode_int4.c, decode_int4_affine.c) ----
//
// Sixteen rows are a tile, so that one vector register holds the sums of sixteen outputs. A tile is a list of groups of
// 32 columns, so that it is read from front to back. In eight bits two groups are 2 × 16 scales (f16), then 2 × 8 ×
// [16 rows][4 columns] bytes w + 128, with value = scale · w; a last group of an odd number has a line of scales of its
// own. In four bits the same, with 4 × [16][4] bytes a group and value = scale · (nibble - 8): byte vector s holds the
// columns 4 s to 4 s + 3 below and 16 + 4 s … above. In affine four bits a group is 16 scales, 16 offsets (f16) and its
// bytes, with value = scale · nibble + offset. Missing rows and columns are zeros. All parts are whole cache lines.

size_t ck_int8_tile_bytes(ptrdiff_t columns);
size_t ck_int4_tile_bytes(ptrdiff_t columns);
size_t ck_int4_affine_tile_bytes(ptrdiff_t columns);
/// Quantises up to 16 rows of x [rows, columns] to one tile. Scales are rounded to f16 before weights are chosen.
void ck_int8_pack(const float *x, ptrdiff_t rows, ptrdiff_t columns, void *tile);
void ck_int4_pack(const float *x, ptrdiff_t rows, ptrdiff_t columns, void *tile);
void ck_int4_affine_pack(const float *x, ptrdiff_t rows, ptrdiff_t columns, void *tile);
/// y [rows, columns] = `rows` rows of the tile from `first` on.
void ck_int8_unpack(const void *tile, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t columns, float *y);
void ck_int4_unpack(const void *tile, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t columns, float *y);
void ck_int4_affine_unpack(const void *tile, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t columns, float *y);
/// y[b, r] = the product of row r of the tiles (the first tile holds row 0) with row b of the activations: exact
/// integers within a group; groups are added in order, with fused multiplications.
void ck_int8_multiply(const void *tiles, const ck_activations *x, ptrdiff_t batch, float *y, ptrdiff_t y_stride,
                      ptrdiff_t rows, ptrdiff_t columns);
void ck_int4_multiply(const void *tiles, const ck_activations *x, ptrdiff_t batch, float *y, ptrdiff_t y_stride,
                      ptrdiff_t rows, ptrdiff_t columns);
void ck_int4_affine_multiply(const void *tiles, const ck_activations *x, ptrdiff_t batch, float *y, ptrdiff_t y_stride,
                             ptrdiff_t rows, ptrdiff_t columns);

// ---- Block formats of GGUF files (blocks.c, blocks_k.c) ----

typedef enum {
  CK_Q8_0 = 0,
  CK_Q4_0 = 1,
  CK_Q4_1 = 2,
  CK_Q4_K = 3,
  CK_Q6_K = 4,
} ck_block;

/// Values of one block: 32, or 256.
ptrdiff_t ck_block_values(ck_block format);
/// Bytes of one block.
size_t ck_block_bytes(ck_block format);
/// y = the values of `count` / ck_block_values blocks. `count` is a multiple of it; blocks need no alignment.
void ck_blocks_load(ck_block format, const void *blocks, float *y, ptrdiff_t count);
/// Quantises x to blocks.
void ck_blocks_store(ck_block format, const float *x, void *blocks, ptrdiff_t count);
/// Moves up to 16 rows of blocks (at the distance row_bytes) to one tile: Q8_0 to eight bits, Q4_0 to four, Q4_1 to
/// affine four without loss, Q4_K to affine four with its scales rounded to f16. Returns false for Q6_K, which has no such tile.
bool ck_blocks_to_tile(ck_block format, const void *blocks, size_t row_bytes, ptrdiff_t rows, ptrdiff_t columns,
                       void *tile);

// ---- Memory (read.c) ----

/// The exclusive or of the words: reads memory as fast as it comes, to measure how fast that is.
uint32_t ck_read_memory(const uint32_t *words, ptrdiff_t count);

#endif
