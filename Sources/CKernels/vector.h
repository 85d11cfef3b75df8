// Vectors of LANES f32: loads, stores, sums and the exponential. Included once per instruction set by each_level.h.
#define vf AT(vector_f32)
#define vi AT(vector_i32)
#define INLINE static inline __attribute__((always_inline, unused))

typedef float vf __attribute__((vector_size(LANES * 4)));
typedef int32_t vi __attribute__((vector_size(LANES * 4)));
typedef float AT(unaligned_f32) __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

#define load AT(load_vector)
#define store AT(store_vector)
#define load_part AT(load_part_vector)
#define store_part AT(store_part_vector)
#define splat AT(splat_vector)
#define choose AT(choose_vector)
#define below AT(below_vector)
#define sum_lanes AT(sum_lanes_vector)
#define max_lanes AT(max_lanes_vector)
#define exponential AT(exponential_vector)

INLINE vf load(const float *p) { return *(const AT(unaligned_f32) *)p; }
INLINE void store(float *p, vf v) { *(AT(unaligned_f32) *)p = v; }
// The first n values at p, and zeros.
INLINE vf load_part(const float *p, ptrdiff_t n) {
  vf v = {0};
  for (ptrdiff_t i = 0; i < n; i++) v[i] = p[i];
  return v;
}
INLINE void store_part(float *p, vf v, ptrdiff_t n) {
  for (ptrdiff_t i = 0; i < n; i++) p[i] = v[i];
}
INLINE vf splat(float x) { return x - (vf){0}; }
INLINE vf choose(vi mask, vf yes, vf no) { return (vf)((mask & (vi)yes) | (~mask & (vi)no)); }
// All ones in the lanes below n.
INLINE vi below(ptrdiff_t n) {
  vi lane;
  for (int i = 0; i < LANES; i++) lane[i] = i;
  return lane < ((int32_t)n - (vi){0});
}
INLINE float sum_lanes(vf v) {
  float s[LANES];
  memcpy(s, &v, sizeof v);
  for (int width = LANES / 2; width > 0; width /= 2)
    for (int i = 0; i < width; i++) s[i] += s[i + width];
  return s[0];
}
INLINE float max_lanes(vf v) {
  float m = v[0];
  for (int i = 1; i < LANES; i++) m = v[i] > m ? v[i] : m;
  return m;
}
// exp(x) to about 1e-7 of its value: x = n ln 2 + r with |r| ≤ ln 2 / 2, a polynomial for exp(r), and n added to the
// exponent (Cephes, expf). Below -87 the result is about 1e-38 and not zero, above 88 about 2e38 and not infinity;
// NaN stays NaN, so that divergence is seen.
INLINE vf exponential(vf x) {
  x = choose(x < -87.0f, splat(-87.0f), x);
  x = choose(x > 88.0f, splat(88.0f), x);
  vf n = x * 1.44269504088896341f + 12582912.0f;
  n -= 12582912.0f;
  vf r = x - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  vf p = splat(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + (r + 1.0f);
  // The integer of n is exact; NaN becomes some integer, and the product below is NaN all the same.
  vi exponent = (vi)(n + 12582912.0f) << 23;
  return p * (vf)(exponent + (vi)(1.0f - (vf){0}));
}
