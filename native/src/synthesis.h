// Spectrum -> samples: inverse FFT, window, overlap-add.
#pragma once

#include "fft.h"

namespace percepnet {

class Synthesis {
 public:
  // The hop that this frame completes: the first half of its window plus the second half of the frame before.
  void inverse(const Spectrum& spectrum, float* out) noexcept;

 private:
  float tail_[HOP] = {};
};

}  // namespace percepnet
