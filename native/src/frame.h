// All that is known about one hop of one channel, filled stage by stage.
#pragma once

#include <cstdint>

#include "comb.h"
#include "fft.h"

namespace percepnet {

struct Frame {
  std::int64_t index;
  // When its hop arrives:
  Spectrum spectrum;
  float energy[BANDS];
  bool quiet;  // below the silence gate
  // When the look-ahead has arrived:
  bool gated;  // it and its look-ahead are quiet: the network is not run
  float period;       // samples at 48 kHz
  float correlation;  // normalised, at that period
  float voicing;      // how surely there is a voice, 0..1
  bool voiced;        // else no comb
  comb::Shape comb_shape;
  Spectrum comb;
  float comb_energy[BANDS];
  float comb_product[BANDS];  // <Y, comb>
  float coherence[BANDS];     // of spectrum and comb without its centre tap, -0.2..1
  float features[FEATURES];
  float cues[CUES_MAX];  // the tracker's, if there is one
};

}  // namespace percepnet
