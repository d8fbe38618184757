// What a learned tracker sees of one hop: the correlations of all lags, and the lower spectrum with its change of phase.
#pragma once

#include "fft.h"
#include "pitch.h"

namespace percepnet {

class PitchCues {
 public:
  static constexpr int LINES = 40;  // of the spectrum, from 50 Hz to 2 kHz
  static constexpr int COUNT = Pitch::LAGS + 3 * LINES + 1;

  // correlation: Pitch::LAGS values of the newest hop. cues: COUNT values in -1..1, in this order: correlations; cosine and
  // sine of each line's phase since the hop before; levels of the lines about their mean; that mean about its own slow mean.
  void observe(const float* correlation, const Spectrum& newest, float* cues) noexcept;

 private:
  float re_[LINES] = {}, im_[LINES] = {};  // of the hop before
  float slow_level_ = 0.0f;
  bool started_ = false;
};

}  // namespace percepnet
