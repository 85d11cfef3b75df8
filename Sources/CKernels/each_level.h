// Includes the kernel file that FAMILY names once per instruction set, with LANES (f32 per vector) and AT(name)
// (the name with the set's suffix) defined. The vector code itself is written once, in clang's vector types, which
// the compiler turns into the instructions of the set: there are no intrinsics to keep in step.
#if defined(__x86_64__)

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#define LANES 8
#define AT(name) name##_avx2
#include "vector.h"
#include FAMILY
#include "vector_end.h"
#pragma clang attribute pop

#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma"))),                 \
                             apply_to = function)
#define LANES 16
#define AT(name) name##_avx512
#include "vector.h"
#include FAMILY
#include "vector_end.h"
#pragma clang attribute pop

// Where FAMILY says so, once more with the product of bf16 pairs (PAIR_PRODUCT).
#ifdef HAS_PAIR_PRODUCT
#define PAIR_PRODUCT
#pragma clang attribute push(                                                                                        \
    __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx512bf16,avx2,fma"))), apply_to = function)
#define LANES 16
#define AT(name) name##_avx512bf16
#include "vector.h"
#include FAMILY
#include "vector_end.h"
#pragma clang attribute pop
#undef PAIR_PRODUCT
#endif

#elif defined(__aarch64__)

#define LANES 4
#define AT(name) name##_neon
#include "vector.h"
#include FAMILY
#include "vector_end.h"

#endif
#undef FAMILY
#undef HAS_PAIR_PRODUCT
