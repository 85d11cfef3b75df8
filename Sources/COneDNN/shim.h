// oneDNN's single-precision product, on the calling thread alone.
#ifndef LOOPED_ONEDNN_SHIM_H
#define LOOPED_ONEDNN_SHIM_H

#include <dlfcn.h>
#include <oneapi/dnnl/dnnl.h>

// Row-major C = alpha · op(A) · op(B) + beta · C; 'N' takes a matrix as it is, 'T' transposed. Returns 0 on success.
//
// oneDNN brings OpenMP, whose threads would fight with our own for the cores (and wait, spinning, for threads that
// another process keeps from running). So each of our threads tells OpenMP once that it works alone.
static inline int looped_sgemm(char transposeA, char transposeB, long m, long n, long k, float alpha, const float *a,
                               long lda, const float *b, long ldb, float beta, float *c, long ldc) {
  static _Thread_local int alone = 0;
  if (!alone) {
    // NULL is glibc's RTLD_DEFAULT: search what is loaded. The library needs libgomp, so it is.
    void (*set_threads)(int) = (void (*)(int))dlsym(NULL, "omp_set_num_threads");
    if (set_threads) set_threads(1);
    alone = 1;
  }
  return (int)dnnl_sgemm(transposeA, transposeB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

#endif
