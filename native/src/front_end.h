// Samples -> features of the frame `lookahead` hops ago: the part of the signal path that training shares.
#pragma once

#include "dc_blocker.h"
#include "features.h"
#include "tracker.h"

namespace percepnet {

class FrontEnd {
 public:
  // tracker: finds the pitch; null, or one that is not present: the plain tracker does.
  explicit FrontEnd(int lookahead, const Tracker* tracker = nullptr) noexcept
      : lookahead_(lookahead), tracker_(tracker != nullptr && tracker->present() ? tracker : nullptr) {}

  static constexpr int RUN_MAX = 4;  // frames that are valid at the same time

  // Takes one hop. Returns the frame it completes, or null for the first `lookahead` hops of a stream; the frame is valid
  // until RUN_MAX more were returned. `guide`, if not null, is the same frame of another recording whose pitch replaces this
  // one's (to see what the tracker costs).
  Frame* push(const float* hop, const Frame* guide = nullptr) noexcept;

  int lookahead() const noexcept { return lookahead_; }

 private:
  // Of the frame `lookahead` hops ago, if there is one: index of its lag, and how surely it is voiced, -1..1. silent: nothing
  // was heard since.
  struct Track {
    int lag;
    float voicing;
  };
  // cues: CUES_MAX of them, filled where there is a tracker.
  Track track(const Spectrum& newest, bool silent, float* cues) noexcept;

  Frame& at(std::int64_t index) noexcept { return frames_[index % N_FRAMES]; }

  static constexpr int N_FRAMES = LOOKAHEAD_MAX + RUN_MAX;

  int lookahead_;
  const Tracker* tracker_;
  std::int64_t hops_ = 0;
  DcBlocker dc_blocker_;
  History history_;
  Pitch pitch_;
  PitchCues cues_;
  Tracker::State tracker_state_ = {};
  Features features_;
  Frame frames_[N_FRAMES] = {};
};

}  // namespace percepnet
