#include "enhancer.h"

#include <cmath>
#include <cstring>

#include "elementary.h"

namespace percepnet {

namespace {

constexpr int SETTLE_HOPS = 2;  // settings take 20 ms to take effect

std::size_t to_size(std::int64_t n) noexcept { return static_cast<std::size_t>(n); }

// Where in a ring the sample of a stream lies: 64 bits, because size_t has 32 in a browser, full after a day.
std::size_t ring_place(std::int64_t position, std::size_t size) noexcept {
  return static_cast<std::size_t>(static_cast<std::uint64_t>(position) % size);
}

// NaN, infinity and what overflows further on: nothing within 120 dB of full scale.
bool valid(float x) noexcept { return std::fabs(x) <= 1e6f; }

float clip(float x, float high) noexcept { return x > 0.0f ? (x < high ? x : high) : 0.0f; }

std::int64_t hop_at(int sample_rate) noexcept {
  return (static_cast<std::int64_t>(HOP) * sample_rate + SAMPLE_RATE - 1) / SAMPLE_RATE;
}

bool whole_hops(int block_size, int sample_rate) noexcept {
  const std::int64_t hop_ticks = static_cast<std::int64_t>(HOP) * sample_rate;
  return block_size > 0 && static_cast<std::int64_t>(block_size) * SAMPLE_RATE % hop_ticks == 0;
}

std::size_t convert(std::optional<Resampler>& resampler, const float* in, std::size_t n, float* out) noexcept {
  if (resampler) return resampler->process(in, n, out);
  std::memcpy(out, in, n * sizeof(float));
  return n;
}

}  // namespace

void Enhancer::Ramp::set(float to, int steps) noexcept {
  target = to;
  steps_left = steps;
  if (steps == 0) value = to;
}

float Enhancer::Ramp::next() noexcept {
  if (steps_left > 0) {
    value = steps_left == 1 ? target : value + (target - value) / static_cast<float>(steps_left);
    --steps_left;
  }
  return value;
}

Enhancer::Stream::Stream(const Model& model, const Converters& made, std::size_t delay_capacity, std::size_t ready_capacity)
    : channel(model),
      converters(made),
      hops{},
      delay_line(delay_capacity),
      ready(ready_capacity),
      run{} {}

Enhancer::Enhancer(const Model& model, int sample_rate, int channels, percepnet_link link, int block_size)
    : block_size_(block_size),
      link_(link),
      latency_(chain_latency(sample_rate, model.lookahead)),
      hop_(hop_at(sample_rate)),
      block_prefill_(whole_hops(block_size, sample_rate) ? 0 : hop_),
      network_(&model.network),
      workspace_(model.network),
      piece_(to_size(RUN * hop_)) {
  Converters converters;
  if (sample_rate != SAMPLE_RATE) {
    converters.to_core.emplace(sample_rate, SAMPLE_RATE);
    converters.from_core.emplace(SAMPLE_RATE, sample_rate, output_delay(sample_rate, model.lookahead));
  }
  const std::size_t delay_capacity = to_size(latency_ + (RUN + 4) * hop_);
  const std::size_t ready_capacity = to_size((RUN + 4) * (hop_ + 1));
  for (int c = 0; c < channels; ++c) {
    streams_.push_back(std::make_unique<Stream>(model, converters, delay_capacity, ready_capacity));
  }
}

std::size_t Enhancer::size() const noexcept {
  std::size_t bytes = sizeof *this - sizeof workspace_ + workspace_.bytes() + piece_.size() * sizeof(float);
  for (const auto& s : streams_) {
    bytes += sizeof *s - sizeof s->channel + s->channel.size() + (s->delay_line.size() + s->ready.size()) * sizeof(float);
    if (s->converters.to_core) bytes += s->converters.to_core->bytes() + s->converters.from_core->bytes();
  }
  return bytes;
}

// Never more than came in plus what one hop may complete.
std::size_t Enhancer::max_output(std::size_t n) const noexcept { return n + to_size(hop_) + 1; }

// What has not come out yet: the latency and an incomplete hop.
std::size_t Enhancer::max_flush() const noexcept { return to_size(latency_ + hop_); }

// ---- input -> hops -> ready -----------------------------------------------------------------------------------------

// n is at most RUN * hop_. A null `in` feeds zeros.
void Enhancer::take(const float* in, std::size_t in_stride, std::size_t n) noexcept {
  std::size_t made = 0;
  for (std::size_t c = 0; c < streams_.size(); ++c) {
    Stream& s = *streams_[c];
    std::size_t place = ring_place(fed_, s.delay_line.size());
    for (std::size_t i = 0; i < n; ++i) {
      float x = in ? in[c * in_stride + i] : 0.0f;
      if (!valid(x)) {
        x = 0.0f;
        const std::int64_t position = fed_ + static_cast<std::int64_t>(i);
        if (invalid_++ == 0 || position < first_invalid_) first_invalid_ = position;
      }
      piece_[i] = x;
      s.delay_line[place] = x;
      if (++place == s.delay_line.size()) place = 0;
    }
    made = convert(s.converters.to_core, piece_.data(), n, s.hops + hop_fill_);
  }
  fed_ += static_cast<std::int64_t>(n);
  hop_fill_ += made;
}

// Everything that is there, RUN hops at a time. n: BATCH at most.
void Enhancer::run_hops(const Feed* feeds, int n) noexcept {
  for (;;) {
    bool any = false;
    for (int i = 0; i < n; ++i) any = feeds[i].enhancer->observe_run() || any;
    if (!any) return;
    estimate(feeds, n);
    for (int i = 0; i < n; ++i) feeds[i].enhancer->render_run(*feeds[i].hooks);
  }
}

bool Enhancer::observe_run() noexcept {
  const int whole = static_cast<int>(hop_fill_ / HOP);
  run_length_ = whole < RUN ? whole : RUN;
  for (int hop = 0; hop < run_length_; ++hop) run_dereverb_[hop] = dereverb_.next();
  for (auto& s : streams_) {
    for (int hop = 0; hop < run_length_; ++hop) s->run[hop].frame = s->channel.observe(s->hops + hop * HOP);
  }
  return run_length_ > 0;
}

// The network, for all frames of all runs that are not gated: hop after hop, so that those of one stream stay in order.
void Enhancer::estimate(const Feed* feeds, int n) noexcept {
  Network::Job jobs[BATCH];
  int n_jobs = 0;
  Enhancer* host = nullptr;  // whose network and workspace serve the jobs
  const auto work = [&]() noexcept {
    if (n_jobs > 0) host->network_->run(jobs, n_jobs, host->workspace_);
    n_jobs = 0;
  };
  for (int hop = 0; hop < RUN; ++hop) {
    for (int i = 0; i < n; ++i) {
      Enhancer& e = *feeds[i].enhancer;
      for (std::size_t c = 0; c < e.streams_.size() && hop < e.run_length_; ++c) {
        auto& run = e.streams_[c]->run[hop];
        if (run.frame == nullptr || run.frame->gated) continue;
        if (n_jobs == BATCH || (n_jobs > 0 && e.network_ != host->network_)) work();
        if (n_jobs == 0) host = &e;
        jobs[n_jobs++] = e.streams_[c]->channel.job(*run.frame, e.run_dereverb_[hop], run.estimate);
      }
    }
  }
  work();
}

void Enhancer::render_run(percepnet_hooks& hooks) noexcept {
  for (int hop = 0; hop < run_length_; ++hop) render_hop(hop, hooks);
  const std::size_t n_done = to_size(run_length_) * HOP;
  hop_fill_ -= n_done;
  for (auto& s : streams_) std::memmove(s->hops, s->hops + n_done, hop_fill_ * sizeof(float));
  run_length_ = 0;
}

void Enhancer::render_hop(int hop, percepnet_hooks& hooks) noexcept {
  const bool any = streams_[0]->run[hop].frame != nullptr;  // all or none
  if (any) {
    for (auto& s : streams_) s->channel.settle(*s->run[hop].frame, s->run[hop].estimate);
    impose(hop, hooks);
    report(hop, hooks);
    for (auto& s : streams_) {
      if (post_filter_) s->channel.sharpen(*s->run[hop].frame, s->run[hop].estimate.gains);
    }
    if (link_ == PERCEPNET_LINKED) link_gains(hop);
  }
  const float floor = any ? floor_.next() : 0.0f;
  std::size_t made = 0;
  for (auto& s : streams_) {
    float enhanced[HOP] = {};
    if (any) s->channel.render(*s->run[hop].frame, s->run[hop].estimate, floor, enhanced);
    made = convert(s->converters.from_core, enhanced, HOP, s->ready.data() + ready_fill_);
  }
  ready_fill_ += made;
}

// Replaces the network's values by the caller's, for frames that the caller has values for.
void Enhancer::impose(int hop, percepnet_hooks& hooks) noexcept {
  const auto index = static_cast<std::uint64_t>(streams_[0]->run[hop].frame->index);
  const std::uint64_t row = index - static_cast<std::uint64_t>(hooks.first_frame);  // huge before the first
  if (row >= hooks.n_imposed) return;
  for (std::size_t c = 0; c < streams_.size(); ++c) {
    const std::size_t start = (static_cast<std::size_t>(row) * streams_.size() + c) * BANDS;
    Estimate& estimate = streams_[c]->run[hop].estimate;
    for (int b = 0; b < BANDS; ++b) {
      if (hooks.gains) estimate.gains[b] = clip(hooks.gains[start + to_size(b)], 1.0f);
      if (hooks.strengths) estimate.strengths[b] = clip(hooks.strengths[start + to_size(b)], 1.0f);
    }
  }
}

void Enhancer::report(int hop, percepnet_hooks& hooks) const noexcept {
  for (std::size_t c = 0; c < streams_.size(); ++c) {
    const std::size_t slot = hooks.n_frames++;
    if (!hooks.frames || slot >= hooks.frame_capacity) continue;
    const Frame& frame = *streams_[c]->run[hop].frame;
    const Estimate& estimate = streams_[c]->run[hop].estimate;
    percepnet_frame& out = hooks.frames[slot];
    out.index = frame.index;
    out.channel = static_cast<std::int32_t>(c);
    out.gated = frame.gated ? 1 : 0;
    std::memcpy(out.energy, frame.energy, sizeof out.energy);
    std::memcpy(out.coherence, frame.coherence, sizeof out.coherence);
    std::memcpy(out.gains, estimate.gains, sizeof out.gains);
    std::memcpy(out.strengths, estimate.strengths, sizeof out.strengths);
    out.period = frame.period;
    out.correlation = frame.correlation;
    out.speech_probability = estimate.speech_probability;
    out.voicing = frame.voicing;
  }
}

// The largest gain of all channels serves all: the image stays, and so does speech that is in one channel only.
void Enhancer::link_gains(int hop) noexcept {
  for (int b = 0; b < BANDS; ++b) {
    float largest = 0.0f;
    for (const auto& s : streams_) {
      const float gain = s->run[hop].estimate.gains[b];
      largest = gain > largest ? gain : largest;
    }
    for (auto& s : streams_) s->run[hop].estimate.gains[b] = largest;
  }
}

// ---- ready -> output ------------------------------------------------------------------------------------------------

void Enhancer::remove_ready(std::size_t n) noexcept {
  ready_fill_ -= n;
  removed_ += static_cast<std::int64_t>(n);
  for (auto& s : streams_) std::memmove(s->ready.data(), s->ready.data() + n, ready_fill_ * sizeof(float));
}

// The first `latency` samples belong to the time before the input.
void Enhancer::drop_latency() noexcept {
  const std::int64_t before_input = latency_ - removed_;
  if (before_input > 0) remove_ready(before_input < static_cast<std::int64_t>(ready_fill_) ? to_size(before_input) : ready_fill_);
}

// Hands out at most n ready samples.
std::size_t Enhancer::give(std::size_t n, float* out, std::size_t out_stride) noexcept {
  if (n > ready_fill_) n = ready_fill_;
  for (std::size_t c = 0; c < streams_.size(); ++c) {
    std::memcpy(out + c * out_stride, streams_[c]->ready.data(), n * sizeof(float));
  }
  blend_input(n, out, out_stride);
  remove_ready(n);
  return n;
}

// Fades between the enhanced samples in `out`, the input they belong to, and the difference of the two.
void Enhancer::blend_input(std::size_t n, float* out, std::size_t out_stride) noexcept {
  if (bypass_.is_zero() && residual_.is_zero()) return;
  const std::size_t size = streams_[0]->delay_line.size();
  std::size_t place = ring_place(removed_ - latency_, size);
  for (std::size_t i = 0; i < n; ++i) {
    const float share = bypass_.next(), removed = residual_.next();
    for (std::size_t c = 0; c < streams_.size(); ++c) {
      const float input = streams_[c]->delay_line[place];
      float& y = out[c * out_stride + i];
      y = share == 1.0f ? input : y + share * (input - y);
      if (removed != 0.0f) y = removed == 1.0f ? input - y : y + removed * (input - 2.0f * y);
    }
    if (++place == size) place = 0;
  }
}

// ---- the three ways in ----------------------------------------------------------------------------------------------

void Enhancer::process_many(Feed* feeds, int n) noexcept {
  for (bool more = true; more;) {
    more = false;
    for (int i = 0; i < n; ++i) {
      Feed& feed = feeds[i];
      Enhancer& e = *feed.enhancer;
      const std::size_t left = feed.n - feed.done, piece = left < e.piece_.size() ? left : e.piece_.size();
      e.take(feed.in + feed.done, feed.in_stride, piece);
      e.taken_ += static_cast<std::int64_t>(piece);
      feed.done += piece;
      more = more || feed.done < feed.n;
    }
    run_hops(feeds, n);
    for (int i = 0; i < n; ++i) {
      Feed& feed = feeds[i];
      feed.enhancer->drop_latency();
      feed.written += feed.enhancer->give(feed.enhancer->ready_fill_, feed.out + feed.written, feed.out_stride);
    }
  }
}

std::size_t Enhancer::process(const float* in, std::size_t in_stride, std::size_t n, float* out, std::size_t out_stride,
                              percepnet_hooks& hooks) noexcept {
  Feed feed = {this, in, in_stride, n, out, out_stride, &hooks, 0, 0};
  process_many(&feed, 1);
  return feed.written;
}

std::size_t Enhancer::owed() const noexcept {
  const std::int64_t given = removed_ > latency_ ? removed_ - latency_ : 0;
  return to_size(taken_ - given);
}

std::size_t Enhancer::flush(float* out, std::size_t out_stride, percepnet_hooks& hooks) noexcept {
  const Feed self = {this, nullptr, 0, 0, nullptr, 0, &hooks, 0, 0};
  std::size_t written = 0;
  for (std::size_t left = owed(); left > 0; left = owed()) {
    take(nullptr, 0, to_size(hop_));
    run_hops(&self, 1);
    drop_latency();
    written += give(left, out + written, out_stride);
  }
  reset();
  return written;
}

void Enhancer::process_block(const float* in, std::size_t in_stride, std::size_t n, float* out, std::size_t out_stride,
                             percepnet_hooks& hooks) noexcept {
  const Feed self = {this, nullptr, 0, 0, nullptr, 0, &hooks, 0, 0};
  std::size_t done = 0, written = 0;
  while (done < n) {
    const std::size_t piece = n - done < piece_.size() ? n - done : piece_.size();
    take(in + done, in_stride, piece);
    run_hops(&self, 1);
    done += piece;
    drop_latency();
    for (; written < done && block_zeros_ < block_latency(); ++written, ++block_zeros_) {
      for (std::size_t c = 0; c < streams_.size(); ++c) out[c * out_stride + written] = 0.0f;
    }
    written += give(done - written, out + written, out_stride);
  }
}

// ---- state and settings ---------------------------------------------------------------------------------------------

void Enhancer::reset() noexcept {
  for (auto& s : streams_) {
    s->channel.reset();
    if (s->converters.to_core) s->converters.to_core->reset();
    if (s->converters.from_core) s->converters.from_core->reset();
  }
  hop_fill_ = ready_fill_ = 0;
  fed_ = taken_ = removed_ = block_zeros_ = 0;
  invalid_ = 0;
  first_invalid_ = -1;
  floor_.set(floor_.target, 0);
  dereverb_.set(dereverb_.target, 0);
  bypass_.set(bypass_.target, 0);
  residual_.set(residual_.target, 0);
}

void Enhancer::set_attenuation_limit_db(float db) noexcept {
  constexpr float NATURAL_PER_DB = 0.115129255f;  // ln(10) / 20
  const float floor = db > 700.0f ? 0.0f : elementary::exp(-NATURAL_PER_DB * db);
  floor_.set(floor, started() ? SETTLE_HOPS : 0);
}

void Enhancer::set_dereverb(float amount) noexcept { dereverb_.set(amount, started() ? SETTLE_HOPS : 0); }

void Enhancer::set_bypass(bool on) noexcept {
  bypass_.set(on ? 1.0f : 0.0f, started() ? SETTLE_HOPS * static_cast<int>(hop_) : 0);
}

void Enhancer::set_residual(bool on) noexcept {
  residual_.set(on ? 1.0f : 0.0f, started() ? SETTLE_HOPS * static_cast<int>(hop_) : 0);
}

std::int64_t Enhancer::invalid_samples(std::int64_t& first) const noexcept {
  first = first_invalid_;
  return invalid_;
}

}  // namespace percepnet
