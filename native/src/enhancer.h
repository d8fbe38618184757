// Streams of any rate, channel count and chunk size over the 48 kHz channels: resampling, linking, latency, bypass.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "channel.h"
#include "resampler.h"

namespace percepnet {

class Enhancer {
 public:
  // What a call feeds to one enhancer.
  struct Feed {
    Enhancer* enhancer;
    const float* in;
    std::size_t in_stride, n;
    float* out;
    std::size_t out_stride;
    percepnet_hooks* hooks;
    std::size_t done, written;  // samples, so far
  };

  // Arguments within the ranges of percepnet.h; block_size 0: any.
  Enhancer(const Model& model, int sample_rate, int channels, percepnet_link link, int block_size);

  std::int64_t latency() const noexcept { return latency_; }
  std::int64_t block_latency() const noexcept { return latency_ + block_prefill_; }
  int block_size() const noexcept { return block_size_; }
  std::size_t max_output(std::size_t n) const noexcept;
  std::size_t max_flush() const noexcept;
  std::size_t owed() const noexcept;  // samples that flush would return
  std::size_t size() const noexcept;
  // Which of the two ways in the present stream has used: they do not mix.
  bool in_chunks() const noexcept { return taken_ > 0; }
  bool in_blocks() const noexcept { return fed_ > taken_; }

  std::size_t process(const float* in, std::size_t in_stride, std::size_t n, float* out, std::size_t out_stride,
                      percepnet_hooks& hooks) noexcept;
  std::size_t flush(float* out, std::size_t out_stride, percepnet_hooks& hooks) noexcept;
  void process_block(const float* in, std::size_t in_stride, std::size_t n, float* out, std::size_t out_stride,
                     percepnet_hooks& hooks) noexcept;
  // process() for several enhancers, all different, BATCH at most: they share the reading of the weights.
  static void process_many(Feed* feeds, int n) noexcept;
  void reset() noexcept;

  void set_attenuation_limit_db(float db) noexcept;
  void set_dereverb(float amount) noexcept;
  void set_post_filter(bool on) noexcept { post_filter_ = on; }
  void set_bypass(bool on) noexcept;
  void set_residual(bool on) noexcept;
  std::int64_t invalid_samples(std::int64_t& first) const noexcept;

 private:
  static constexpr int RUN = FrontEnd::RUN_MAX;  // hops that pass the network together, if they are there

  // A value that moves to its target in equal steps.
  struct Ramp {
    float value, target;
    int steps_left;
    void set(float to, int steps) noexcept;
    float next() noexcept;
    bool is_zero() const noexcept { return steps_left == 0 && value == 0.0f; }
  };

  // Between the caller's rate and 48 kHz; none at 48 kHz.
  struct Converters {
    std::optional<Resampler> to_core, from_core;
  };

  struct Stream {
    Stream(const Model& model, const Converters& converters, std::size_t delay_capacity, std::size_t ready_capacity);
    Channel channel;
    Converters converters;
    float hops[(RUN + 2) * HOP];    // 48 kHz samples that have not been observed yet
    std::vector<float> delay_line;  // the caller's samples, for bypass and residual; a ring
    std::vector<float> ready;       // enhanced samples that were not handed out yet
    struct {
      const Frame* frame;
      Estimate estimate;
    } run[RUN];
  };

  void take(const float* in, std::size_t in_stride, std::size_t n) noexcept;
  static void run_hops(const Feed* feeds, int n) noexcept;
  static void estimate(const Feed* feeds, int n) noexcept;
  bool observe_run() noexcept;
  void render_run(percepnet_hooks& hooks) noexcept;
  void render_hop(int hop, percepnet_hooks& hooks) noexcept;
  void impose(int hop, percepnet_hooks& hooks) noexcept;
  void report(int hop, percepnet_hooks& hooks) const noexcept;
  void link_gains(int hop) noexcept;
  void drop_latency() noexcept;
  std::size_t give(std::size_t n, float* out, std::size_t out_stride) noexcept;
  void blend_input(std::size_t n, float* out, std::size_t out_stride) noexcept;
  void remove_ready(std::size_t n) noexcept;
  bool started() const noexcept { return fed_ > 0; }

  const int block_size_;
  const percepnet_link link_;
  const std::int64_t latency_;
  const std::int64_t hop_;            // samples at the caller's rate that surely complete a hop
  const std::int64_t block_prefill_;  // zeros that keep blocks of any size supplied

  std::vector<std::unique_ptr<Stream>> streams_;
  const Network* network_;
  Workspace workspace_;
  std::vector<float> piece_;          // RUN hops of one channel, made finite
  int run_length_ = 0;                // hops in every stream's `run`
  float run_dereverb_[RUN] = {};      // the setting in each of them
  std::size_t hop_fill_ = 0;          // samples in every stream's `hops`
  std::size_t ready_fill_ = 0;        // samples in every stream's `ready`
  // Samples per channel since the start of the stream:
  std::int64_t fed_ = 0;              // put into the channels, the zeros of flush included
  std::int64_t taken_ = 0;            // the caller's
  std::int64_t removed_ = 0;          // taken out of `ready`: the first `latency` dropped, the rest given
  std::int64_t block_zeros_ = 0;      // handed out by process_block before the first enhanced sample
  std::int64_t invalid_ = 0, first_invalid_ = -1;
  bool post_filter_ = true;
  Ramp floor_ = {0.0f, 0.0f, 0};      // attenuation limit as an amplitude, per hop
  Ramp dereverb_ = {1.0f, 1.0f, 0};   // how much of the room shall go, per hop
  Ramp bypass_ = {0.0f, 0.0f, 0};     // share of the delayed input, per sample
  Ramp residual_ = {0.0f, 0.0f, 0};   // share of what was removed, per sample
};

}  // namespace percepnet
