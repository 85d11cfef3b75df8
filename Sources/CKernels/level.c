// Which instruction set the kernels use: found once, or named by LOOPED_KERNELS, or forced by a test.
// It is no general CPU description; `looped doctor` reads that elsewhere.
#include "CKernels.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#if defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

static _Atomic int active = -1;
static _Thread_local int own = -1;
static const char *const names[] = {"scalar", "avx2", "avx512", "neon"};

bool ck_has_level(ck_level level) {
  switch (level) {
  case CK_SCALAR: return true;
#if defined(__x86_64__)
  case CK_AVX2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
  case CK_AVX512:
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
#elif defined(__aarch64__)
  case CK_NEON: return true;
#endif
  default: return false;
  }
}

static ck_level find(void) {
  const char *wish = getenv("LOOPED_KERNELS");
  for (int level = CK_SCALAR; wish && level <= CK_NEON; level++)
    if (strcmp(wish, names[level]) == 0 && ck_has_level((ck_level)level)) return (ck_level)level;
  if (ck_has_level(CK_NEON)) return CK_NEON;
  if (ck_has_level(CK_AVX512)) return CK_AVX512;
  return ck_has_level(CK_AVX2) ? CK_AVX2 : CK_SCALAR;
}

ck_level ck_current_level(void) {
  if (own >= 0) return (ck_level)own;
  int level = atomic_load_explicit(&active, memory_order_relaxed);
  if (level < 0) {
    // Two threads that come here at once find the same.
    level = (int)find();
    atomic_store_explicit(&active, level, memory_order_relaxed);
  }
  return (ck_level)level;
}

bool ck_set_level(ck_level level) {
  if (!ck_has_level(level)) return false;
  atomic_store_explicit(&active, (int)level, memory_order_relaxed);
  return true;
}

bool ck_set_thread_level(int level) {
  if (level >= 0 && !ck_has_level((ck_level)level)) return false;
  own = level;
  return true;
}

bool ck_has_integer_dot(void) {
#if defined(__x86_64__)
  return ck_current_level() == CK_AVX512 && __builtin_cpu_supports("avx512vnni");
#elif defined(__aarch64__) && defined(__linux__)
  return ck_current_level() == CK_NEON && (getauxval(AT_HWCAP) & HWCAP_ASIMDDP);
#elif defined(__aarch64__)
  // Every processor of Apple's that runs macOS has it.
  return ck_current_level() == CK_NEON;
#else
  return false;
#endif
}

bool ck_has_bf16_dot(void) {
#if defined(__x86_64__)
  return ck_current_level() == CK_AVX512 && __builtin_cpu_supports("avx512bf16");
#else
  // NEON's product of pairs rounds otherwise.
  return false;
#endif
}

const char *ck_level_name(ck_level level) { return names[level]; }
