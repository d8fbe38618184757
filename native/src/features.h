// Energy, coherence, period, correlation -> network input (SPEC 5), not yet scaled: the model's mean and scale do that.
#pragma once

#include "frame.h"

namespace percepnet {

class Features {
 public:
  // <Y, P> / (|Y| |P|) per band, P the comb without its centre tap (which would add Y's own energy), clipped to -0.2..1.
  static void coherence(Frame& frame) noexcept;

  // Fills frame.features. Energy and correlation are of the newest hop, the rest of the frame itself. Called for every
  // hop, also where no frame is ready yet, so that the change of the energies has no gap. Energies are relative to their
  // mean over the last 3 s that were not quiet (below the silence gate), so that a quiet recording looks like a loud one.
  void observe(const float* newest_energy, bool quiet) noexcept;
  void compute(float newest_correlation, float peakiness, Frame& frame) const noexcept;

 private:
  float level_[BANDS] = {};  // log energies of the newest hop, dB
  float change_ = 0.0f;      // mean absolute change of them since the hop before, 10 dB
  bool started_ = false;
  float energy_ = 500.0f;    // running mean of the energy of all bands; at first that of speech at -26 dBFS
  int heard_ = 0;            // hops in that mean
};

}  // namespace percepnet
