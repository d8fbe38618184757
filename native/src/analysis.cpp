#include "analysis.h"

#include "elementary.h"

namespace percepnet::analysis {

Window::Window() noexcept {
  for (int n = 0; n < WINDOW; ++n) {
    const double s = elementary::sin_turns((n + 0.5) / (2.0 * WINDOW));
    h[n] = static_cast<float>(elementary::sin_turns(0.25 * s * s));
  }
}

const Window WINDOW_SHAPE;

void forward(const float* samples, Spectrum& spectrum) noexcept {
  float windowed[WINDOW];
  for (int n = 0; n < WINDOW; ++n) windowed[n] = WINDOW_SHAPE.h[n] * samples[n];
  fft::forward(windowed, spectrum);
}

}  // namespace percepnet::analysis
