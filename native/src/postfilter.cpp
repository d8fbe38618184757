#include "postfilter.h"

#include <cmath>

#include "elementary.h"

namespace percepnet {

namespace {

constexpr float BETA = 0.02f;
constexpr float SMOOTHING = 0.904837418f;           // exp(-1/10): 100 ms
constexpr float SNR_FULL_DB = 10.0f, SNR_OFF_DB = 20.0f;  // the postfilter fades out between these
constexpr float DEPTH = 0.75f;  // of its full effect: a band falls by 12 dB at most, less the compensation

}  // namespace

float Postfilter::sharpen(const float* gains, const float* energy, float* out) noexcept {
  float before = 0.0f, after = 0.0f;
  for (int b = 0; b < BANDS; ++b) {
    out[b] = gains[b] * elementary::sin_half_pi(gains[b]);
    before += gains[b] * gains[b] * energy[b];
    after += out[b] * out[b] * energy[b];
  }
  if (after < ENERGY_FLOOR) return 1.0f;
  const float ratio = before / after;
  const float compensation = std::sqrt((1.0f + BETA) * ratio / (1.0f + BETA * ratio * ratio));
  for (int b = 0; b < BANDS; ++b) out[b] *= compensation;
  return compensation;
}

// DEPTH at 10 dB and below; 0 at 20 dB and above.
float Postfilter::share(const float* gains, const float* energy) noexcept {
  float kept = 0.0f, total = 0.0f;
  for (int b = 0; b < BANDS; ++b) {
    kept += gains[b] * gains[b] * energy[b];
    total += energy[b];
  }
  kept_ = SMOOTHING * kept_ + (1.0f - SMOOTHING) * kept;
  total_ = SMOOTHING * total_ + (1.0f - SMOOTHING) * total;
  const float removed = total_ > kept_ ? total_ - kept_ : 0.0f;
  const float snr_db = 10.0f * (elementary::log10(kept_ + ENERGY_FLOOR) - elementary::log10(removed + ENERGY_FLOOR));
  const float wanted = (SNR_OFF_DB - snr_db) / (SNR_OFF_DB - SNR_FULL_DB);
  return DEPTH * (wanted < 0.0f ? 0.0f : wanted > 1.0f ? 1.0f : wanted);
}

void Postfilter::apply(const float* energy, float* gains) noexcept {
  const float part = share(gains, energy);
  if (part == 0.0f) return;
  float sharp[BANDS];
  sharpen(gains, energy, sharp);
  for (int b = 0; b < BANDS; ++b) gains[b] += part * (sharp[b] - gains[b]);
}

}  // namespace percepnet
