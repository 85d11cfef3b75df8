// oneDNN's products, on the calling thread alone.
#ifndef LOOPED_ONEDNN_SHIM_H
#define LOOPED_ONEDNN_SHIM_H

#include <dlfcn.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

// oneDNN brings OpenMP, whose threads would fight with our own for the cores (and wait, spinning, for threads that
// another process keeps from running). So each of our threads tells OpenMP once that it works alone.
static inline void looped_work_alone(void) {
  static _Thread_local int alone = 0;
  if (alone) return;
  // NULL is glibc's RTLD_DEFAULT: search what is loaded. The library needs libgomp, so it is.
  void (*set_threads)(int) = (void (*)(int))dlsym(NULL, "omp_set_num_threads");
  if (set_threads) set_threads(1);
  alone = 1;
}

// Row-major C = alpha · op(A) · op(B) + beta · C; 'N' takes a matrix as it is, 'T' transposed. Returns 0 on success.
static inline int looped_sgemm(char transposeA, char transposeB, long m, long n, long k, float alpha, const float *a,
                               long lda, const float *b, long ldb, float beta, float *c, long ldc) {
  looped_work_alone();
  return (int)dnnl_sgemm(transposeA, transposeB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

// Whether the processor multiplies bf16 in pairs, as AVX512_BF16 and AMX do: without them bf16 is slower than f32.
static inline bool looped_bf16_is_fast(void) {
  const int wanted = dnnl_cpu_isa_avx512_core_bf16;
  return ((int)dnnl_get_effective_cpu_isa() & wanted) == wanted;
}

// A prepared product. Preparing takes about as long as a small product, and few shapes come again and again.
typedef struct {
  long shape[6];
  dnnl_primitive_t primitive;
  dnnl_memory_t a, b, c;
} looped_bf16_product;

enum { LOOPED_BF16_PRODUCTS = 16 };

static inline dnnl_status_t looped_prepare_bf16(dnnl_engine_t engine, looped_bf16_product *product) {
  const long *s = product->shape;
  const dnnl_dims_t dims_a = {s[0], s[2]}, dims_b = {s[2], s[1]}, dims_c = {s[0], s[1]};
  const dnnl_dims_t strides_a = {s[3], 1}, strides_b = {1, s[4]}, strides_c = {s[5], 1};
  dnnl_primitive_desc_t description = NULL;
  dnnl_status_t status;
#if DNNL_VERSION_MAJOR >= 3
  dnnl_memory_desc_t a = NULL, b = NULL, c = NULL;
  status = dnnl_memory_desc_create_with_strides(&a, 2, dims_a, dnnl_bf16, strides_a);
  if (!status) status = dnnl_memory_desc_create_with_strides(&b, 2, dims_b, dnnl_bf16, strides_b);
  if (!status) status = dnnl_memory_desc_create_with_strides(&c, 2, dims_c, dnnl_f32, strides_c);
  if (!status) status = dnnl_matmul_primitive_desc_create(&description, engine, a, b, NULL, c, NULL);
#define LOOPED_MEMORY(x) x
#else
  dnnl_memory_desc_t a, b, c;
  dnnl_matmul_desc_t matmul;
  status = dnnl_memory_desc_init_by_strides(&a, 2, dims_a, dnnl_bf16, strides_a);
  if (!status) status = dnnl_memory_desc_init_by_strides(&b, 2, dims_b, dnnl_bf16, strides_b);
  if (!status) status = dnnl_memory_desc_init_by_strides(&c, 2, dims_c, dnnl_f32, strides_c);
  if (!status) status = dnnl_matmul_desc_init(&matmul, &a, &b, NULL, &c);
  if (!status) status = dnnl_primitive_desc_create(&description, &matmul, NULL, engine, NULL);
#define LOOPED_MEMORY(x) &x
#endif
  if (!status) status = dnnl_primitive_create(&product->primitive, description);
  if (!status) status = dnnl_memory_create(&product->a, LOOPED_MEMORY(a), engine, DNNL_MEMORY_NONE);
  if (!status) status = dnnl_memory_create(&product->b, LOOPED_MEMORY(b), engine, DNNL_MEMORY_NONE);
  if (!status) status = dnnl_memory_create(&product->c, LOOPED_MEMORY(c), engine, DNNL_MEMORY_NONE);
#undef LOOPED_MEMORY
#if DNNL_VERSION_MAJOR >= 3
  dnnl_memory_desc_destroy(a);
  dnnl_memory_desc_destroy(b);
  dnnl_memory_desc_destroy(c);
#endif
  if (description) dnnl_primitive_desc_destroy(description);
  return status;
}

// Row-major C = A · Bᵀ: A [m, k] and B [n, k] in bf16, sums and C [m, n] in f32. Returns 0 on success.
static inline int looped_bf16_gemm(long m, long n, long k, const uint16_t *a, long lda, const uint16_t *b, long ldb,
                                   float *c, long ldc) {
  static _Thread_local dnnl_engine_t engine = NULL;
  static _Thread_local dnnl_stream_t stream = NULL;
  static _Thread_local looped_bf16_product products[LOOPED_BF16_PRODUCTS];
  static _Thread_local int count = 0, next = 0;
  looped_work_alone();
  dnnl_status_t status = dnnl_success;
  if (!engine) status = dnnl_engine_create(&engine, dnnl_cpu, 0);
  if (!status && !stream) status = dnnl_stream_create(&stream, engine, dnnl_stream_default_flags);
  if (status) return (int)status;

  const long shape[6] = {m, n, k, lda, ldb, ldc};
  looped_bf16_product *product = NULL;
  for (int i = 0; i < count && !product; i++)
    if (!memcmp(products[i].shape, shape, sizeof shape)) product = &products[i];
  if (!product) {
    product = &products[next];
    dnnl_primitive_destroy(product->primitive);
    dnnl_memory_destroy(product->a);
    dnnl_memory_destroy(product->b);
    dnnl_memory_destroy(product->c);
    memset(product, 0, sizeof *product);
    memcpy(product->shape, shape, sizeof shape);
    status = looped_prepare_bf16(engine, product);
    if (status) {
      memset(product->shape, 0, sizeof shape);
      return (int)status;
    }
    next = (next + 1) % LOOPED_BF16_PRODUCTS;
    if (count < LOOPED_BF16_PRODUCTS) count++;
  }
  dnnl_memory_set_data_handle(product->a, (void *)a);
  dnnl_memory_set_data_handle(product->b, (void *)b);
  dnnl_memory_set_data_handle(product->c, c);
  const dnnl_exec_arg_t arguments[] = {
      {DNNL_ARG_SRC, product->a}, {DNNL_ARG_WEIGHTS, product->b}, {DNNL_ARG_DST, product->c}};
  status = dnnl_primitive_execute(product->primitive, stream, 3, arguments);
  if (!status) status = dnnl_stream_wait(stream);
  return (int)status;
}

#endif
