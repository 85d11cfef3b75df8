// XXH64, after its public specification; little-endian machines alone. Not for secrets.
#include "CKernels.h"
#include <string.h>

static const uint64_t P1 = 0x9E3779B185EBCA87u, P2 = 0xC2B2AE3D27D4EB4Fu, P3 = 0x165667B19E3779F9u,
                      P4 = 0x85EBCA77C2B2AE63u, P5 = 0x27D4EB2F165667C5u;

static uint64_t turn(uint64_t x, int bits) { return x << bits | x >> (64 - bits); }
static uint64_t read64(const uint8_t *p) {
  uint64_t v;
  memcpy(&v, p, 8);
  return v;
}
static uint32_t read32(const uint8_t *p) {
  uint32_t v;
  memcpy(&v, p, 4);
  return v;
}
static uint64_t step(uint64_t sum, uint64_t word) { return turn(sum + word * P2, 31) * P1; }
static uint64_t merge(uint64_t hash, uint64_t sum) { return (hash ^ step(0, sum)) * P1 + P4; }

uint64_t ck_hash64(const void *bytes, size_t count, uint64_t seed) {
  const uint8_t *p = bytes;
  size_t left = count;
  uint64_t hash = seed + P5;
  if (left >= 32) {
    uint64_t a = seed + P1 + P2, b = seed + P2, c = seed, d = seed - P1;
    for (; left >= 32; left -= 32, p += 32) {
      a = step(a, read64(p));
      b = step(b, read64(p + 8));
      c = step(c, read64(p + 16));
      d = step(d, read64(p + 24));
    }
    hash = merge(merge(merge(merge(turn(a, 1) + turn(b, 7) + turn(c, 12) + turn(d, 18), a), b), c), d);
  }
  hash += count;
  for (; left >= 8; left -= 8, p += 8) hash = turn(hash ^ step(0, read64(p)), 27) * P1 + P4;
  if (left >= 4) {
    hash = turn(hash ^ read32(p) * P1, 23) * P2 + P3;
    left -= 4;
    p += 4;
  }
  for (; left > 0; left--, p++) hash = turn(hash ^ *p * P5, 11) * P1;
  hash = (hash ^ hash >> 33) * P2;
  hash = (hash ^ hash >> 29) * P3;
  return hash ^ hash >> 32;
}
