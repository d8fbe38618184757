#include "features.h"

#include <cmath>

#include "elementary.h"

namespace percepnet {

namespace {

// Masking limits what matters: 70 dB below the loudest lower band, 15 dB per band down from the one below.
constexpr float MASK_DEPTH_DB = 70.0f, MASK_SLOPE_DB = 15.0f;
constexpr float COHERENCE_MIN = -0.2f;
// The level that features are relative to: a mean of 3 s, to which no frame gives more than a full-scale square wave.
constexpr int LEVEL_HOPS = 300;
constexpr float LOUDEST_ENERGY = static_cast<float>(HOP) * HOP;

float clip(float x, float low, float high) noexcept { return x < low ? low : x > high ? high : x; }

float larger(float a, float b) noexcept { return a > b ? a : b; }

}  // namespace

void Features::coherence(Frame& frame) noexcept {
  const float centre = frame.comb_shape.centre;
  for (int b = 0; b < BANDS; ++b) {
    const float energy = frame.energy[b];
    const float product = frame.comb_product[b] - centre * energy;
    const float comb = frame.comb_energy[b] - centre * (2.0f * frame.comb_product[b] - centre * energy);
    const float norm = std::sqrt((energy + ENERGY_FLOOR) * (larger(comb, 0.0f) + ENERGY_FLOOR));
    frame.coherence[b] = clip(product / norm, COHERENCE_MIN, 1.0f);
  }
}

void Features::observe(const float* newest_energy, bool quiet) noexcept {
  float loudest = -200.0f, follow = -200.0f, change = 0.0f, energy = 0.0f;
  for (int b = 0; b < BANDS; ++b) {
    energy += newest_energy[b];
    float level = 10.0f * elementary::log10(newest_energy[b] + ENERGY_FLOOR);
    level = larger(level, larger(loudest - MASK_DEPTH_DB, follow - MASK_SLOPE_DB));
    loudest = larger(loudest, level);
    follow = level;
    change += std::fabs(level - level_[b]);
    level_[b] = level;
  }
  change_ = started_ ? change / (10.0f * BANDS) : 0.0f;
  started_ = true;
  if (quiet) return;
  if (heard_ < LEVEL_HOPS) ++heard_;
  energy_ += ((energy < LOUDEST_ENERGY ? energy : LOUDEST_ENERGY) - energy_) / static_cast<float>(heard_);
}

void Features::compute(float newest_correlation, float peakiness, Frame& frame) const noexcept {
  float* f = frame.features;
  const float reference = 10.0f * elementary::log10(energy_ + ENERGY_FLOOR);
  for (int b = 0; b < BANDS; ++b) *f++ = level_[b] - reference;
  for (int b = 0; b < BANDS; ++b) *f++ = frame.coherence[b];
  const float octaves = elementary::log(frame.period / PERIOD_MIN) * 1.44269504f;
  *f++ = octaves * (2.0f / 3.0f) - 1.0f;
  *f++ = 2.0f * newest_correlation - 1.0f;
  *f++ = change_;
  *f++ = peakiness > 0.0f ? (peakiness - 0.7f) / 0.15f : 0.0f;
}

}  // namespace percepnet
