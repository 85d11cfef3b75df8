// Causal attention of one head, forward and backward, for sequences whose keys fit in the cache. The matrix of scores
// is never stored: the forward pass holds the scores of 4 queries, the backward pass those of QUERIES queries, and
// recomputes them from the logarithm of the sums (Dao et al., FlashAttention, arXiv 2205.14135). Keys are not tiled.
// No dropout, no mask but the causal one, no cache; the caller loops over batches and heads.
#ifndef LANES
#include "kernels.h"

enum { ROWS = 4, QUERIES = 128, WIDEST = 16 };

static ptrdiff_t up(ptrdiff_t n, ptrdiff_t step) { return (n + step - 1) / step * step; }

size_t ck_attention_scratch(ptrdiff_t tokens, ptrdiff_t head_size) {
  const size_t t = (size_t)up(tokens, WIDEST) + WIDEST, d = (size_t)up(head_size, WIDEST);
  return 2 * t * (size_t)head_size + 6 * t * d + 2 * QUERIES * t + 64;
}

static void attention_forward_scalar(const float *q, const float *k, const float *v, ptrdiff_t stride, float *out,
                                     ptrdiff_t out_stride, float *log_sum, ptrdiff_t tokens, ptrdiff_t head_size,
                                     float scale, float *scratch) {
  for (ptrdiff_t i = 0; i < tokens; i++) {
    float top = -INFINITY, sum = 0;
    for (ptrdiff_t j = 0; j <= i; j++) {
      float s = 0;
      for (ptrdiff_t c = 0; c < head_size; c++) s += q[i * stride + c] * k[j * stride + c];
      scratch[j] = s * scale;
      top = scratch[j] > top ? scratch[j] : top;
    }
    for (ptrdiff_t j = 0; j <= i; j++) sum += (scratch[j] = expf(scratch[j] - top));
    log_sum[i] = top + logf(sum);
    for (ptrdiff_t c = 0; c < head_size; c++) {
      float o = 0;
      for (ptrdiff_t j = 0; j <= i; j++) o += scratch[j] * v[j * stride + c];
      out[i * out_stride + c] = o / sum;
    }
  }
}

// With p = softmax: dv_j = Σ_i p_ij do_i; dp_ij = do_i·v_j; ds_ij = p_ij (dp_ij - do_i·o_i), because
// Σ_j p_ij dp_ij = do_i·o_i; dq_i = scale Σ_j ds_ij k_j; dk_j = scale Σ_i ds_ij q_i.
static void attention_backward_scalar(const float *q, const float *k, const float *v, ptrdiff_t stride,
                                      const float *out, const float *dout, ptrdiff_t out_stride, const float *log_sum,
                                      float *dq, float *dk, float *dv, ptrdiff_t tokens, ptrdiff_t head_size,
                                      float scale, float *scratch) {
  (void)scratch;
  for (ptrdiff_t i = 0; i < tokens; i++)
    for (ptrdiff_t c = 0; c < head_size; c++) dq[i * stride + c] = dk[i * stride + c] = dv[i * stride + c] = 0;
  for (ptrdiff_t i = 0; i < tokens; i++) {
    const float *const o = out + i * out_stride, *const d = dout + i * out_stride, *const qi = q + i * stride;
    float inner = 0;
    for (ptrdiff_t c = 0; c < head_size; c++) inner += d[c] * o[c];
    for (ptrdiff_t j = 0; j <= i; j++) {
      const float *const kj = k + j * stride, *const vj = v + j * stride;
      float s = 0, dp = 0;
      for (ptrdiff_t c = 0; c < head_size; c++) s += qi[c] * kj[c], dp += d[c] * vj[c];
      const float p = expf(s * scale - log_sum[i]), ds = p * (dp - inner) * scale;
      for (ptrdiff_t c = 0; c < head_size; c++) {
        dv[j * stride + c] += p * d[c];
        dq[i * stride + c] += ds * kj[c];
        dk[j * stride + c] += ds * qi[c];
      }
    }
  }
}

#define FAMILY "attention.c"
#include "each_level.h"

void ck_attention_forward(const float *q, const float *k, const float *v, ptrdiff_t stride, float *out,
                          ptrdiff_t out_stride, float *log_sum, ptrdiff_t tokens, ptrdiff_t head_size, float scale,
                          float *scratch) {
  DISPATCH(attention_forward, q, k, v, stride, out, out_stride, log_sum, tokens, head_size, scale, scratch)
}
void ck_attention_backward(const float *q, const float *k, const float *v, ptrdiff_t stride, const float *out,
                           const float *dout, ptrdiff_t out_stride, const float *log_sum, float *dq, float *dk,
                           float *dv, ptrdiff_t tokens, ptrdiff_t head_size, float scale, float *scratch) {
  DISPATCH(attention_backward, q, k, v, stride, out, dout, out_stride, log_sum, dq, dk, dv, tokens, head_size, scale,
           scratch)
}

#else

#define tile AT(tile_of)
#define product AT(product_of)
#define copy_rows AT(copy_rows_of)
#define transpose AT(transpose_of)
// Vectors per tile: ROWS × NV accumulators must stay in registers (32 in AVX-512 and NEON, 16 in AVX2).
#define NV (LANES == 8 ? 2 : 4)

// c[r][·] (= or +=) Σ_s a[r · ar + s · as] · b[s][·] for ROWS rows r and nv vectors.
INLINE void tile(const float *a, ptrdiff_t ar, ptrdiff_t as, const float *b, ptrdiff_t bs, ptrdiff_t n, float *c,
                 ptrdiff_t cs, bool adds, const int nv) {
  vf sum[ROWS][4];
#pragma clang loop unroll(full)
  for (int r = 0; r < ROWS; r++)
#pragma clang loop unroll(full)
    for (int j = 0; j < nv; j++) sum[r][j] = adds ? load(c + r * cs + j * LANES) : (vf){0};
  for (ptrdiff_t s = 0; s < n; s++, a += as, b += bs) {
    vf row[4];
#pragma clang loop unroll(full)
    for (int j = 0; j < nv; j++) row[j] = load(b + j * LANES);
#pragma clang loop unroll(full)
    for (int r = 0; r < ROWS; r++) {
      const vf factor = splat(a[r * ar]);
#pragma clang loop unroll(full)
      for (int j = 0; j < nv; j++) sum[r][j] += factor * row[j];
    }
  }
#pragma clang loop unroll(full)
  for (int r = 0; r < ROWS; r++)
#pragma clang loop unroll(full)
    for (int j = 0; j < nv; j++) store(c + r * cs + j * LANES, sum[r][j]);
}

// The same over `columns` columns, a multiple of LANES.
static void product(const float *a, ptrdiff_t ar, ptrdiff_t as, const float *b, ptrdiff_t bs, ptrdiff_t n, float *c,
                    ptrdiff_t cs, bool adds, ptrdiff_t columns) {
  ptrdiff_t j = 0;
  for (; j + NV * LANES <= columns; j += NV * LANES) tile(a, ar, as, b + j, bs, n, c + j, cs, adds, NV);
  if (NV > 2 && j + 2 * LANES <= columns) {
    tile(a, ar, as, b + j, bs, n, c + j, cs, adds, 2);
    j += 2 * LANES;
  }
  for (; j < columns; j += LANES) tile(a, ar, as, b + j, bs, n, c + j, cs, adds, 1);
}

// Rows of head_size at the distance `stride`, times factor, to rows of `width`, padded with zeros; rows from
// `tokens` up to `padded` are zero.
static void copy_rows(const float *x, ptrdiff_t stride, float *y, ptrdiff_t width, ptrdiff_t tokens, ptrdiff_t padded,
                      ptrdiff_t head_size, float factor) {
  for (ptrdiff_t t = 0; t < tokens; t++, x += stride, y += width) {
    ptrdiff_t c = 0;
    for (; c + LANES <= head_size; c += LANES) store(y + c, factor * load(x + c));
    for (; c < head_size; c++) y[c] = factor * x[c];
    for (; c < width; c++) y[c] = 0;
  }
  memset(y, 0, (size_t)((padded - tokens) * width) * sizeof *y);
}

// Rows of head_size to columns: y[c][t], with `padded` columns, zero from `tokens` on. Four coordinates at a time, so
// that a cache line of a row is read four times less often.
static void transpose(const float *x, ptrdiff_t stride, float *y, ptrdiff_t padded, ptrdiff_t tokens,
                      ptrdiff_t head_size) {
  ptrdiff_t c = 0;
  for (; c + 4 <= head_size; c += 4) {
    float *const a = y + c * padded, *const b = a + padded, *const d = b + padded, *const e = d + padded;
    for (ptrdiff_t t = 0; t < tokens; t++) {
      const float *const row = x + t * stride + c;
      a[t] = row[0];
      b[t] = row[1];
      d[t] = row[2];
      e[t] = row[3];
    }
  }
  for (; c < head_size; c++)
    for (ptrdiff_t t = 0; t < tokens; t++) y[c * padded + t] = x[t * stride + c];
  for (c = 0; c < head_size; c++) memset(y + c * padded + tokens, 0, (size_t)(padded - tokens) * sizeof *y);
}

static void AT(attention_forward)(const float *q, const float *k, const float *v, ptrdiff_t stride, float *out,
                                  ptrdiff_t out_stride, float *log_sum, ptrdiff_t tokens, ptrdiff_t head_size,
                                  float scale, float *scratch) {
  const ptrdiff_t padded = up(tokens, LANES), width = up(head_size, LANES), rows = up(tokens, ROWS);
  float *const kt = scratch, *const qp = kt + padded * head_size, *const vp = qp + rows * width;
  float *const p = vp + tokens * width, *const o = p + ROWS * padded;
  transpose(k, stride, kt, padded, tokens, head_size);
  copy_rows(q, stride, qp, width, tokens, rows, head_size, scale);
  copy_rows(v, stride, vp, width, tokens, tokens, head_size, 1.0f);
  for (ptrdiff_t i0 = 0; i0 < tokens; i0 += ROWS) {
    const ptrdiff_t seen = i0 + ROWS < tokens ? i0 + ROWS : tokens, keys = up(seen, LANES);
    product(qp + i0 * width, width, 1, kt, padded, head_size, p, padded, false, keys);
    float inverse[ROWS];
    for (ptrdiff_t r = 0; r < ROWS; r++) {
      const ptrdiff_t n = i0 + r + 1 < seen ? i0 + r + 1 : seen;
      float *const s = p + r * padded;
      vf most = splat(-INFINITY), sum = {0};
      for (ptrdiff_t j = 0; j < n; j += LANES) {
        const vf x = choose(below(n - j), load(s + j), splat(-INFINITY));
        most = choose(x > most, x, most);
      }
      const float top = max_lanes(most);
      for (ptrdiff_t j = 0; j < keys; j += LANES) {
        const vf e = choose(below(n - j), exponential(load(s + j) - top), (vf){0});
        sum += e;
        store(s + j, e);
      }
      const float total = sum_lanes(sum);
      inverse[r] = 1.0f / total;
      if (i0 + r < tokens) log_sum[i0 + r] = top + logf(total);
    }
    product(p, padded, 1, vp, width, seen, o, width, false, width);
    for (ptrdiff_t r = 0; r < seen - i0; r++) {
      float *const y = out + (i0 + r) * out_stride;
      ptrdiff_t c = 0;
      for (; c + LANES <= head_size; c += LANES) store(y + c, inverse[r] * load(o + r * width + c));
      for (; c < head_size; c++) y[c] = inverse[r] * o[r * width + c];
    }
  }
}

static void AT(attention_backward)(const float *q, const float *k, const float *v, ptrdiff_t stride, const float *out,
                                   const float *dout, ptrdiff_t out_stride, const float *log_sum, float *dq, float *dk,
                                   float *dv, ptrdiff_t tokens, ptrdiff_t head_size, float scale, float *scratch) {
  const ptrdiff_t padded = up(tokens, LANES), width = up(head_size, LANES), rows = up(tokens, ROWS);
  float *const kt = scratch, *const vt = kt + padded * head_size, *const qp = vt + padded * head_size;
  float *const kp = qp + rows * width, *const dop = kp + tokens * width, *const dkp = dop + rows * width;
  float *const dvp = dkp + rows * width, *const p = dvp + rows * width, *const ds = p + QUERIES * padded;
  float *const dqp = ds + QUERIES * padded;
  transpose(k, stride, kt, padded, tokens, head_size);
  transpose(v, stride, vt, padded, tokens, head_size);
  copy_rows(q, stride, qp, width, tokens, rows, head_size, scale);
  copy_rows(k, stride, kp, width, tokens, tokens, head_size, scale);
  copy_rows(dout, out_stride, dop, width, tokens, rows, head_size, 1.0f);
  for (ptrdiff_t b0 = 0; b0 < tokens; b0 += QUERIES) {
    const ptrdiff_t b1 = b0 + QUERIES < tokens ? b0 + QUERIES : tokens;
    for (ptrdiff_t i0 = b0; i0 < b1; i0 += ROWS) {
      const ptrdiff_t seen = i0 + ROWS < tokens ? i0 + ROWS : tokens, keys = up(seen, LANES);
      float *const pi = p + (i0 - b0) * padded, *const di = ds + (i0 - b0) * padded;
      product(qp + i0 * width, width, 1, kt, padded, head_size, pi, padded, false, keys);
      product(dop + i0 * width, width, 1, vt, padded, head_size, di, padded, false, keys);
      for (ptrdiff_t r = 0; r < ROWS; r++) {
        const ptrdiff_t i = i0 + r, n = i < tokens ? i + 1 : 0;
        float inner = 0;
        if (n) {
          vf sum = {0};
          ptrdiff_t c = 0;
          for (; c + LANES <= head_size; c += LANES) sum += load(out + i * out_stride + c) * load(dop + i * width + c);
          inner = sum_lanes(sum);
          for (; c < head_size; c++) inner += out[i * out_stride + c] * dop[i * width + c];
        }
        const float log_of_sum = n ? log_sum[i] : 0;
        float *const pr = pi + r * padded, *const dr = di + r * padded;
        for (ptrdiff_t j = 0; j < keys; j += LANES) {
          const vf e = choose(below(n - j), exponential(load(pr + j) - log_of_sum), (vf){0});
          store(pr + j, e);
          store(dr + j, choose(below(n - j), e * (load(dr + j) - inner), (vf){0}));
        }
      }
      product(di, padded, 1, kp, width, seen, dqp, width, false, width);
      for (ptrdiff_t r = 0; r < seen - i0; r++)
        memcpy(dq + (i0 + r) * stride, dqp + r * width, (size_t)head_size * sizeof *dq);
    }
    // Queries from j0 on see the keys j0 to j0 + 3: their scores were written, and are zero above the diagonal.
    for (ptrdiff_t j0 = 0; j0 < b1; j0 += ROWS) {
      const ptrdiff_t i = j0 > b0 ? j0 : b0;
      const float *const pj = p + (i - b0) * padded + j0, *const dj = ds + (i - b0) * padded + j0;
      product(pj, 1, padded, dop + i * width, width, b1 - i, dvp + j0 * width, width, j0 < b0, width);
      product(dj, 1, padded, qp + i * width, width, b1 - i, dkp + j0 * width, width, j0 < b0, width);
    }
  }
  for (ptrdiff_t t = 0; t < tokens; t++) {
    memcpy(dk + t * stride, dkp + t * width, (size_t)head_size * sizeof *dk);
    memcpy(dv + t * stride, dvp + t * width, (size_t)head_size * sizeof *dv);
  }
}

#undef tile
#undef product
#undef copy_rows
#undef transpose
#undef NV

#endif
