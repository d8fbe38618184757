// Samples -> spectrum: the Vorbis power-complementary window and an FFT (SPEC 1.1).
#pragma once

#include "fft.h"

namespace percepnet::analysis {

// h[n] = sin(pi/2 sin^2(pi (n + 1/2) / WINDOW)); h^2[n] + h^2[n + HOP] = 1. Used here and in synthesis.
extern const struct Window {
  Window() noexcept;
  alignas(32) float h[WINDOW];
} WINDOW_SHAPE;

// samples: WINDOW
void forward(const float* samples, Spectrum& spectrum) noexcept;

}  // namespace percepnet::analysis
