// Cues -> lag and voicing of the frame `lookahead` hops ago, as a small network has learnt them (docs/weight-file.md).
#pragma once

#include <cstdint>

#include "kernels.h"
#include "layers.h"
#include "pitch_cues.h"
#include "weights.h"

namespace percepnet {

class Tracker {
 public:
  static constexpr int SIZE_MAX_PER_LAYER = 128;
  static constexpr int N_CODES = 1024;  // room to work in

  // What one stream remembers between hops; zeros at its start.
  struct State {
    float gru1[SIZE_MAX_PER_LAYER], gru2[SIZE_MAX_PER_LAYER];
  };

  struct Decision {
    int lag;        // index, 0..Pitch::LAGS - 1
    float voicing;  // probability, 0..1
  };

  // Takes over the tensors `pitch.*`, if there are any; a percepnet_status. Throws nothing but std::bad_alloc.
  int read(const Weights& weights, const kernels::Kernel& kernel);
  // What it tells of a hop: the cues that it hears, then what it remembers, `gru2`; 0 without a tracker.
  int n_cues() const noexcept { return present() ? PitchCues::COUNT + lags_.columns() : 0; }
  bool present() const noexcept { return lags_.rows() > 0; }
  std::int64_t n_weights() const noexcept { return n_weights_; }

  // cues: of the newest hop; PitchCues::COUNT of n_cues() are heard, the rest is written behind them.
  Decision run(float* cues, State& state) const noexcept;

 private:
  layers::Dense dense_;
  layers::Gru gru1_, gru2_;
  layers::Affine lags_;
  layers::Dense voicing_;
  std::int64_t n_weights_ = 0;
};

static_assert(PitchCues::COUNT + Tracker::SIZE_MAX_PER_LAYER <= CUES_MAX, "room for cues");

}  // namespace percepnet
