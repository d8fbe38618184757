#include "front_end.h"

#include "analysis.h"
#include "bands.h"

namespace percepnet {

namespace {

// Sum of all band energies of white noise at -95 dBFS: HOP per bin and unit variance, times the bins up to 20 kHz.
constexpr float GATE_ENERGY = 3.16227766e-10f * HOP * (TOP_BIN + 1);

bool quiet(const float* energy) noexcept {
  float sum = 0.0f;
  for (int b = 0; b < BANDS; ++b) sum += energy[b];
  return sum < GATE_ENERGY;
}

}  // namespace

Frame* FrontEnd::push(const float* hop, const Frame* guide) noexcept {
  dc_blocker_.apply(hop, history_.next_hop());
  history_.advance();
  Frame& newest = at(hops_);
  newest.index = hops_++;
  analysis::forward(history_.window(0), newest.spectrum);
  bands::product(newest.spectrum, newest.spectrum, newest.energy);
  newest.quiet = quiet(newest.energy);
  features_.observe(newest.energy, newest.quiet);
  bool silent = true;  // it and the frame that it completes, and all between
  for (int i = 0; i <= lookahead_ && i <= newest.index; ++i) silent = silent && at(newest.index - i).quiet;
  const bool complete = newest.index >= lookahead_;
  Frame& frame = at(complete ? newest.index - lookahead_ : newest.index);
  const Track tracked = track(newest.spectrum, silent, frame.cues);
  if (!complete) return nullptr;

  frame.gated = silent;
  const Pitch::Decision decision = pitch_.refine(history_, lookahead_, tracked.lag);
  frame.period = guide ? guide->period : decision.period;
  frame.correlation = guide ? guide->correlation : decision.correlation;
  frame.voicing = tracker_ != nullptr ? tracked.voicing : frame.correlation > 0.0f ? frame.correlation : 0.0f;
  frame.voiced = tracker_ != nullptr || frame.correlation >= VOICING_MIN;
  float combed[WINDOW];
  frame.comb_shape = comb::filter(history_.window(lookahead_), frame.period, lookahead_ * HOP, combed);
  analysis::forward(combed, frame.comb);
  bands::product(frame.comb, frame.comb, frame.comb_energy);
  bands::product(frame.spectrum, frame.comb, frame.comb_product);
  Features::coherence(frame);
  features_.compute(tracked.voicing, pitch_.peakiness(), frame);
  return &frame;
}

FrontEnd::Track FrontEnd::track(const Spectrum& newest, bool silent, float* cues) noexcept {
  pitch_.observe(history_);
  if (tracker_ == nullptr) {
    pitch_.extend_path();
    return {pitch_.trace(lookahead_), pitch_.newest_correlation()};
  }
  if (silent) return {0, 0.0f};  // like the network, it rests in silence, undisturbed
  cues_.observe(pitch_.newest_correlations(), newest, cues);
  const Tracker::Decision decision = tracker_->run(cues, tracker_state_);
  return {decision.lag, decision.voicing};
}

}  // namespace percepnet
