#include "channel.h"

#include <new>

#include "gains.h"

namespace percepnet {

namespace {

constexpr int GATE_FADE_HOPS = 20;  // 200 ms from the last gains to silence

template <class T, class... Arguments>
void renew(T& object, Arguments... arguments) noexcept {
  object.~T();
  new (&object) T(arguments...);
}

}  // namespace

Channel::Channel(const Model& model)
    : model_(model), front_end_(model.lookahead, &model.tracker), network_state_(model.network) {}

void Channel::settle(const Frame& frame, Estimate& estimate) noexcept {
  if (frame.gated) {
    hold(estimate);
  } else {
    gated_hops_ = 0;
    last_ = estimate;
  }
  gains::limit_strengths(frame, estimate.strengths);
}

// In silence the network rests, undisturbed: the last gains fade out.
void Channel::hold(Estimate& estimate) noexcept {
  if (gated_hops_ < GATE_FADE_HOPS) ++gated_hops_;
  const float fade = static_cast<float>(GATE_FADE_HOPS - gated_hops_) / GATE_FADE_HOPS;
  for (int b = 0; b < BANDS; ++b) {
    estimate.gains[b] = last_.gains[b] * fade;
    estimate.strengths[b] = 0.0f;
  }
  estimate.speech_probability = last_.speech_probability < 0.0f ? last_.speech_probability : 0.0f;
}

void Channel::render(const Frame& frame, const Estimate& estimate, float attenuation_floor, float* out) noexcept {
  Spectrum enhanced;
  gains::apply(frame.spectrum, frame.comb, frame.energy, estimate.gains, estimate.strengths, enhanced);
  if (attenuation_floor > 0.0f) gains::limit_attenuation(frame.spectrum, attenuation_floor, enhanced);
  synthesis_.inverse(enhanced, out);
}

void Channel::reset() noexcept {
  renew(front_end_, model_.lookahead, &model_.tracker);
  network_state_.reset();
  renew(postfilter_);
  renew(synthesis_);
  last_ = {};
  gated_hops_ = 0;
}

std::size_t Channel::size() const noexcept { return sizeof *this - sizeof network_state_ + network_state_.bytes(); }

}  // namespace percepnet
