// The comb filter: a window of samples averaged over neighbouring pitch periods (SPEC 3.5).
#pragma once

#include "constants.h"

namespace percepnet::comb {

struct Shape {
  float noise_gain;  // sigma^2: power gain for white noise
  float centre;      // w_0: weight of the sample itself
};

// out: WINDOW. `window` points at the first sample to filter; the past is read before it, COMB_HALF_ORDER periods far,
// and at most `future` samples beyond its end. Future taps that do not fit are dropped and the others scaled up.
Shape filter(const float* window, float period, int future, float* out) noexcept;

}  // namespace percepnet::comb
