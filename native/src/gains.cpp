#include "gains.h"

#include <cmath>

#include "bands.h"

namespace percepnet::gains {

namespace {

constexpr float SCALE_MAX = 4.0f;
// Below 2 kHz, and a comb that keeps less than 0.35 of the amplitude in half of those bands, speaks for half a period.
constexpr int LOW_BANDS = 14;
constexpr float WRONG_PERIOD_AMPLITUDE = 0.35f, WRONG_PERIOD_STRENGTH = 0.5f;
static_assert(BAND_CENTRES[LOW_BANDS - 1] * 50 < 2000 && BAND_CENTRES[LOW_BANDS] * 50 > 2000, "bands below 2 kHz");

float clip(float x, float high) noexcept { return x > 0.0f ? (x < high ? x : high) : 0.0f; }

bool period_looks_halved(const Frame& frame) noexcept {
  int emptied = 0;
  constexpr float ENERGY = WRONG_PERIOD_AMPLITUDE * WRONG_PERIOD_AMPLITUDE;
  for (int b = 0; b < LOW_BANDS; ++b) emptied += frame.comb_energy[b] < ENERGY * frame.energy[b] ? 1 : 0;
  return 2 * emptied >= LOW_BANDS;
}

}  // namespace

void limit_strengths(const Frame& frame, float* strengths) noexcept {
  const float most = !frame.voiced ? 0.0f : period_looks_halved(frame) ? WRONG_PERIOD_STRENGTH : 1.0f;
  for (int b = 0; b < BANDS; ++b) strengths[b] = clip(strengths[b], most);
}

void apply(const Spectrum& spectrum, const Spectrum& comb, const float* energy, const float* gains,
           const float* strengths, Spectrum& out) noexcept {
  float per_bin[BINS], mixed[BANDS], scale[BANDS];
  bands::interpolate(strengths, per_bin);
  for (int k = TOP_BIN + 1; k < BINS; ++k) per_bin[k] = 0.0f;
  for (int k = 0; k < BINS; ++k) {
    out.re[k] = spectrum.re[k] + per_bin[k] * (comb.re[k] - spectrum.re[k]);
    out.im[k] = spectrum.im[k] + per_bin[k] * (comb.im[k] - spectrum.im[k]);
  }
  bands::product(out, out, mixed);
  for (int b = 0; b < BANDS; ++b) {
    scale[b] = clip(gains[b] * std::sqrt((energy[b] + ENERGY_FLOOR) / (mixed[b] + ENERGY_FLOOR)), SCALE_MAX);
  }
  bands::interpolate(scale, per_bin);
  for (int k = 0; k < BINS; ++k) {
    out.re[k] *= per_bin[k];
    out.im[k] *= per_bin[k];
  }
}

void limit_attenuation(const Spectrum& spectrum, float floor, Spectrum& out) noexcept {
  for (int k = 0; k < BINS; ++k) {
    out.re[k] = floor * spectrum.re[k] + (1.0f - floor) * out.re[k];
    out.im[k] = floor * spectrum.im[k] + (1.0f - floor) * out.im[k];
  }
}

}  // namespace percepnet::gains
