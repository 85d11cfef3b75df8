// Attention over cells of keys and values that lie in f32, f16 or eight bits. Included by CKernels.h, whose common rules
// hold here too.
//
// What a head computes from a list of cells depends on the list alone, bit for bit: the same cells handed over in one
// call or in many, at whatever addresses, give the same sums.
#ifndef CKERNELS_CACHE_H
#define CKERNELS_CACHE_H

#include <stddef.h>
#include <stdint.h>

typedef enum {
  CK_CELL_F32 = 0,
  CK_CELL_F16 = 1,
  /// value = scale · byte, one scale for every vector.
  CK_CELL_INT8 = 2,
} ck_cell;

/// Writes one vector of `size` values. `scale` is written in eight bits alone: the greatest size / 127.
void ck_cell_store(ck_cell format, const float *x, void *cell, float *scale, ptrdiff_t size);
/// y [count, size] = the values of `count` vectors that follow each other.
void ck_cells_load(ck_cell format, const void *cells, const float *scales, float *y, ptrdiff_t count, ptrdiff_t size);
/// scores[j] = factor · q · k_j for `count` keys that follow each other.
void ck_cells_scores(ck_cell format, const float *q, const void *keys, const float *scales, ptrdiff_t count,
                     ptrdiff_t size, float factor, float *scores);
/// out += Σ_j weights[j] · v_j, in the order of j.
void ck_cells_mix(ck_cell format, const float *weights, const void *values, const float *scales, ptrdiff_t count,
                  ptrdiff_t size, float *out);
/// gate = silu(gate) · up.
void ck_silu_product(float *gate, const float *up, ptrdiff_t count);
/// XXH64 of the bytes (Collet's specification, version 0.1.1): the fingerprint of weights.
uint64_t ck_hash64(const void *bytes, size_t count, uint64_t seed);

#endif
