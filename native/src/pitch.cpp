#include "pitch.h"

#include <cmath>
#include <cstring>

#include "dot.h"
#include "elementary.h"
#include "one_pole.h"

namespace percepnet {

namespace {

constexpr float DEEMPHASIS = 0.7f;
constexpr float BANDWIDTH_EXPANSION = 0.9f;  // per tap: less than full whitening, which would amplify noise-only bands
constexpr float WHITE_NOISE_CORRECTION = 1.0001f;
constexpr float LAG_WINDOW = 0.008f;
constexpr float SILENCE = 1e-10f;            // residual mean square of -100 dBFS
constexpr float CORRELATION_FLOOR = 1e-10f;  // mean square that keeps silence uncorrelated, far below quiet speech
constexpr float OCTAVE_ADVANTAGE = 1.1f, OCTAVE_PENALTY = 0.8f;
constexpr float LOUDNESS_MIN = 0.05f, LOUDNESS_MAX = 4.0f;
constexpr int TRANSITION = 8;                // lags a path may move in one hop
constexpr float TRANSITION_COST = 0.01f;     // per squared lag
constexpr float JUMP_COST = 1.0f;            // of a path that starts anew anywhere
constexpr int REFINE = 3;                    // samples at 48 kHz around three times the lag
constexpr float PERIOD_STEPS = 8.0f;         // resolution of a period, steps per sample

constexpr int LOW_PASS_TAPS = 48;

// Kaiser-windowed sinc, cut at 6.5 kHz, unit gain at 0 Hz.
struct LowPass {
  float h[LOW_PASS_TAPS];
  LowPass() noexcept {
    constexpr double CUT = 6500.0 / SAMPLE_RATE, BETA = 6.0;
    double taps[LOW_PASS_TAPS], sum = 0.0;
    for (int i = 0; i < LOW_PASS_TAPS; ++i) {
      const double t = i - 0.5 * (LOW_PASS_TAPS - 1), u = 2.0 * t / LOW_PASS_TAPS;  // never 0: the length is even
      const double sinc = elementary::sin_turns(CUT * t) / t;
      taps[i] = sinc * elementary::bessel_i0(BETA * std::sqrt(1.0 - u * u));
      sum += taps[i];
    }
    for (int i = 0; i < LOW_PASS_TAPS; ++i) h[i] = static_cast<float>(taps[i] / sum);
  }
};
const LowPass LOW_PASS;

constexpr int LPC_WINDOW = WINDOW / Pitch::DECIMATION;

struct Hann {
  float h[LPC_WINDOW];
  Hann() noexcept {
    for (int n = 0; n < LPC_WINDOW; ++n) {
      h[n] = static_cast<float>(0.5 - 0.5 * elementary::cos_turns((n + 0.5) / LPC_WINDOW));
    }
  }
};
const Hann HANN;

// Levinson-Durbin: a[0] = 1, prediction error filter of `order`.
void levinson(const float* autocorrelation, int order, float* a) noexcept {
  float error = autocorrelation[0];
  a[0] = 1.0f;
  for (int i = 1; i <= order; ++i) a[i] = 0.0f;
  for (int i = 1; i <= order && error > 0.0f; ++i) {
    float sum = autocorrelation[i];
    for (int j = 1; j < i; ++j) sum += a[j] * autocorrelation[i - j];
    const float reflection = -sum / error;
    float previous[32];
    std::memcpy(previous, a, sizeof(float) * static_cast<std::size_t>(i + 1));
    for (int j = 1; j < i; ++j) a[j] = previous[j] + reflection * previous[i - j];
    a[i] = reflection;
    error *= 1.0f - reflection * reflection;
  }
}

typedef std::int32_t Integers __attribute__((vector_size(sizeof(Lanes))));

// n: at least four.
int lowest_argmax(const float* values, int n) noexcept {
  Lanes tops = load(values + n - N_LANES);
  for (int i = 0; i + N_LANES <= n; i += N_LANES) tops = load(values + i) > tops ? load(values + i) : tops;
  float top = tops[0];
  for (int i = 1; i < N_LANES; ++i) top = tops[i] > top ? tops[i] : top;
  int best = 0;
  while (values[best] < top) ++best;
  return best;
}

float larger(float a, float b) noexcept { return a > b ? a : b; }

}  // namespace

void Pitch::observe(const History& history) noexcept {
  push_low_rate(history);
  push_residual();
  newest_ = (newest_ + 1) % (LOOKAHEAD_MAX + 1);
  correlate(steps_[newest_]);
  float l1 = 0.0f;
  for (int n = 0; n < LOW_WINDOW; ++n) l1 += std::fabs(residual_[LAG_MAX + n]);
  const bool silent = energy_ < SILENCE * LOW_WINDOW;
  peakiness_ = silent ? 0.0f : l1 / std::sqrt(energy_ * LOW_WINDOW);
}

void Pitch::push_low_rate(const History& history) noexcept {
  std::memmove(low_, low_ + LOW_HOP, sizeof low_ - LOW_HOP * sizeof(float));
  const float* newest = history.window(0) + HOP;
  float* out = low_ + LOW_WINDOW + LPC_ORDER - LOW_HOP;
  for (int i = 0; i < LOW_HOP; ++i) {
    out[i] = dot(LOW_PASS.h, newest + DECIMATION * i + DECIMATION - LOW_PASS_TAPS, LOW_PASS_TAPS);
  }
}

void Pitch::push_residual() noexcept {
  float windowed[LOW_WINDOW], autocorrelation[LPC_ORDER + 1], a[LPC_ORDER + 1];
  const float* window = low_ + LPC_ORDER;
  for (int n = 0; n < LOW_WINDOW; ++n) windowed[n] = HANN.h[n] * window[n];
  for (int i = 0; i <= LPC_ORDER; ++i) {
    const float taper = LAG_WINDOW * static_cast<float>(i);
    autocorrelation[i] = dot(windowed, windowed + i, LOW_WINDOW - i) * (1.0f - taper * taper);
  }
  autocorrelation[0] *= WHITE_NOISE_CORRECTION;
  levinson(autocorrelation, LPC_ORDER, a);
  float expansion = 1.0f;
  for (int i = 1; i <= LPC_ORDER; ++i) a[i] *= expansion *= BANDWIDTH_EXPANSION;

  constexpr int OLD = LAG_MAX + LOW_WINDOW - LOW_HOP;
  constexpr float SMALLEST_RESIDUAL = 1e-15f;
  std::memmove(residual_, residual_ + LOW_HOP, OLD * sizeof(float));
  const float* x = window + LOW_WINDOW - LOW_HOP;
  float* const e = residual_ + OLD;
  std::memcpy(e, x, LOW_HOP * sizeof(float));
  for (int i = 1; i <= LPC_ORDER; ++i) {
    for (int n = 0; n < LOW_HOP; ++n) e[n] += a[i] * x[n - i];
  }
  one_pole(e, LOW_HOP, DEEMPHASIS, SMALLEST_RESIDUAL, e[-1], e);
}

// <e, e_lag> over the newest hop for every lag, from the longest to the shortest: then lanes are neighbours in memory.
void Pitch::multiply_by_past(float* products) const noexcept {
  constexpr int TOGETHER = 10;  // sums at a time: they hide the latency of addition and fit sixteen registers
  static_assert(PRODUCTS % (TOGETHER * N_LANES) == 0 && PRODUCTS >= LAGS && PRODUCTS - LAGS < LAG_MIN, "lags in blocks");
  const float* e = residual_ + LAG_MAX + LOW_WINDOW - LOW_HOP;
  for (int i = 0; i < PRODUCTS; i += TOGETHER * N_LANES) {
    Lanes sums[TOGETHER] = {};
    for (int n = 0; n < LOW_HOP; ++n) {
      const Lanes now = splat(e[n]);
      const float* past = e + n - LAG_MAX + i;
      for (int s = 0; s < TOGETHER; ++s) sums[s] += now * load(past + N_LANES * s);
    }
    std::memcpy(products + i, sums, sizeof sums);
  }
}

// 2 <e, e_lag> / (floor + |e|^2 + |e_lag|^2) for every lag. A window is two hops, and the products of the older one are known.
void Pitch::correlate(Step& step) noexcept {
  float products[PRODUCTS];
  multiply_by_past(products);
  const float* e = residual_ + LAG_MAX;
  energy_ = dot(e, e, LOW_WINDOW);
  const bool silent = energy_ < SILENCE * LOW_WINDOW;
  double lagged = dot(e - LAG_MIN, e - LAG_MIN, LOW_WINDOW);
  float total[LAGS];
  for (int i = 0; i < LAGS; ++i) {
    const float* past = e - LAG_MIN - i;
    total[i] = CORRELATION_FLOOR * LOW_WINDOW + energy_ + static_cast<float>(lagged);
    const double enters = i + 1 < LAGS ? past[-1] : 0.0, leaves = past[LOW_WINDOW - 1];
    lagged += enters * enters - leaves * leaves;
    lagged = lagged > 0.0 ? lagged : 0.0;
  }
  for (int i = 0; i < LAGS; ++i) {
    const int reverse = LAGS - 1 - i;
    step.correlation[i] = silent ? 0.0f : 2.0f * (older_products_[reverse] + products[reverse]) / total[i];
  }
  std::memcpy(older_products_, products, sizeof products);
}

// Energy relative to the mean of the last hops, this one included: loud hops decide the path.
float Pitch::loudness() noexcept {
  energies_[energies_next_] = energy_;
  energies_next_ = (energies_next_ + 1) % ENERGY_HOPS;
  if (energies_known_ < ENERGY_HOPS) ++energies_known_;
  float sum = 0.0f;
  for (int i = 0; i < energies_known_; ++i) sum += energies_[i];
  const float relative = sum > 0.0f ? energy_ * static_cast<float>(energies_known_) / sum : LOUDNESS_MIN;
  return relative < LOUDNESS_MIN ? LOUDNESS_MIN : relative > LOUDNESS_MAX ? LOUDNESS_MAX : relative;
}

void Pitch::extend_path() noexcept {
  Step& step = steps_[newest_];
  const float weight = loudness();
  const float* c = step.correlation;
  const int jump_from = lowest_argmax(score_, LAGS);
  const float jump = score_[jump_from] - JUMP_COST;
  constexpr int ROOM = (LAGS + N_LANES - 1) / N_LANES * N_LANES;
  float best[ROOM], padded[ROOM + 2 * TRANSITION];
  std::int32_t from[ROOM];
  for (float& s : padded) s = -1e30f;
  std::memcpy(padded + TRANSITION, score_, sizeof score_);
  for (int i = 0; i < ROOM; i += N_LANES) {
    Lanes top = load(padded + i) - TRANSITION_COST * (TRANSITION * TRANSITION);
    Integers move = {};
    for (int d = 1; d <= 2 * TRANSITION; ++d) {
      const float cost = TRANSITION_COST * static_cast<float>((d - TRANSITION) * (d - TRANSITION));
      const Lanes candidate = load(padded + i + d) - cost;
      move = candidate > top ? Integers{d, d, d, d} : move;
      top = candidate > top ? candidate : top;
    }
    store(top, best + i);
    std::memcpy(from + i, &move, sizeof move);
  }
  for (int i = 0; i < LAGS; ++i) {
    from[i] = jump > best[i] ? jump_from : i + from[i] - TRANSITION;
    best[i] = jump > best[i] ? jump : best[i];
    step.from[i] = static_cast<std::int16_t>(from[i]);
  }
  for (int i = 0; i < LAGS; ++i) {
    const int lag = LAG_MIN + i, half = lag / 2 - LAG_MIN, half_up = (lag + 1) / 2 - LAG_MIN;
    float local = c[i];
    if (half >= 0 && local < OCTAVE_ADVANTAGE * larger(larger(c[half], c[half_up]), c[half_up + 1])) {
      local *= OCTAVE_PENALTY;
    }
    score_[i] = best[i] + weight * local;
  }
  best_ = lowest_argmax(score_, LAGS);
  const float top = score_[best_];
  for (float& s : score_) s -= top;
}

int Pitch::step_before(int hops) const noexcept { return (newest_ + LOOKAHEAD_MAX + 1 - hops) % (LOOKAHEAD_MAX + 1); }

int Pitch::trace(int lookahead) const noexcept {
  int lag = best_;
  for (int i = 0; i < lookahead; ++i) lag = steps_[step_before(i)].from[lag];
  return lag;
}

Pitch::Decision Pitch::refine(const History& history, int lookahead, int lag) const noexcept {
  const float* y = history.window(lookahead);
  const int center = DECIMATION * (LAG_MIN + lag);
  float correlation[2 * REFINE + 1];
  for (int i = 0; i <= 2 * REFINE; ++i) {
    const float* past = y - (center - REFINE + i);
    correlation[i] = dot(y, past, WINDOW) / std::sqrt(dot(past, past, WINDOW) + CORRELATION_FLOOR);
  }
  const int best = lowest_argmax(correlation, 2 * REFINE + 1);
  float period = static_cast<float>(center - REFINE + best);
  if (best > 0 && best < 2 * REFINE) {  // top of the parabola through three points
    const float left = correlation[best - 1], top = correlation[best], right = correlation[best + 1];
    const float curvature = left - 2.0f * top + right;
    const float offset = curvature < 0.0f ? 0.5f * (left - right) / curvature : 0.0f;
    period += std::floor(offset * PERIOD_STEPS + 0.5f) / PERIOD_STEPS;
  }
  period = period < PERIOD_MIN ? PERIOD_MIN : period > PERIOD_MAX ? PERIOD_MAX : period;
  return {period, steps_[step_before(lookahead)].correlation[lag]};
}

}  // namespace percepnet
