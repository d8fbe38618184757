// Inner product with a fixed order of every sum: sixteen partial sums, then a fixed tree. The same bits for any SIMD width.
#pragma once

#include "lanes.h"

namespace percepnet {

inline float dot(const float* a, const float* b, int n) noexcept {
  Lanes sums[4] = {};  // four registers of these hide the latency of an addition
  int i = 0;
  for (; i + 16 <= n; i += 16) {
    for (int s = 0; s < 4; ++s) sums[s] += load(a + i + 4 * s) * load(b + i + 4 * s);
  }
  const Lanes sum = (sums[0] + sums[2]) + (sums[1] + sums[3]);
  float rest = 0.0f;
  for (; i < n; ++i) rest += a[i] * b[i];
  return ((sum[0] + sum[2]) + (sum[1] + sum[3])) + rest;
}

}  // namespace percepnet
