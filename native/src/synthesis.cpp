#include "synthesis.h"

#include "analysis.h"

namespace percepnet {

void Synthesis::inverse(const Spectrum& spectrum, float* out) noexcept {
  float samples[WINDOW];
  fft::inverse(spectrum, samples);
  const float* h = analysis::WINDOW_SHAPE.h;
  for (int n = 0; n < HOP; ++n) {
    out[n] = tail_[n] + h[n] * samples[n];
    tail_[n] = h[n + HOP] * samples[n + HOP];
  }
}

}  // namespace percepnet
