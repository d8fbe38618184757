// The envelope postfilter: attenuates bands that are still noisy a little more, and gives the energy back (SPEC 4.1).
#pragma once

#include "constants.h"

namespace percepnet {

class Postfilter {
 public:
  // out_b = G g_b sin(pi/2 g_b); returns G, which restores most of the frame's energy: at most 5.57 dB.
  static float sharpen(const float* gains, const float* energy, float* out) noexcept;

  // Sharpens in place, by three quarters; fades out while the estimated signal-to-noise ratio is high, where there is little
  // to hide.
  void apply(const float* energy, float* gains) noexcept;

 private:
  float share(const float* gains, const float* energy) noexcept;

  float kept_ = 0.0f, total_ = 0.0f;  // smoothed energies: after gains, and of the input
};

}  // namespace percepnet
