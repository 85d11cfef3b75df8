// The products of quantised tiles with quantised activations, once per instruction set. Each takes the first tile, as
// decode.h describes it, and activations [chunk][group][row].
#include "tiles.h"

typedef void tile_product(const uint8_t *tiles, const ck_activations *x, ptrdiff_t batch, float *y, ptrdiff_t y_stride,
                          ptrdiff_t rows, ptrdiff_t columns);

tile_product ck_int8_product_scalar, ck_int4_product_scalar, ck_int4_affine_product_scalar;
#if defined(__x86_64__)
tile_product ck_int8_product_avx2, ck_int4_product_avx2, ck_int4_affine_product_avx2;
tile_product ck_int8_product_vnni, ck_int4_product_vnni, ck_int4_affine_product_vnni;
#elif defined(__aarch64__)
tile_product ck_int8_product_neon, ck_int4_product_neon, ck_int4_affine_product_neon;
tile_product ck_int8_product_sdot, ck_int4_product_sdot, ck_int4_affine_product_sdot;
#endif

// The product for the level in use: name##_vnni, name##_avx2, …
#if defined(__x86_64__)
#define FASTEST(name)                                                                                                \
  (ck_has_integer_dot() ? name##_vnni                                                                                \
   : ck_current_level() == CK_AVX2 || ck_current_level() == CK_AVX512 ? name##_avx2                                  \
                                                                      : name##_scalar)
#elif defined(__aarch64__)
#define FASTEST(name)                                                                                                \
  (ck_has_integer_dot() ? name##_sdot : ck_current_level() == CK_NEON ? name##_neon : name##_scalar)
#else
#define FASTEST(name) name##_scalar
#endif
