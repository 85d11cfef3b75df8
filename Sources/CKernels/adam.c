// One step of Adam (Kingma and Ba, arXiv 1412.6980) or AdamW (Loshchilov and Hutter, arXiv 1711.05101) on one array,
// in the order of operations of PyTorch. Knows no schedule, no clipping and no step count: its settings carry them.
#ifndef LANES
#include "kernels.h"

static void adam_scalar(float *value, const float *gradient, float *first, float *second, ptrdiff_t count,
                        ck_adam_settings s) {
  const float step = s.rate / s.correction1, root = 1.0f / sqrtf(s.correction2), keep = 1.0f - s.rate * s.decay;
  for (ptrdiff_t i = 0; i < count; i++) {
    const float g = gradient[i] * s.gradient_scale + s.l2 * value[i];
    first[i] = s.beta1 * first[i] + (1.0f - s.beta1) * g;
    second[i] = s.beta2 * second[i] + (1.0f - s.beta2) * g * g;
    value[i] = keep * value[i] - step * first[i] / (sqrtf(second[i]) * root + s.epsilon);
  }
}

#define FAMILY "adam.c"
#include "each_level.h"

void ck_adam(float *value, const float *gradient, float *first, float *second, ptrdiff_t count,
             ck_adam_settings settings) {
  DISPATCH(adam, value, gradient, first, second, count, settings)
}

#else

#define adam_lanes AT(adam_lanes_of)

INLINE vf adam_lanes(vf *value, vf gradient, vf *first, vf *second, ck_adam_settings s, float step, float root,
                     float keep) {
  const vf g = gradient * s.gradient_scale + s.l2 * *value;
  *first = s.beta1 * *first + (1.0f - s.beta1) * g;
  *second = s.beta2 * *second + (1.0f - s.beta2) * g * g;
  *value = keep * *value - step * *first / (__builtin_elementwise_sqrt(*second) * root + s.epsilon);
  return *value;
}

static void AT(adam)(float *value, const float *gradient, float *first, float *second, ptrdiff_t count,
                     ck_adam_settings s) {
  const float step = s.rate / s.correction1, root = 1.0f / sqrtf(s.correction2), keep = 1.0f - s.rate * s.decay;
  for (ptrdiff_t i = 0; i < count; i += LANES) {
    const ptrdiff_t rest = count - i;
    const bool whole = rest >= LANES;
    vf p = whole ? load(value + i) : load_part(value + i, rest), g = whole ? load(gradient + i) : load_part(gradient + i, rest);
    vf m = whole ? load(first + i) : load_part(first + i, rest), v = whole ? load(second + i) : load_part(second + i, rest);
    adam_lanes(&p, g, &m, &v, s, step, root, keep);
    if (whole) {
      store(value + i, p), store(first + i, m), store(second + i, v);
    } else {
      store_part(value + i, p, rest), store_part(first + i, m, rest), store_part(second + i, v, rest);
    }
  }
}

#undef adam_lanes

#endif
