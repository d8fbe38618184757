// The past and the look-ahead of one channel at 48 kHz: a sliding buffer whose newest hop is at its end.
#pragma once

#include <cstring>

#include "constants.h"

namespace percepnet {

class History {
 public:
  // Samples that may be asked for before the end: the oldest window in flight and the past taps of its comb.
  static constexpr int LENGTH = (LOOKAHEAD_MAX + 2) * HOP + COMB_HALF_ORDER * PERIOD_MAX + 16;

  // Where the next hop is to be written; it becomes the newest with advance().
  float* next_hop() noexcept {
    if (end_ + HOP > CAPACITY) {
      std::memmove(samples_, samples_ + end_ - LENGTH, LENGTH * sizeof(float));
      end_ = LENGTH;
    }
    return samples_ + end_;
  }
  void advance() noexcept { end_ += HOP; }

  // The WINDOW samples that ended `hops_ago` hops before the newest sample. Valid from LENGTH samples before the end to
  // the end itself, until the next hop is written.
  const float* window(int hops_ago) const noexcept { return samples_ + end_ - hops_ago * HOP - WINDOW; }

 private:
  static constexpr int CAPACITY = 2 * LENGTH;
  float samples_[CAPACITY] = {};
  int end_ = LENGTH;
};

}  // namespace percepnet
