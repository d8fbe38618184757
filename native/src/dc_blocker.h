// Removes a constant offset: first-order high-pass at 5 Hz, started at the first sample so that an offset makes no click.
#pragma once

#include "constants.h"

namespace percepnet {

class DcBlocker {
 public:
  // hop, out: HOP samples each, two arrays.
  void apply(const float* hop, float* out) noexcept;

 private:
  bool started_ = false;
  float previous_in_ = 0.0f;
  float previous_out_ = 0.0f;
};

}  // namespace percepnet
