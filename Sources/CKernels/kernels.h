// Shared by the kernel files: the choice of an instruction set at run time.
#include "CKernels.h"
#include <math.h>
#include <string.h>


// Calls name_avx512, name_avx2, name_neon or name_scalar, and returns what it returns.
#if defined(__x86_64__)
#define DISPATCH(name, ...)                                                                                          \
  switch (ck_current_level()) {                                                                                      \
  case CK_AVX512: return name##_avx512(__VA_ARGS__);                                                                 \
  case CK_AVX2: return name##_avx2(__VA_ARGS__);                                                                     \
  default: return name##_scalar(__VA_ARGS__);                                                                        \
  }
#elif defined(__aarch64__)
#define DISPATCH(name, ...)                                                                                          \
  switch (ck_current_level()) {                                                                                      \
  case CK_NEON: return name##_neon(__VA_ARGS__);                                                                     \
  default: return name##_scalar(__VA_ARGS__);                                                                        \
  }
#else
#define DISPATCH(name, ...) return name##_scalar(__VA_ARGS__)
#endif
