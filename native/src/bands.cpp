#include "bands.h"

namespace percepnet::bands {

namespace {

// Between two centres a bin belongs to both bands: `upper` to the higher one, 1 - upper to the lower one.
struct Slopes {
  float upper[TOP_BIN + 1] = {};
  Slopes() noexcept {
    for (int b = 0; b + 1 < BANDS; ++b) {
      const int low = BAND_CENTRES[b], high = BAND_CENTRES[b + 1];
      for (int k = low; k < high; ++k) upper[k] = static_cast<float>(k - low) / static_cast<float>(high - low);
    }
  }
};
const Slopes SLOPES;

}  // namespace

float weight(int band, int bin) noexcept {
  if (bin <= BAND_CENTRES[0]) return band == 0 ? 1.0f : 0.0f;
  if (bin >= TOP_BIN) return band == BANDS - 1 ? 1.0f : 0.0f;
  if (bin >= BAND_CENTRES[band]) {
    return band + 1 < BANDS && bin < BAND_CENTRES[band + 1] ? 1.0f - SLOPES.upper[bin] : 0.0f;
  }
  return band > 0 && bin >= BAND_CENTRES[band - 1] ? SLOPES.upper[bin] : 0.0f;
}

void product(const Spectrum& u, const Spectrum& v, float* out) noexcept {
  float p[TOP_BIN + 1], up[TOP_BIN + 1];
  for (int k = 0; k <= TOP_BIN; ++k) {
    p[k] = u.re[k] * v.re[k] + u.im[k] * v.im[k];
    up[k] = SLOPES.upper[k] * p[k];
  }
  for (int b = 0; b < BANDS; ++b) out[b] = 0.0f;
  for (int k = 0; k < BAND_CENTRES[0]; ++k) out[0] += p[k];
  for (int b = 0; b + 1 < BANDS; ++b) {
    float all = 0.0f, upper = 0.0f;
    for (int k = BAND_CENTRES[b]; k < BAND_CENTRES[b + 1]; ++k) {
      all += p[k];
      upper += up[k];
    }
    out[b] += all - upper;
    out[b + 1] += upper;
  }
  out[BANDS - 1] += p[TOP_BIN];
}

void interpolate(const float* values, float* bins) noexcept {
  for (int k = 0; k < BAND_CENTRES[0]; ++k) bins[k] = values[0];
  for (int b = 0; b + 1 < BANDS; ++b) {
    const float low = values[b], step = values[b + 1] - values[b];
    for (int k = BAND_CENTRES[b]; k < BAND_CENTRES[b + 1]; ++k) bins[k] = low + SLOPES.upper[k] * step;
  }
  for (int k = TOP_BIN; k < BINS; ++k) bins[k] = values[BANDS - 1];
}

}  // namespace percepnet::bands
