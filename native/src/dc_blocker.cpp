#include "dc_blocker.h"

#include <cmath>

namespace percepnet {

namespace {

constexpr float POLE = 0.999345714f;      // exp(-2 pi 5 Hz / 48 kHz)
constexpr float SMALLEST_STATE = 1e-20f;  // below it the state is zero: no denormal numbers after speech ends

}  // namespace

void DcBlocker::apply(const float* in, int n, float* out) noexcept {
  if (!started_ && n > 0) previous_in_ = in[0];
  started_ = started_ || n > 0;
  for (int i = 0; i < n; ++i) {
    const float x = in[i];
    const float y = (x - previous_in_) + POLE * previous_out_;
    previous_in_ = x;
    previous_out_ = std::fabs(y) < SMALLEST_STATE ? 0.0f : y;
    out[i] = previous_out_;
  }
}

}  // namespace percepnet
