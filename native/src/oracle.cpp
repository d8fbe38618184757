#include "oracle.h"

#include <cmath>

#include "analysis.h"
#include "bands.h"

namespace percepnet::oracle {

namespace {

constexpr double MASKING_TONE = 0.03;         // n0: a tone masks noise 15 dB below it (SPEC 2.5)
constexpr double PERIODIC_MIN = 0.3;          // clean coherence without the centre tap: less is not voiced in this band
constexpr double COMB_HELPS = 0.01;           // coherence the comb must add
constexpr double STRENGTH_MAX = 0.99;         // keeps (1 - r)^gamma differentiable
constexpr double AUDIBLE = 4.8e-8;            // energy per bin of white noise at -100 dBFS

double coherence(double product, double energy_a, double energy_b) noexcept {
  const double q = product / std::sqrt((energy_a + ENERGY_FLOOR) * (energy_b + ENERGY_FLOOR));
  return q < 0.0 ? 0.0 : q > 1.0 ? 1.0 : q;
}

// The alpha >= 0 that makes Y + alpha C as periodic as X: A alpha^2 + 2 B alpha - C = 0 (SPEC 2.4, exact form).
double mix(double q_x, double q_y, double q_c, double d, double kappa) noexcept {
  const double a = d * d * (q_c * q_c - q_x * q_x), b = d * q_c * q_y - q_x * q_x * kappa, c = q_x * q_x - q_y * q_y;
  const double root = std::sqrt(b * b + a * c);
  return b > 0.0 ? c / (b + root) : (root - b) / a;
}

struct Target {
  double strength, attenuation;
};

Target target(const Products& products, int b, double centre) noexcept {
  const Products::Statistics& s = products.statistics;
  const double xx = s.xx[b], yy = s.yy[b], cc = s.cc[b], pp = products.pp[b], xp = products.xp[b];
  const double aside = pp - centre * (2.0 * xp - centre * xx);  // energy of P without its centre tap
  if (coherence(xp - centre * xx, xx, aside > 0.0 ? aside : 0.0) < PERIODIC_MIN) return {0.0, 1.0};
  const double q_x = coherence(xp, xx, pp), q_y = coherence(products.yp[b], yy, pp);
  const double q_c = coherence(products.cp[b], cc, pp);
  if (q_y >= q_x || q_c <= q_y + COMB_HELPS) return {0.0, 1.0};
  if (q_c <= q_x) {
    return {STRENGTH_MAX, std::sqrt((1.0 + MASKING_TONE - q_x * q_x) / (1.0 + MASKING_TONE - q_c * q_c))};
  }
  const double alpha = mix(q_x, q_y, q_c, std::sqrt(cc / yy), s.yc[b] / yy);
  const double strength = alpha / (1.0 + alpha);
  return {strength < STRENGTH_MAX ? strength : STRENGTH_MAX, 1.0};
}

// Sum of a band's weights: how many bins it holds.
double width(int band) noexcept {
  const int low = band > 0 ? BAND_CENTRES[band - 1] : -BAND_CENTRES[0] - 1;
  const int high = band + 1 < BANDS ? BAND_CENTRES[band + 1] : TOP_BIN + 1;
  return 0.5 * (high - low);
}

}  // namespace

void targets(const Products& products, bool voiced, float centre, float* gains, float* strengths) noexcept {
  for (int b = 0; b < BANDS; ++b) {
    const double xx = products.statistics.xx[b], yy = products.statistics.yy[b];
    const bool heard = xx >= ENERGY_FLOOR && yy >= ENERGY_FLOOR;
    const Target t = voiced && heard ? target(products, b, centre) : Target{MASKED, 1.0};
    const double gain = std::sqrt((xx + ENERGY_FLOOR) / (yy + ENERGY_FLOOR));
    const double floor = AUDIBLE * width(b);
    const bool audible = xx >= floor || yy >= floor;
    gains[b] = audible ? static_cast<float>((gain < 1.0 ? gain : 1.0) * t.attenuation) : MASKED;
    strengths[b] = static_cast<float>(t.strength);
  }
}

void Clean::push(const float* hop) noexcept {
  dc_blocker_.apply(hop, history_.next_hop());
  history_.advance();
}

void Clean::products(const Frame& frame, int lookahead, Products& out) const noexcept {
  Spectrum clean, comb;
  float combed[WINDOW];
  const float* window = history_.window(lookahead);
  analysis::forward(window, clean);
  comb::filter(window, frame.period, lookahead * HOP, combed);
  analysis::forward(combed, comb);
  Products::Statistics& s = out.statistics;
  for (int b = 0; b < BANDS; ++b) {
    s.yy[b] = frame.energy[b];
    s.cc[b] = frame.comb_energy[b];
    s.yc[b] = frame.comb_product[b];
  }
  bands::product(clean, clean, s.xx);
  bands::product(frame.spectrum, clean, s.yx);
  bands::product(frame.comb, clean, s.cx);
  bands::product(comb, comb, out.pp);
  bands::product(clean, comb, out.xp);
  bands::product(frame.spectrum, comb, out.yp);
  bands::product(frame.comb, comb, out.cp);
}

}  // namespace percepnet::oracle
