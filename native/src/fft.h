// Real FFT of WINDOW points and its inverse.
#pragma once

#include "constants.h"

namespace percepnet {

// Lines 0..BINS-1 of a real signal's spectrum, 50 Hz apart.
struct Spectrum {
  alignas(32) float re[BINS];
  alignas(32) float im[BINS];
};

namespace fft {

// spectrum = rfft(samples), not scaled; samples: WINDOW
void forward(const float* samples, Spectrum& spectrum) noexcept;

// samples = irfft(spectrum), scaled by 1 / WINDOW so that it undoes forward()
void inverse(const Spectrum& spectrum, float* samples) noexcept;

}  // namespace fft
}  // namespace percepnet
