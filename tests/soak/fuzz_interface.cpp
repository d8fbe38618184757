// Programs of calls of percepnet.h that a fuzzer makes up: any call at any time, with arguments that a caller can get wrong.
// The environment variable PERCEPNET_FUZZ_MODELS names weight files, separated by colons.
//
// What must hold: every sample is finite, as many come out as went in, errors are told and change nothing, and a stream whose
// settings rest gives the samples that one call for all of it gives, with the portable kernel.
#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

#include "fuzz.h"

namespace {

using Samples = std::vector<float>;
using Program = FuzzedDataProvider;

// One weight file with all kernels that this processor has, the portable one first.
using Kernels = std::vector<const percepnet_model*>;
std::vector<Kernels>& files = *new std::vector<Kernels>;  // never destroyed: leaks are looked for after the last

constexpr std::size_t MOST_CALLS = 40, MOST_SAMPLES = 20'000;  // of a program
constexpr int RATES[] = {48000, 16000, 44100, 8000, 48000, 11025, 22050, 24000, 32000, 96000, 192000, 47900, 9000, 64000};
constexpr float VALUES[] = {0.0f, 0.5f, 1.0f, 12.0f, 1e9f, -1.0f, std::numeric_limits<float>::quiet_NaN(),
                            std::numeric_limits<float>::infinity(), std::numeric_limits<float>::denorm_min()};

// ---- samples

float any_bits(Program& program) {
  const auto bits = program.ConsumeIntegral<std::uint32_t>();
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// Noise, pulses, a constant, or noise with any four values of 32 bits in between, at any level.
Samples signal(std::size_t n, Program& program) {
  enum { ZEROS, NOISE, PULSES, CONSTANT, HOSTILE };
  const int kind = program.ConsumeIntegralInRange<int>(ZEROS, HOSTILE);
  const auto every = program.ConsumeIntegralInRange<std::size_t>(1, 1000);
  const float level = std::pow(10.0f, program.ConsumeFloatingPointInRange<float>(-40.0f, 6.0f));
  std::array<float, 4> odd;
  std::generate(odd.begin(), odd.end(), [&] { return any_bits(program); });
  std::uint32_t state = program.ConsumeIntegral<std::uint8_t>();
  Samples samples(n);
  for (std::size_t i = 0; i < n && kind != ZEROS; ++i) {
    state = state * 1664525u + 1013904223u;
    const float noise = level * static_cast<float>(static_cast<std::int32_t>(state)) / 2147483648.0f;
    samples[i] = kind == CONSTANT ? level : kind == PULSES ? (i % every == 0 ? level : 0.001f * noise) : noise;
    if (kind == HOSTILE && i % every == 0) samples[i] = odd[i / every % odd.size()];
  }
  return samples;
}

bool valid(float x) { return std::fabs(x) <= 1e6f; }

// ---- streams

struct Setup {
  const Kernels* file;
  int rate, channels, link, block_size;
  float limit_db = std::numeric_limits<float>::infinity(), dereverb = 1.0f;
  int post_filter = 1, bypass = 0, residual = 0;
};

percepnet_enhancer* open(const Setup& setup, const percepnet_model* model) {
  percepnet_enhancer* enhancer = nullptr;
  const int status = percepnet_enhancer_create(model, setup.rate, setup.channels, setup.link, setup.block_size, &enhancer);
  must(status == PERCEPNET_OK, "a stream opens");
  return enhancer;
}

void set(percepnet_enhancer* enhancer, const Setup& setup) {
  percepnet_set_attenuation_limit_db(enhancer, setup.limit_db);
  percepnet_set_dereverb(enhancer, setup.dereverb);
  percepnet_set_post_filter(enhancer, setup.post_filter);
  percepnet_set_bypass(enhancer, setup.bypass);
  percepnet_set_residual(enhancer, setup.residual);
}

struct Stream {
  Setup setup;
  percepnet_enhancer* enhancer;
  bool in_blocks = false;
  bool resting = true;  // settings did not change, nothing was imposed: samples alone decide what comes out
  std::vector<Samples> in, out;  // of every channel, since the stream began

  Stream(const Setup& made, const percepnet_model* model) : setup(made), enhancer(open(made, model)) { begin(); }

  std::size_t channels() const { return static_cast<std::size_t>(setup.channels); }
  bool fresh() const { return in[0].empty(); }
  bool in_chunks() const { return !fresh() && !in_blocks; }

  void begin() {
    in.assign(channels(), {});
    out = in;
    in_blocks = false;
    resting = true;
  }

  void fed(const Samples& samples, std::size_t stride, std::size_t n) {
    for (std::size_t c = 0; c < channels(); ++c) {
      const auto first = samples.begin() + static_cast<std::ptrdiff_t>(c * stride);
      in[c].insert(in[c].end(), first, first + static_cast<std::ptrdiff_t>(n));
    }
  }

  void got(const Samples& samples, std::size_t stride, std::size_t n) {
    for (std::size_t c = 0; c < channels(); ++c) {
      const auto first = samples.begin() + static_cast<std::ptrdiff_t>(c * stride);
      const auto end = first + static_cast<std::ptrdiff_t>(n);
      must(std::all_of(first, end, [](float x) { return std::isfinite(x); }), "output is finite");
      out[c].insert(out[c].end(), first, end);
    }
  }
};

// What one call and a flush make of all that the stream was fed.
std::vector<Samples> at_once(const Stream& s) {
  percepnet_enhancer* twin = open(s.setup, s.setup.file->front());
  set(twin, s.setup);
  const std::size_t n = s.in[0].size(), room = percepnet_max_output(twin, n) + percepnet_max_flush(twin);
  Samples in, out(room * s.channels());
  for (const Samples& channel : s.in) in.insert(in.end(), channel.begin(), channel.end());
  std::size_t n_processed = 0, n_flushed = 0;
  must(percepnet_process(twin, in.data(), n, n, out.data(), room, room, &n_processed, nullptr) == 0, "it processes");
  must(percepnet_flush(twin, out.data() + n_processed, room, room - n_processed, &n_flushed, nullptr) == 0, "it flushes");
  must(n_processed + n_flushed == n, "as many come out as went in");
  percepnet_enhancer_destroy(twin);
  std::vector<Samples> result;
  for (std::size_t c = 0; c < s.channels(); ++c) {
    const auto first = out.begin() + static_cast<std::ptrdiff_t>(c * room);
    result.emplace_back(first, first + static_cast<std::ptrdiff_t>(n));
  }
  return result;
}

void check_invalid(const Stream& s) {
  std::int64_t count = 0, first = -1, first_told = 0;
  for (const Samples& channel : s.in) {
    count += std::count_if(channel.begin(), channel.end(), [](float x) { return !valid(x); });
    const auto at = std::find_if(channel.begin(), channel.end(), [](float x) { return !valid(x); }) - channel.begin();
    if (at < static_cast<std::ptrdiff_t>(channel.size())) first = first < 0 ? at : std::min<std::int64_t>(first, at);
  }
  must(percepnet_invalid_samples(s.enhancer, &first_told) == count && first_told == first, "invalid samples are counted");
}

// Of what came out so far.
void check_outputs(const Stream& s) {
  if (!s.resting || s.fresh()) return;
  const auto delay = static_cast<std::size_t>(s.in_blocks ? percepnet_block_latency(s.enhancer) : 0);
  const std::vector<Samples> expected = at_once(s);
  for (std::size_t c = 0; c < s.channels(); ++c) {
    for (std::size_t i = 0; i < s.out[c].size(); ++i) {
      const float wanted = i < delay ? 0.0f : expected[c][i - delay];
      must(std::memcmp(&wanted, &s.out[c][i], sizeof wanted) == 0, "the same bits for any chunks");
    }
  }
}

// ---- calls

struct Hooks {
  std::vector<percepnet_frame> frames;
  Samples imposed;
  percepnet_hooks hooks{};

  explicit Hooks(Program& program, Stream& s) {
    frames.resize(program.ConsumeIntegralInRange<std::size_t>(0, 6));
    hooks.n_imposed = program.ConsumeIntegralInRange<std::size_t>(0, 4);
    constexpr std::int64_t FARTHEST[] = {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()};
    hooks.first_frame = program.ConsumeBool() ? program.ConsumeIntegralInRange<int>(-5, 40) : program.PickValueInArray(FARTHEST);
    hooks.frames = frames.empty() ? nullptr : frames.data();
    hooks.frame_capacity = frames.size();
    imposed.assign(hooks.n_imposed * s.channels() * PERCEPNET_BANDS, any_bits(program));
    if (program.ConsumeBool()) hooks.gains = imposed.data();
    if (program.ConsumeBool()) hooks.strengths = imposed.data();
    if (hooks.n_imposed > 0) s.resting = false;
  }

  void check(const Stream& s) const {
    must(hooks.n_frames % s.channels() == 0, "frames of all channels");
    const auto within = [](const float* values, int n, float low, float high) {
      return std::all_of(values, values + n, [=](float x) { return x >= low && x <= high; });
    };
    for (std::size_t i = 0; i < std::min(hooks.n_frames, frames.size()); ++i) {
      const percepnet_frame& f = frames[i];
      must(f.channel == static_cast<std::int32_t>(i % s.channels()) && f.index >= 0, "frames are in order");
      must(within(f.energy, PERCEPNET_BANDS, 0.0f, std::numeric_limits<float>::max()), "energy is finite");
      must(within(f.coherence, PERCEPNET_BANDS, -0.2f, 1.0f), "coherence has its range");
      must(within(f.gains, PERCEPNET_BANDS, 0.0f, 1.0f) && within(f.strengths, PERCEPNET_BANDS, 0.0f, 1.0f), "0..1");
      must(within(&f.period, 1, PERCEPNET_PERIOD_MIN, PERCEPNET_PERIOD_MAX), "the period has its range");
      must(within(&f.correlation, 1, -1.0f, 1.0f), "the correlation has its range");
      must(f.speech_probability == -1.0f || within(&f.speech_probability, 1, 0.0f, 1.0f), "a probability or -1");
    }
  }
};

// A chunk for a stream, in buffers that end where they must.
struct Chunk {
  std::size_t n, in_stride, room, out_stride;
  bool fits;
  Samples in, out;

  Chunk(Program& program, const Stream& s, std::size_t most) {
    n = std::min(most, program.ConsumeIntegralInRange<std::size_t>(0, program.ConsumeBool() ? 5000 : 1000));
    fits = program.ConsumeIntegralInRange<int>(0, 15) != 0;
    in_stride = n + program.ConsumeIntegralInRange<std::size_t>(0, 2);
    room = percepnet_max_output(s.enhancer, n) - (fits ? 0 : 1);
    out_stride = room + program.ConsumeIntegralInRange<std::size_t>(0, 2);
    in = signal((s.channels() - 1) * in_stride + n, program);
    out.resize((s.channels() - 1) * out_stride + room);
  }
  int expected(const Stream& s) const {
    return s.in_blocks ? PERCEPNET_ERROR_ARGUMENT : fits ? PERCEPNET_OK : PERCEPNET_ERROR_CAPACITY;
  }
};

class Machine {
 public:
  explicit Machine(Program& program) : program_(program) {}

  void run() {
    for (std::size_t call = 0; call < MOST_CALLS && program_.remaining_bytes() > 0; ++call) {
      if (streams_.empty()) {
        create();
        continue;
      }
      Stream& s = streams_[program_.ConsumeIntegralInRange<std::size_t>(0, streams_.size() - 1)];
      switch (program_.ConsumeIntegralInRange<int>(0, 9)) {
        case 0: create(); break;
        case 1: flush(s); break;
        case 2: reset(s); break;
        case 3: change_settings(s); break;
        case 4: case 5: process_block(s); break;
        case 6: process_many(); break;
        default: process(s);
      }
    }
    for (Stream& s : streams_) {
      check_outputs(s);
      percepnet_enhancer_destroy(s.enhancer);
    }
  }

 private:
  void create() {
    const Kernels& file = files[program_.ConsumeIntegralInRange<std::size_t>(0, files.size() - 1)];
    const percepnet_model* model = file[program_.ConsumeIntegralInRange<std::size_t>(0, file.size() - 1)];
    Setup setup = {&file, program_.PickValueInArray(RATES), 1, program_.ConsumeIntegralInRange<int>(0, 1), 0};
    setup.channels = program_.ConsumeBool() ? 1 : program_.ConsumeIntegralInRange<int>(1, 5);
    if (program_.ConsumeBool()) setup.block_size = program_.ConsumeIntegralInRange<int>(1, 2500);
    if (program_.ConsumeIntegralInRange<int>(0, 9) == 0) return create_wrongly(model);
    if (streams_.size() == 4) return;
    streams_.emplace_back(setup, model);
  }

  void create_wrongly(const percepnet_model* model) {
    percepnet_enhancer* enhancer = nullptr;
    const int wrong = program_.ConsumeBool() ? -1 - program_.ConsumeIntegral<std::uint16_t>() : 192001;
    must(percepnet_enhancer_create(nullptr, 48000, 1, 1, 0, &enhancer) == PERCEPNET_ERROR_ARGUMENT, "a model is asked for");
    must(percepnet_enhancer_create(model, wrong, 1, 1, 0, &enhancer) == PERCEPNET_ERROR_ARGUMENT, "the rate is checked");
    must(percepnet_enhancer_create(model, 48000, wrong, 1, 0, &enhancer) == PERCEPNET_ERROR_ARGUMENT, "channels are checked");
    must(percepnet_enhancer_create(model, 48000, 1, wrong, 0, &enhancer) == PERCEPNET_ERROR_ARGUMENT, "the link is checked");
    must(percepnet_enhancer_create(model, 48000, 1, 1, -1, &enhancer) == PERCEPNET_ERROR_ARGUMENT, "the size is checked");
  }

  void process(Stream& s) {
    Chunk chunk(program_, s, left());
    Hooks hooks(program_, s);
    std::size_t n_out = 0;
    const int status = percepnet_process(s.enhancer, chunk.in.data(), chunk.in_stride, chunk.n, chunk.out.data(), chunk.out_stride,
                                         chunk.room, &n_out, program_.ConsumeBool() ? &hooks.hooks : nullptr);
    must(status == chunk.expected(s), "wrong chunks are refused, right ones are not");
    finish(s, chunk, status, n_out);
    hooks.check(s);
  }

  void process_many() {
    std::vector<Stream*> fed;
    std::vector<Chunk> made;
    std::vector<percepnet_chunk> chunks;
    bool good = true;
    for (Stream& s : streams_) {
      if (program_.ConsumeIntegralInRange<int>(0, 7) < (s.in_blocks ? 7 : 1)) continue;
      fed.push_back(&s);
      made.emplace_back(program_, s, left() / streams_.size());
      good = good && made.back().expected(s) == PERCEPNET_OK;
    }
    for (std::size_t i = 0; i < fed.size(); ++i) {
      Chunk& c = made[i];
      chunks.push_back({fed[i]->enhancer, c.in.data(), c.in_stride, c.n, c.out.data(), c.out_stride, c.room, 0});
    }
    if (!chunks.empty() && program_.ConsumeIntegralInRange<int>(0, 7) == 0) {
      good = false;
      chunks.push_back(chunks.front());
    }
    const int status = percepnet_process_many(chunks.data(), chunks.size());
    must((status == PERCEPNET_OK) == good, "wrong lists are refused, right ones are not");
    for (std::size_t i = 0; i < fed.size(); ++i) finish(*fed[i], made[i], status, chunks[i].n_out);
  }

  void finish(Stream& s, const Chunk& chunk, int status, std::size_t n_out) {
    if (status != PERCEPNET_OK) {
      must(n_out == 0, "nothing comes out after an error");
      return;
    }
    n_fed_ += chunk.n * s.channels();
    s.fed(chunk.in, chunk.in_stride, chunk.n);
    s.got(chunk.out, chunk.out_stride, n_out);
    check_invalid(s);
  }

  void process_block(Stream& s) {
    const std::size_t most = std::min<std::size_t>(left(), 3000);
    const auto right = static_cast<std::size_t>(s.setup.block_size);
    const bool any = right == 0 || program_.ConsumeIntegralInRange<int>(0, 15) == 0;
    const std::size_t n = any ? program_.ConsumeIntegralInRange<std::size_t>(0, most) : right;
    const std::size_t stride = n + program_.ConsumeIntegralInRange<std::size_t>(0, 2);
    Samples in = signal((s.channels() - 1) * stride + n, program_), other(in.size());
    const Samples before = in;
    Samples& out = program_.ConsumeBool() ? in : other;
    const int status = percepnet_process_block(s.enhancer, in.data(), stride, n, out.data(), stride, nullptr);
    const bool good = (right == 0 || n == right) && !s.in_chunks() && (n == 0 || !in.empty());
    must((status == PERCEPNET_OK) == good, "wrong blocks are refused, right ones are not");
    if (!good) return;
    n_fed_ += n * s.channels();
    s.fed(before, stride, n);
    s.got(out, stride, n);
    s.in_blocks = !s.fresh();
    check_invalid(s);
  }

  void flush(Stream& s) {
    const std::size_t owed = s.in[0].size() - s.out[0].size(), most = percepnet_max_flush(s.enhancer);
    must(s.in_blocks || owed <= most, "flush owes no more than it says");
    const std::size_t room = 1 + (program_.ConsumeBool() ? most : program_.ConsumeIntegralInRange<std::size_t>(0, most));
    Samples out(room * s.channels());
    std::size_t n_out = 0;
    const int status = percepnet_flush(s.enhancer, out.data(), room, room, &n_out, nullptr);
    must(status == (s.in_blocks ? PERCEPNET_ERROR_ARGUMENT : owed <= room ? PERCEPNET_OK : PERCEPNET_ERROR_CAPACITY),
         "flush is refused after blocks and where room is missing");
    if (status != PERCEPNET_OK) return;
    must(n_out == owed, "as many come out as went in");
    s.got(out, room, n_out);
    check_outputs(s);
    s.begin();
  }

  void reset(Stream& s) {
    check_outputs(s);
    percepnet_reset(s.enhancer);
    s.begin();
  }

  void change_settings(Stream& s) {
    const float limit_db = program_.PickValueInArray(VALUES), amount = program_.PickValueInArray(VALUES);
    Setup& setup = s.setup;
    if (limit_db >= 0.0f) setup.limit_db = limit_db;
    if (amount >= 0.0f && amount <= 1.0f) setup.dereverb = amount;
    setup.post_filter = program_.ConsumeBool();
    setup.bypass = program_.ConsumeBool();
    setup.residual = program_.ConsumeBool();
    must((percepnet_set_attenuation_limit_db(s.enhancer, limit_db) == 0) == (limit_db >= 0.0f), "the limit is checked");
    must((percepnet_set_dereverb(s.enhancer, amount) == 0) == (amount >= 0.0f && amount <= 1.0f), "the amount is checked");
    set(s.enhancer, setup);
    if (!s.fresh()) s.resting = false;
  }

  std::size_t left() const { return (MOST_SAMPLES - std::min(n_fed_, MOST_SAMPLES)) / 5; }  // for five channels

  Program& program_;
  std::vector<Stream> streams_;
  std::size_t n_fed_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  const char* names = std::getenv("PERCEPNET_FUZZ_MODELS");
  must(names != nullptr, "PERCEPNET_FUZZ_MODELS names weight files");
  std::string list(names);
  for (std::size_t start = 0, end = 0; start < list.size(); start = end + 1) {
    end = std::min(list.find(':', start), list.size());
    std::ifstream file(list.substr(start, end - start), std::ios::binary);
    const std::vector<char> bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    files.emplace_back();
    for (const char* isa : ISAS) {
      int status = 0;
      const percepnet_model* model = make_model(bytes.data(), bytes.size(), isa, status);
      must(status == PERCEPNET_OK, "the weight file is good");
      if (model != nullptr) files.back().push_back(model);
    }
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  Program program(data, size);
  Machine(program).run();
  return 0;
}
