// CKernels: the inner loops of training and, in decode.h, of running language models, in C. What a loop means is said
// here, once; every loop has a plain scalar version (the reference) and, where the processor can, AVX2, AVX-512 or NEON
// versions that tests hold equal to it.
//
// Common rules. All arrays are f32, row-major, and do not overlap unless a comment says so. No function allocates,
// locks or checks its arguments: callers in the module Tensors and Gradients own shapes, memory and threads. A
// function works on the rows it is given, so that callers may hand disjoint rows to different threads.
#ifndef CKERNELS_H
#define CKERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache.h"
#include "decode.h"

// ---- Instruction sets (level.c) ----

typedef enum {
  CK_SCALAR = 0,
  CK_AVX2 = 1,
  CK_AVX512 = 2,
  CK_NEON = 3,
} ck_level;

/// The instruction set in use: the best the processor has, or what LOOPED_KERNELS=scalar|avx2|avx512|neon names.
ck_level ck_current_level(void);
/// Whether this processor can run the level.
bool ck_has_level(ck_level level);
/// Forces a level in the whole process, for measurements. Returns false, and changes nothing, if the processor cannot run it.
bool ck_set_level(ck_level level);
/// Forces a level for calls on this thread alone, for tests that run beside others; -1 ends it.
bool ck_set_thread_level(int level);
/// Whether the level in use has integer dot products (AVX-512 VNNI, or sdot): not all processors of a level do.
bool ck_has_integer_dot(void);
const char *ck_level_name(ck_level level);

// ---- Threads (parallel.c) ----

typedef struct ck_pool ck_pool;
/// A pool in which `threads` threads work, the caller among them; NULL if threads cannot be made.
ck_pool *ck_pool_create(int threads);
void ck_pool_destroy(ck_pool *pool);
/// Calls body(context, item, worker) for every item below `count`, each once, on up to `threads` threads, and
/// returns when all are done. `worker` is below `threads` and belongs to one thread during the call.
/// A call from inside a body, or while another thread uses the pool, runs on the calling thread alone.
void ck_pool_run(ck_pool *pool, int count, void (*body)(void *context, int item, int worker), void *context);
/// Whether this thread is inside a body of some pool.
bool ck_pool_is_inside(void);

// ---- Norms (norm.c) ----

/// y = (x - mean) · scale · gain + bias per row, scale = 1 / sqrt(variance + epsilon), biased variance.
void ck_layer_norm_forward(const float *x, const float *gain, const float *bias, float *y, float *mean,
                           float *scale, ptrdiff_t rows, ptrdiff_t columns, float epsilon);
/// dx = or += the gradient for x; dgain and dbias (columns each) += theirs.
void ck_layer_norm_backward(const float *dy, const float *x, const float *gain, const float *mean,
                            const float *scale, float *dx, bool adds, float *dgain, float *dbias, ptrdiff_t rows,
                            ptrdiff_t columns);
/// y = x · scale · gain per row, scale = 1 / sqrt(mean of x² + epsilon).
void ck_rms_norm_forward(const float *x, const float *gain, float *y, float *scale, ptrdiff_t rows,
                         ptrdiff_t columns, float epsilon);
void ck_rms_norm_backward(const float *dy, const float *x, const float *gain, const float *scale, float *dx,
                          bool adds, float *dgain, ptrdiff_t rows, ptrdiff_t columns);

// ---- Activations (activation.c) ----

/// y = gelu(x), the tanh form: x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³))). y may be x.
void ck_gelu_forward(const float *x, float *y, ptrdiff_t count);
/// dx = dy · gelu'(x). dx may be dy.
void ck_gelu_backward(const float *x, const float *dy, float *dx, ptrdiff_t count);
/// y = x where x > 0, slope · x elsewhere. y may be x.
void ck_leaky_relu_forward(const float *x, float slope, float *y, ptrdiff_t count);
/// dx = dy, or slope · dy. dx may be dy.
void ck_leaky_relu_backward(const float *x, const float *dy, float slope, float *dx, ptrdiff_t count);
/// u += bias, then y = gelu(u). y may be u, which then loses what the backward pass needs.
void ck_bias_gelu_forward(float *u, const float *bias, float *y, ptrdiff_t rows, ptrdiff_t columns);
/// du = dy · gelu'(u), dbias += the column sums of du. du may be dy.
void ck_bias_gelu_backward(const float *u, const float *dy, float *du, float *dbias, ptrdiff_t rows,
                           ptrdiff_t columns);
/// y = silu(gate) · up, where a row of x is gate (columns) followed by up (columns).
void ck_swiglu_forward(const float *x, float *y, ptrdiff_t rows, ptrdiff_t columns);
void ck_swiglu_backward(const float *x, const float *dy, float *dx, ptrdiff_t rows, ptrdiff_t columns);

// ---- Softmax and losses (softmax.c) ----

/// y = softmax of each row of x. y may be x.
void ck_softmax(const float *x, float *y, ptrdiff_t rows, ptrdiff_t columns);
/// Returns Σ over rows of -log softmax(x)[target]; a row whose target is negative counts nothing. Where dx is not
/// NULL, dx = weight · (softmax(x) - one-hot), zero in such rows. Targets lie below `columns`.
double ck_cross_entropy(const float *x, const int32_t *targets, float *dx, float weight, ptrdiff_t rows,
                        ptrdiff_t columns);
/// The same with a loss and a weight per row: losses = -log softmax(x)[target], or 0 where the target is negative;
/// where dx is not NULL, dx = weights · (softmax(x) - one-hot). dx may be x.
void ck_cross_entropy_rows(const float *x, const int32_t *targets, const float *weights, float *losses, float *dx,
                           ptrdiff_t rows, ptrdiff_t columns);

// ---- Products (gemm.c) ----

/// Columns of a panel of a packed matrix.
enum { CK_PANEL = 64 };
/// What the sums of a product start with: nothing, what c holds, or bias (per column) and residual (laid out as c) where
/// they are not NULL.
typedef enum { CK_SUM_ZERO, CK_SUM_ADDS, CK_SUM_STARTS } ck_sums;
/// Floats of a packed matrix of k × n: whole panels, the last filled up with zeros.
size_t ck_packed_count(ptrdiff_t k, ptrdiff_t n);
/// Packs b, k × n, whose element (p, j) is at b[p · row + j · column]; the same for every instruction set.
void ck_pack(const float *b, ptrdiff_t row, ptrdiff_t column, ptrdiff_t k, ptrdiff_t n, float *packed);
/// c = start + op(a) · b, where c is m × n and dense.
///
/// a is m × k with rows at the distance lda, or k × m if it `transposes`; b is k × n with rows at the distance ldb, or
/// packed where ldb is 0.
void ck_gemm(const float *a, ptrdiff_t lda, bool transposes, const float *b, ptrdiff_t ldb, float *c, ptrdiff_t m,
             ptrdiff_t n, ptrdiff_t k, ck_sums sums, const float *bias, const float *residual);

// ---- Products of bf16 (gemm_bf16.c) ----

// Matrices of bf16 have two numbers to 32 bits. Rounded: rows of columns numbers, and a zero where that is odd; then
// lda, in pairs, is (columns + 1) / 2. Of paired rows: (rows + 1) / 2 rows of columns pairs, each of two rows.

/// y = x (rows × columns), rounded to the nearest bf16, ties to even, and to zero where that is subnormal.
void ck_bf16_round(const float *x, ptrdiff_t rows, ptrdiff_t columns, void *y);
/// y = the paired rows of x, which is rounded; rows of y at the distance y_stride, in pairs.
void ck_bf16_pair_rows(const void *x, ptrdiff_t rows, ptrdiff_t columns, void *y, ptrdiff_t y_stride);
/// Packs b, k × n, whose pair (p, j), of the numbers 2p and 2p + 1 of column j, is at b[p · row + j · column]:
/// ck_packed_count((k + 1) / 2, n) pairs.
void ck_bf16_pack(const void *b, ptrdiff_t row, ptrdiff_t column, ptrdiff_t k, ptrdiff_t n, void *packed);
/// c = start + op(a) · b, with sums in f32, where c is m × n and dense; of a pair of k the odd one is added first.
///
/// a is m × k and rounded with rows at the distance lda, or k × m of paired rows if it `transposes`; b is k × n of paired
/// rows at the distance ldb, or packed where ldb is 0; distances in pairs. The same bits on every processor, but for
/// sums that are subnormal.
void ck_bf16_gemm(const void *a, ptrdiff_t lda, bool transposes, const void *b, ptrdiff_t ldb, float *c, ptrdiff_t m,
                  ptrdiff_t n, ptrdiff_t k, ck_sums sums, const float *bias, const float *residual);

// ---- Attention (attention.c) ----

/// Floats of scratch memory that one head of `tokens` tokens needs, forward or backward.
size_t ck_attention_scratch(ptrdiff_t tokens, ptrdiff_t head_size);
/// Causal attention of one head: out_i = Σ_{j ≤ i} softmax_j(scale · q_i·k_j) v_j; log_sum[i] = log Σ exp of the
/// scores. q, k, v have rows of head_size at the distance `stride`, out at `out_stride`.
void ck_attention_forward(const float *q, const float *k, const float *v, ptrdiff_t stride, float *out,
                          ptrdiff_t out_stride, float *log_sum, ptrdiff_t tokens, ptrdiff_t head_size, float scale,
                          float *scratch);
/// dq, dk, dv (distance `stride`) = the gradients, given dout and out (distance `out_stride`).
void ck_attention_backward(const float *q, const float *k, const float *v, ptrdiff_t stride, const float *out,
                           const float *dout, ptrdiff_t out_stride, const float *log_sum, float *dq, float *dk,
                           float *dv, ptrdiff_t tokens, ptrdiff_t head_size, float scale, float *scratch);

// ---- Rotary embedding (rotary.c) ----

/// Turns, in place, each of `heads` heads of each row by the angles of the row's position: the pair (i, i + size/2)
/// by sign · θ_i, where cosines and sines are tables [position, size/2]. Rows are tokens at the distance `stride`.
void ck_rotary(float *x, ptrdiff_t stride, const float *cosines, const float *sines, float sign, ptrdiff_t tokens,
               ptrdiff_t heads, ptrdiff_t head_size);

// ---- Optimiser (adam.c) ----

typedef struct {
  float rate, beta1, beta2, epsilon;
  /// AdamW: value *= 1 - rate · decay before the step.
  float decay;
  /// Adam: gradient += l2 · value.
  float l2;
  /// 1 - beta1^t and 1 - beta2^t.
  float correction1, correction2;
  /// The gradient is multiplied by this first (clipping, accumulation).
  float gradient_scale;
} ck_adam_settings;
void ck_adam(float *value, const float *gradient, float *first, float *second, ptrdiff_t count,
             ck_adam_settings settings);

// ---- Elementwise (elementwise.c) ----

/// y = a + b. y may be a or b.
void ck_add(const float *a, const float *b, float *y, ptrdiff_t count);
/// y = a · b. y may be a or b.
void ck_multiply(const float *a, const float *b, float *y, ptrdiff_t count);
/// y += factor · x.
void ck_axpy(float factor, const float *x, float *y, ptrdiff_t count);
/// y = factor · x. y may be x.
void ck_scale(float factor, const float *x, float *y, ptrdiff_t count);
/// y (rows × columns) += bias in every row, and += residual where it is not NULL.
void ck_add_bias(float *y, const float *bias, const float *residual, ptrdiff_t rows, ptrdiff_t columns);
/// sums (columns) += the column sums of x.
void ck_column_sums(const float *x, float *sums, ptrdiff_t rows, ptrdiff_t columns);
/// Σ x².
double ck_sum_of_squares(const float *x, ptrdiff_t count);
/// Σ a · b.
double ck_dot(const float *a, const float *b, ptrdiff_t count);
double ck_sum(const float *x, ptrdiff_t count);

#endif
