#include "dc_blocker.h"

#include "one_pole.h"

namespace percepnet {

namespace {

constexpr float POLE = 0.999345714f;      // exp(-2 pi 5 Hz / 48 kHz)
constexpr float SMALLEST_STATE = 1e-20f;  // below it the state is zero

}  // namespace

void DcBlocker::apply(const float* hop, float* out) noexcept {
  out[0] = started_ ? hop[0] - previous_in_ : 0.0f;
  for (int i = 1; i < HOP; ++i) out[i] = hop[i] - hop[i - 1];
  one_pole(out, HOP, POLE, SMALLEST_STATE, previous_out_, out);
  previous_in_ = hop[HOP - 1];
  previous_out_ = out[HOP - 1];
  started_ = true;
}

}  // namespace percepnet
