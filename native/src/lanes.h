// Four floats that every processor adds and multiplies at once: SSE2, NEON, SIMD128.
#pragma once

#include <cstring>

namespace percepnet {

typedef float Lanes __attribute__((vector_size(16)));

constexpr int N_LANES = 4;

inline Lanes load(const float* from) noexcept {
  Lanes lanes;
  std::memcpy(&lanes, from, sizeof lanes);
  return lanes;
}

inline void store(const Lanes& lanes, float* to) noexcept { std::memcpy(to, &lanes, sizeof lanes); }

inline Lanes splat(float x) noexcept { return Lanes{x, x, x, x}; }

inline Lanes reversed(Lanes a) noexcept { return Lanes{a[3], a[2], a[1], a[0]}; }

}  // namespace percepnet
