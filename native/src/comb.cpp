#include "comb.h"

#include <cmath>

namespace percepnet::comb {

namespace {

// 1/2 + 1/2 cos(pi k / 6): a Hann window over COMB_HALF_ORDER periods on each side, before its sum is made one.
constexpr float HANN[COMB_HALF_ORDER + 1] = {1.0f, 0.933012702f, 0.75f, 0.5f, 0.25f, 0.0669872981f};

int lag(int tap, float period) noexcept { return static_cast<int>(std::floor(static_cast<float>(tap) * period + 0.5f)); }

}  // namespace

Shape filter(const float* window, float period, int future, float* out) noexcept {
  int future_taps = 0;
  while (future_taps < COMB_HALF_ORDER && lag(future_taps + 1, period) <= future) ++future_taps;
  float sum = 0.0f, squares = 0.0f;
  for (int tap = -future_taps; tap <= COMB_HALF_ORDER; ++tap) {
    const float h = HANN[tap < 0 ? -tap : tap];
    sum += h;
    squares += h * h;
  }
  const float centre = HANN[0] / sum;
  for (int n = 0; n < WINDOW; ++n) out[n] = centre * window[n];
  for (int tap = 1; tap <= COMB_HALF_ORDER; ++tap) {
    const float weight = HANN[tap] / sum;
    const float* past = window - lag(tap, period);
    if (tap <= future_taps) {
      const float* ahead = window + lag(tap, period);
      for (int n = 0; n < WINDOW; ++n) out[n] += weight * (past[n] + ahead[n]);
    } else {
      for (int n = 0; n < WINDOW; ++n) out[n] += weight * past[n];
    }
  }
  return {squares / (sum * sum), centre};
}

}  // namespace percepnet::comb
