// Any sample rate <-> 48 kHz: streaming, linear phase, rational ratio (SPEC 1.5). A polyphase FIR, a Kaiser-windowed sinc.
// With `lower` the lower of the two rates: flat within 0.1 dB to 0.43 lower; images and aliases, that is everything from
// 0.5 lower on, at least 70 dB down.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace percepnet {

// Time is counted in ticks of 1 / lcm(in_rate, out_rate) seconds, in which both sample periods are whole numbers: delays
// are exact and nothing drifts. One object serves one channel; copies have their own state and share the coefficients.
class Resampler {
 public:
  static constexpr int HALF = 32;  // half the kernel's length, samples at the lower rate

  // Output sample m stands at input time m / out_rate - delay(), where delay() is HALF / lower + extra_delay ticks.
  // Allocates; throws nothing but std::bad_alloc. extra_delay >= 0.
  Resampler(int in_rate, int out_rate, std::int64_t extra_delay = 0);

  // Feeds n samples and writes all that are due: output m comes as soon as m / out_rate < (samples fed) / in_rate. So
  // n samples give n * out_rate / in_rate if that is a whole number, in every call, and never more than max_output(n).
  std::size_t process(const float* in, std::size_t n, float* out) noexcept;
  std::size_t max_output(std::size_t n) const noexcept;

  double delay_s() const noexcept { return delay_s_; }
  void reset() noexcept;
  std::size_t bytes() const noexcept { return sizeof *this + history_.size() * sizeof(float); }

 private:
  // The coefficients of every phase: the ticks from the newest input that an output's kernel reaches to its end.
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

// For a stream at sample_rate whose hops are enhanced at 48 kHz with a delay of lookahead + 1 hops: the extra_delay that
// the resampler from 48 kHz needs so that the whole chain delays by `chain_latency` samples of the caller, exactly.
// sample_rate is not 48000.
std::int64_t output_delay(int sample_rate, int lookahead) noexcept;
// Samples at sample_rate, resamplers included. At 48 kHz there are none.
std::int64_t chain_latency(int sample_rate, int lookahead) noexcept;

}  // namespace percepnet
