#include "pitch_cues.h"

#include <cmath>
#include <cstring>

#include "elementary.h"

namespace percepnet {

namespace {

constexpr float LINE_SCALE = 0.25f, LEVEL_SCALE = 0.5f;  // per decade of energy
constexpr float SLOWNESS = 0.01f;                        // of the mean that levels are relative to: 1 s

float clip(float x) noexcept { return x < -1.0f ? -1.0f : x > 1.0f ? 1.0f : x; }

}  // namespace

void PitchCues::observe(const float* correlation, const Spectrum& newest, float* cues) noexcept {
  for (int i = 0; i < Pitch::LAGS; ++i) cues[i] = clip(correlation[i]);
  float* const cosine = cues + Pitch::LAGS;
  float* const sine = cosine + LINES;
  float* const level = sine + LINES;
  float mean = 0.0f;
  for (int i = 0; i < LINES; ++i) {
    const float re = newest.re[i + 1], im = newest.im[i + 1];
    const float energy = re * re + im * im, before = re_[i] * re_[i] + im_[i] * im_[i];
    const float scale = 1.0f / (std::sqrt(energy * before) + ENERGY_FLOOR);
    cosine[i] = (re * re_[i] + im * im_[i]) * scale;
    sine[i] = (im * re_[i] - re * im_[i]) * scale;
    level[i] = elementary::log10(energy + ENERGY_FLOOR);
    mean += level[i];
    re_[i] = re;
    im_[i] = im;
  }
  mean *= 1.0f / LINES;
  for (int i = 0; i < LINES; ++i) level[i] = clip(LINE_SCALE * (level[i] - mean));
  if (!started_) slow_level_ = mean;
  started_ = true;
  slow_level_ += SLOWNESS * (mean - slow_level_);
  level[LINES] = clip(LEVEL_SCALE * (mean - slow_level_));
}

}  // namespace percepnet
