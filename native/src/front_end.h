// Samples -> features of the frame `lookahead` hops ago: the part of the signal path that training shares.
#pragma once

#include "dc_blocker.h"
#include "features.h"
#include "pitch.h"

namespace percepnet {

class FrontEnd {
 public:
  explicit FrontEnd(int lookahead) noexcept : lookahead_(lookahead) {}

  static constexpr int RUN_MAX = 4;  // frames that are valid at the same time

  // Takes one hop. Returns the frame it completes, or null for the first `lookahead` hops of a stream; the frame is valid
  // until RUN_MAX more were returned. `guide`, if not
  // null, is the same frame of another recording whose pitch replaces this one's (to see what the tracker costs).
  Frame* push(const float* hop, const Frame* guide = nullptr) noexcept;

  int lookahead() const noexcept { return lookahead_; }

 private:
  Frame& at(std::int64_t index) noexcept { return frames_[index % N_FRAMES]; }

  static constexpr int N_FRAMES = LOOKAHEAD_MAX + RUN_MAX;

  int lookahead_;
  std::int64_t hops_ = 0;
  DcBlocker dc_blocker_;
  History history_;
  Pitch pitch_;
  Features features_;
  Frame frames_[N_FRAMES] = {};
};

}  // namespace percepnet
