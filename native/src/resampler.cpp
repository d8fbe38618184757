#include "resampler.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "constants.h"
#include "dot.h"
#include "elementary.h"

namespace percepnet {

namespace {

constexpr double TWO_PI = 6.283185307179586476925;
constexpr double CUTOFF = 0.463;       // of the lower rate: -0.02 dB at 0.43
constexpr double KAISER_BETA = 7.4;    // -75 dB from 0.5 of the lower rate on, with 64 samples
constexpr int BESSEL_TERMS = 18;       // of I0(KAISER_BETA): to 1e-13
constexpr int TAPS_MULTIPLE = 16;      // partial sums of dot()
constexpr std::size_t ROOM_MIN = 512;  // samples between two moves of the history

// Ticks per sample at `rate`, where the other side has `other_rate`.
int period(int rate, int other_rate) noexcept { return other_rate / std::gcd(rate, other_rate); }

// window = I0(beta sqrt(u)), unscaled. The series sum_k (beta^2 u / 4)^k / (k!)^2 is a polynomial in u, evaluated for
// many values at once because a kernel may have millions.
void kaiser(const std::vector<double>& u, std::vector<double>& window) noexcept {
  std::fill(window.begin(), window.end(), 1.0);
  for (int k = BESSEL_TERMS; k > 0; --k) {
    const double ratio = KAISER_BETA * KAISER_BETA / 4.0 / (static_cast<double>(k) * k);
    for (std::size_t j = 0; j < u.size(); ++j) window[j] = 1.0 + window[j] * (u[j] * ratio);
  }
}

// How late an impulse comes out, in ticks, when neither resampler has extra delay, and the caller's sample period.
struct Chain {
  Chain(int sample_rate, int lookahead) noexcept : caller_period(period(sample_rate, SAMPLE_RATE)) {
    const std::int64_t core_period = period(SAMPLE_RATE, sample_rate);
    delay = (lookahead + 1) * HOP * core_period;
    if (sample_rate != SAMPLE_RATE) delay += 2 * Resampler::HALF * std::max(caller_period, core_period);
  }
  std::int64_t caller_period, delay;
};

}  // namespace

// Every phase is scaled to a sum of one, so that a constant passes unchanged, without images.
Resampler::Kernel::Kernel(int in_rate, int out_rate)
    : in_period(period(in_rate, out_rate)), out_period(period(out_rate, in_rate)) {
  const int lower_period = std::max(in_period, out_period);
  const int half = HALF * lower_period;  // ticks
  const auto n_used = static_cast<std::size_t>((2 * half + in_period - 1) / in_period);
  n_taps = (n_used + TAPS_MULTIPLE - 1) / TAPS_MULTIPLE * TAPS_MULTIPLE;
  taps.assign(static_cast<std::size_t>(in_period) * n_taps, 0.0f);
  const double turns_per_tick = CUTOFF / lower_period;
  std::vector<double> u(n_used), tap(n_used), step_sine(n_used), step_cosine(n_used);
  for (std::size_t j = 0; j < n_used; ++j) {
    const double turns = turns_per_tick * in_period * static_cast<double>(j);
    step_sine[j] = elementary::sin_turns(turns);
    step_cosine[j] = elementary::cos_turns(turns);
  }
  for (int phase = 0; phase < in_period; ++phase) {
    // Tap 0 is for the newest input within half of the output, half - phase ticks after it; tap j is j samples older.
    const int first = phase - half;
    const double sine = elementary::sin_turns(turns_per_tick * first);
    const double cosine = elementary::cos_turns(turns_per_tick * first);
    const auto ticks = [&](std::size_t j) { return static_cast<double>(first + static_cast<int>(j) * in_period); };
    for (std::size_t j = 0; j < n_used; ++j) u[j] = 1.0 - (ticks(j) / half) * (ticks(j) / half);
    kaiser(u, tap);
    double sum = 0.0;
    for (std::size_t j = 0; j < n_used; ++j) {
      const double t = ticks(j);
      const double sine_t = sine * step_cosine[j] + cosine * step_sine[j];  // of the sum of two angles
      tap[j] *= t == 0.0 ? TWO_PI * turns_per_tick : sine_t / t;
      if (u[j] <= 0.0) tap[j] = 0.0;  // at half or beyond
      sum += tap[j];
    }
    float* end = taps.data() + static_cast<std::size_t>(phase + 1) * n_taps;
    for (std::size_t j = 0; j < n_used; ++j) *--end = static_cast<float>(tap[j] / sum);
  }
}

Resampler::Resampler(int in_rate, int out_rate, std::int64_t extra_delay)
    : kernel_(std::make_shared<Kernel>(in_rate, out_rate)),
      extra_delay_(extra_delay),
      n_kept_(kernel_->n_taps + static_cast<std::size_t>(extra_delay / kernel_->in_period) + 1),
      history_(n_kept_ + std::max(n_kept_, ROOM_MIN)) {
  const std::int64_t ticks_per_s = static_cast<std::int64_t>(in_rate) * kernel_->in_period;
  const std::int64_t delay = std::int64_t{HALF} * std::max(kernel_->in_period, kernel_->out_period) + extra_delay;
  delay_s_ = static_cast<double>(delay) / static_cast<double>(ticks_per_s);
  reset();
}

void Resampler::reset() noexcept {
  std::fill(history_.begin(), history_.end(), 0.0f);
  end_ = n_kept_;
  next_ = -extra_delay_;
}

std::size_t Resampler::process(const float* in, std::size_t n, float* out) noexcept {
  const std::int64_t in_period = kernel_->in_period, out_period = kernel_->out_period;
  const auto n_taps = static_cast<std::ptrdiff_t>(kernel_->n_taps);
  float* const start = out;
  while (n > 0) {
    if (end_ == history_.size()) {
      std::memmove(history_.data(), history_.data() + end_ - n_kept_, n_kept_ * sizeof(float));
      end_ = n_kept_;
    }
    const std::size_t n_now = std::min(n, history_.size() - end_);
    std::memcpy(history_.data() + end_, in, n_now * sizeof(float));
    in += n_now;
    n -= n_now;
    end_ += n_now;
    next_ -= static_cast<std::int64_t>(n_now) * in_period;
    for (; next_ < -extra_delay_; next_ += out_period) {
      // The newest input that the kernel reaches is `age` samples before the end; age >= 1.
      const std::int64_t age = (-next_ + in_period - 1) / in_period;
      const std::int64_t phase = next_ + age * in_period;
      const float* newest = history_.data() + end_ - age;
      *out++ = dot(newest + 1 - n_taps, kernel_->taps.data() + phase * n_taps, static_cast<int>(n_taps));
    }
  }
  return static_cast<std::size_t>(out - start);
}

std::size_t Resampler::max_output(std::size_t n) const noexcept {
  const auto in_period = static_cast<std::uint64_t>(kernel_->in_period);
  return static_cast<std::size_t>(n * in_period / static_cast<std::uint64_t>(kernel_->out_period)) + 1;
}

std::int64_t chain_latency(int sample_rate, int lookahead) noexcept {
  const Chain chain(sample_rate, lookahead);
  return (chain.delay + chain.caller_period - 1) / chain.caller_period;
}

std::int64_t output_delay(int sample_rate, int lookahead) noexcept {
  const Chain chain(sample_rate, lookahead);
  return chain_latency(sample_rate, lookahead) * chain.caller_period - chain.delay;
}

}  // namespace percepnet
