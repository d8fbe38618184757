// Any sample rate <-> 48 kHz: streaming, linear phase, rational ratio (SPEC 1.5): a Kaiser-windowed sinc in phases.
// Flat within 0.03 dB to 0.43 of the lower rate; from 0.5 of it on, images and aliases are 75 dB down.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace percepnet {

// Time is counted in ticks of 1 / lcm(in_rate, out_rate) seconds, in which both sample periods are whole numbers: so
// delays are exact and nothing drifts. One object serves one channel; copies share the coefficients, not the state.
class Resampler {
 public:
  static constexpr int HALF = 32;  // half the kernel's length, samples at the lower rate

  // Output sample m stands at input time m / out_rate - delay_s(): HALF samples at the lower rate, and extra_delay.
  // extra_delay >= 0. Allocates; throws nothing but std::bad_alloc.
  Resampler(int in_rate, int out_rate, std::int64_t extra_delay = 0);

  // Feeds n samples and writes all that are due: output m comes as soon as m / out_rate < (samples fed) / in_rate. So
  // n samples give n * out_rate / in_rate if that is a whole number, in every call, and never more than max_output(n).
  std::size_t process(const float* in, std::size_t n, float* out) noexcept;
  std::size_t max_output(std::size_t n) const noexcept;

  double delay_s() const noexcept { return delay_s_; }
  void reset() noexcept;
  std::size_t bytes() const noexcept { return sizeof *this + history_.size() * sizeof(float); }

 private:
  // One row of coefficients per phase: how many ticks the newest input lies before the end of an output's kernel.
  struct Kernel {
    Kernel(int in_rate, int out_rate);
    int in_period, out_period;  // ticks
    std::size_t n_taps;
    std::vector<float> taps;  // [in_period][n_taps], oldest sample first
  };

  std::shared_ptr<const Kernel> kernel_;
  std::int64_t extra_delay_;  // ticks
  double delay_s_;
  std::size_t n_kept_;        // input samples that a later output may ask for
  std::vector<float> history_;
  std::size_t end_ = 0;  // of what history_ holds
  // Ticks from the end of the input to the end of the next output's kernel; the output is due below -extra_delay_.
  std::int64_t next_ = 0;
};

// Delay of a stream at sample_rate that goes to 48 kHz, through lookahead + 1 hops and back: a whole number of samples
// at sample_rate. At 48 kHz there are no resamplers.
std::int64_t chain_latency(int sample_rate, int lookahead) noexcept;
// The extra_delay of the way back, Resampler(SAMPLE_RATE, sample_rate, ...), that makes chain_latency exact.
std::int64_t output_delay(int sample_rate, int lookahead) noexcept;

}  // namespace percepnet
