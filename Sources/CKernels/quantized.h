// What the quantised formats share (decode_int8.c, decode_int4.c, decode_int4_affine.c): the walks over rows and groups.
// The file that includes this says how a tile is cleared, and how one group is packed, read back and multiplied:
// `clear`, `pack_group`, `unpack_group`, `add_group`; per instruction set `pack_whole` and `unpack_whole`, for groups
// that miss no columns.
#ifndef LANES

static ptrdiff_t values_in(ptrdiff_t group, ptrdiff_t columns) {
  const ptrdiff_t left = columns - group * CK_GROUP;
  return left < CK_GROUP ? left : CK_GROUP;
}

static void pack_scalar(const float *x, ptrdiff_t rows, ptrdiff_t columns, uint8_t *tile) {
  clear(tile, groups_of(columns));
  for (ptrdiff_t r = 0; r < rows; r++)
    for (ptrdiff_t g = 0; g < groups_of(columns); g++)
      pack_group(x + r * columns + g * CK_GROUP, values_in(g, columns), tile, r, g);
}

static void unpack_scalar(const uint8_t *tile, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t columns, float *y) {
  for (ptrdiff_t r = 0; r < rows; r++)
    for (ptrdiff_t g = 0; g < groups_of(columns); g++)
      unpack_group(tile, first + r, g, values_in(g, columns), y + r * columns + g * CK_GROUP);
}

static void product_scalar(const uint8_t *tiles, size_t tile_bytes, const ck_activations *x, ptrdiff_t batch, float *y,
                           ptrdiff_t y_stride, ptrdiff_t rows, ptrdiff_t columns) {
  const ptrdiff_t groups = groups_of(columns);
  for (ptrdiff_t first = 0; first < batch; first += CK_CHUNK) {
    const ptrdiff_t width = batch - first < CK_CHUNK ? batch - first : CK_CHUNK;
    for (ptrdiff_t r = 0; r < rows; r++) {
      const uint8_t *const tile = tiles + (size_t)(r / CK_TILE) * tile_bytes;
      for (ptrdiff_t b = 0; b < width; b++) {
        float sum = 0;
        for (ptrdiff_t g = 0; g < groups; g++)
          sum = add_group(sum, tile, r % CK_TILE, g, x + (first * groups + g * width + b));
        y[(first + b) * y_stride + r] = sum;
      }
    }
  }
}

#else

static void AT(pack)(const float *x, ptrdiff_t rows, ptrdiff_t columns, uint8_t *tile) {
  clear(tile, groups_of(columns));
  for (ptrdiff_t r = 0; r < rows; r++)
    for (ptrdiff_t g = 0; g < groups_of(columns); g++) {
      const float *const from = x + r * columns + g * CK_GROUP;
      if (values_in(g, columns) == CK_GROUP) {
        AT(pack_whole)(from, tile, r, g);
      } else {
        pack_group(from, values_in(g, columns), tile, r, g);
      }
    }
}

static void AT(unpack)(const uint8_t *tile, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t columns, float *y) {
  for (ptrdiff_t r = 0; r < rows; r++)
    for (ptrdiff_t g = 0; g < groups_of(columns); g++) {
      float *const to = y + r * columns + g * CK_GROUP;
      if (values_in(g, columns) == CK_GROUP) {
        AT(unpack_whole)(tile, first + r, g, to);
      } else {
        unpack_group(tile, first + r, g, values_in(g, columns), to);
      }
    }
}

#endif
