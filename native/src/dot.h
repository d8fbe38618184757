// Inner product with a fixed order of every sum: sixteen partial sums, then a fixed tree. The same bits for any SIMD width.
#pragma once

#include <cstddef>
#include <cstring>

namespace percepnet {

inline float dot(const float* a, const float* b, int n) noexcept {
  typedef float Lanes __attribute__((vector_size(32)));
  Lanes low = {}, high = {};
  int i = 0;
  for (; i + 16 <= n; i += 16) {
    Lanes a0, a1, b0, b1;
    std::memcpy(&a0, a + i, sizeof a0);
    std::memcpy(&a1, a + i + 8, sizeof a1);
    std::memcpy(&b0, b + i, sizeof b0);
    std::memcpy(&b1, b + i + 8, sizeof b1);
    low += a0 * b0;
    high += a1 * b1;
  }
  const Lanes sum = low + high;
  float rest = 0.0f;
  for (; i < n; ++i) rest += a[i] * b[i];
  return (((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]))) + rest;
}

}  // namespace percepnet
