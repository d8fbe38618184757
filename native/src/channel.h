// READ FIRST. The signal path of one channel at 48 kHz, one hop in, one hop out, lookahead + 1 hops late.
#pragma once

#include "front_end.h"
#include "model.h"
#include "postfilter.h"
#include "synthesis.h"

namespace percepnet {

// What the network, or a caller in its place, says about a frame.
struct Estimate {
  float gains[BANDS];
  float strengths[BANDS];
  float speech_probability;
};

class Channel {
 public:
  explicit Channel(const Model& model);

  // From a hop to the frame it completes; null for the first `lookahead` hops. Up to FrontEnd::RUN_MAX hops may be observed
  // before the first of their frames is rendered.
  const Frame* observe(const float* hop) noexcept { return front_end_.push(hop); }

  // What the network has to do for a frame that is not gated. dereverb: how much of the room shall go, 0..1.
  Network::Job job(const Frame& frame, float dereverb, Estimate& estimate) noexcept {
    return {&network_state_, frame.features,     frame.cues,
            dereverb,        estimate.gains,     estimate.strengths,
            &estimate.speech_probability};
  }

  // Frame after frame, when the network is done: fades in silence, limits the strengths. The caller may change the
  // estimate before render().
  void settle(const Frame& frame, Estimate& estimate) noexcept;

  // Gains as the synthesis will use them: sharpened, in place. Before gains of several channels are linked.
  void sharpen(const Frame& frame, float* gains) noexcept { postfilter_.apply(frame.energy, gains); }

  // From the estimate to the hop that the frame completes. attenuation_floor: amplitude below which nothing goes.
  void render(const Frame& frame, const Estimate& estimate, float attenuation_floor, float* out) noexcept;

  void reset() noexcept;
  std::size_t size() const noexcept;  // bytes of state

 private:
  void hold(Estimate& estimate) noexcept;

  const Model& model_;
  FrontEnd front_end_;
  NetworkState network_state_;
  Postfilter postfilter_;
  Synthesis synthesis_;
  Estimate last_ = {};
  int gated_hops_ = 0;
};

}  // namespace percepnet
