// Long and hostile use of the C interface, to be built with sanitizers: they, or a broken promise, end it with a message.
//     soak weights SECONDS WEIGHTS...    damaged weight files, with a checksum that matches or not
//     soak interface SECONDS WEIGHTS...  any call at any time with any arguments that a caller can get wrong
//     soak threads SECONDS WEIGHTS...    streams of one model on four threads
//     soak hours HOURS WEIGHTS...        one stream: the same sound every ten seconds must come out the same
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

#include "../../native/include/percepnet.h"

namespace {

using Bytes = std::vector<unsigned char>;
using Samples = std::vector<float>;

[[noreturn]] void fail(const char* promise) {
  std::printf("BROKEN: %s\n", promise);
  std::exit(1);
}

void must(bool kept, const char* promise) {
  if (!kept) fail(promise);
}

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 2 + 1) {}
  std::uint32_t next() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<std::uint32_t>(state_ >> 32);
  }
  std::uint32_t below(std::uint32_t n) { return next() % n; }
  float uniform() { return static_cast<float>(static_cast<std::int32_t>(next())) / 2147483648.0f; }

 private:
  std::uint64_t state_;
};

Bytes read(const char* path) {
  Bytes bytes(std::size_t{1} << 24);
  std::FILE* file = std::fopen(path, "rb");
  must(file != nullptr, "the weight file can be read");
  bytes.resize(std::fread(bytes.data(), 1, bytes.size(), file));
  std::fclose(file);
  return bytes;
}

void write_u32(Bytes& bytes, std::size_t at, std::uint32_t value) {
  for (int i = 0; i < 4 && at + 4 <= bytes.size(); ++i) bytes[at + static_cast<std::size_t>(i)] = (value >> (8 * i)) & 0xff;
}

// The format's CRC-32, from byte 16 on.
void sign(Bytes& bytes) {
  std::uint32_t crc = 0xffffffffu;
  for (std::size_t i = 16; i < bytes.size(); ++i) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1u) != 0 ? 0xedb88320u : 0u);
  }
  write_u32(bytes, 12, ~crc);
}

struct Clock {
  explicit Clock(double seconds) : end(std::time(nullptr) + static_cast<std::time_t>(seconds)) {}
  bool runs() const { return std::time(nullptr) < end; }
  std::time_t end;
};

// ---- weights: mostly in the header and the table of tensors, where offsets and sizes are

Bytes damaged(const Bytes& good, Random& random) {
  Bytes bytes = good;
  const std::uint32_t table = 256 + 96 * 48, n = 1 + random.below(4);
  for (std::uint32_t i = 0; i < n; ++i) {
    const std::uint32_t reach = random.below(4) ? table : static_cast<std::uint32_t>(bytes.size());
    const std::size_t at = random.below(reach) % bytes.size();
    switch (random.below(5)) {
      case 0: bytes[at] ^= static_cast<unsigned char>(1u << random.below(8)); break;
      case 1: bytes[at] = static_cast<unsigned char>(random.next()); break;
      case 2: write_u32(bytes, at & ~std::size_t{3}, random.below(3) ? random.below(1 << 12) : random.next()); break;
      case 3: write_u32(bytes, at & ~std::size_t{3}, 0xffffffffu - random.below(256)); break;
      default: std::memmove(bytes.data() + at, good.data() + random.below(reach) % (good.size() - 96), (good.size() - at) % 96);
    }
  }
  if (random.below(8) == 0) bytes.resize(random.below(static_cast<std::uint32_t>(bytes.size() + 1)));
  if (bytes.size() >= 24 && random.below(2)) write_u32(bytes, 16, static_cast<std::uint32_t>(bytes.size()));
  if (bytes.size() >= 16 && random.below(8)) sign(bytes);
  return bytes;
}

void soak_weights(double seconds, const std::vector<Bytes>& files) {
  Random random(static_cast<std::uint64_t>(std::time(nullptr)));
  long tried = 0, read_well = 0, kinds[16] = {};
  for (const Clock clock(seconds); clock.runs(); ++tried) {
    const Bytes bytes = damaged(files[random.below(static_cast<std::uint32_t>(files.size()))], random);
    const std::unique_ptr<unsigned char[]> exact(new unsigned char[bytes.size() + 1]);  // nothing behind it
    unsigned char* const at = exact.get() + 1;                                          // and not aligned
    if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
    percepnet_model* model = nullptr;
    const int status = percepnet_model_create(at, bytes.size(), &model);
    must((status == PERCEPNET_OK) == (model != nullptr), "a model or an error");
    must(status >= 0 && status < 16, "a known status");
    ++kinds[status];
    percepnet_enhancer* enhancer = nullptr;
    if (!model || percepnet_enhancer_create(model, 48000, 1, PERCEPNET_LINKED, 0, &enhancer)) continue;
    ++read_well;
    Samples in(4800), out(percepnet_max_output(enhancer, in.size()));
    for (float& x : in) x = 0.1f * random.uniform();
    std::size_t n_out = 0;
    must(percepnet_process(enhancer, in.data(), 0, in.size(), out.data(), 0, out.size(), &n_out, nullptr) == 0, "it runs");
    for (std::size_t i = 0; i < n_out; ++i) must(std::isfinite(out[i]), "no accepted model gives a NaN");
    percepnet_enhancer_destroy(enhancer);
    percepnet_model_destroy(model);
  }
  std::printf("weights: %ld files tried, %ld accepted and run; by status:", tried, read_well);
  for (const long count : kinds) std::printf(" %ld", count);
  std::puts("");
}

// ---- interface

struct Stream {
  percepnet_enhancer* enhancer = nullptr;
  std::uint32_t channels = 1, block = 0;
  std::uint64_t fed = 0, given = 0;
  bool in_blocks = false;
};

float hostile(Random& random) {
  switch (random.below(40)) {
    case 0: return std::numeric_limits<float>::quiet_NaN();
    case 1: return std::numeric_limits<float>::infinity();
    case 2: return -1e30f;
    case 3: return 1e-42f;
    case 4: return 9e5f * random.uniform();
    default: return 0.3f * random.uniform();
  }
}

Samples noise(std::size_t n, Random& random) {
  Samples samples(n);
  const std::uint32_t kind = random.below(4);
  for (float& x : samples) x = kind == 0 ? 0.0f : kind == 1 ? hostile(random) : 0.1f * random.uniform();
  return samples;
}

bool open_stream(Stream& s, const percepnet_model* model, Random& random) {
  const int rates[] = {8000, 11025, 16000, 44100, 48000, 48000, 96000, 192000};
  s = {};
  s.channels = 1 + random.below(3);
  s.block = random.below(2) ? 0 : 1 + random.below(2000);
  const int link = static_cast<int>(random.below(2)), rate = rates[random.below(8)];
  return percepnet_enhancer_create(model, rate, static_cast<int>(s.channels), link, static_cast<int>(s.block), &s.enhancer) == 0;
}

void feed(Stream& s, Random& random) {
  const std::size_t n = random.below(random.below(4) ? 2000 : 12000);
  const std::size_t room = percepnet_max_output(s.enhancer, n) - (random.below(16) == 0 ? 1 : 0);
  const Samples in = noise(n * s.channels, random), imposed(3 * s.channels * PERCEPNET_BANDS, 2.0f * random.uniform());
  Samples out(room * s.channels);
  std::vector<percepnet_frame> frames(random.below(5));
  percepnet_hooks hooks = {random.below(2) ? imposed.data() : nullptr,
                           random.below(2) ? imposed.data() : nullptr,
                           static_cast<std::int64_t>(random.below(40)) - 5,
                           random.below(4),
                           frames.empty() ? nullptr : frames.data(),
                           frames.size(),
                           0};
  std::size_t n_out = 0;
  const int status = percepnet_process(s.enhancer, in.data(), n, n, out.data(), room, room, &n_out, random.below(2) ? &hooks : nullptr);
  must(status == (room < percepnet_max_output(s.enhancer, n) ? PERCEPNET_ERROR_CAPACITY : PERCEPNET_OK), "capacity is checked");
  if (status != PERCEPNET_OK) return;
  s.fed += n;
  s.given += n_out;
  for (std::uint32_t c = 0; c < s.channels; ++c) {
    for (std::size_t i = 0; i < n_out; ++i) must(std::isfinite(out[c * room + i]), "output is finite");
  }
}

void feed_many(std::vector<Stream*> streams, Random& random) {
  std::vector<percepnet_chunk> chunks;
  std::vector<Samples> ins, outs;
  for (Stream* s : streams) {
    const std::size_t n = random.below(3000), room = percepnet_max_output(s->enhancer, n);
    ins.push_back(noise(n * s->channels + 1, random));
    outs.emplace_back(room * s->channels);
    chunks.push_back({s->enhancer, ins.back().data(), n, n, outs.back().data(), room, room, 0});
  }
  const bool twice = !chunks.empty() && random.below(8) == 0;
  if (twice) chunks.push_back(chunks.front());
  const int status = percepnet_process_many(chunks.data(), chunks.size());
  must(status == (twice ? PERCEPNET_ERROR_ARGUMENT : PERCEPNET_OK), "one enhancer twice is refused");
  for (std::size_t i = 0; i < streams.size() && !twice; ++i) {
    streams[i]->fed += chunks[i].n;
    streams[i]->given += chunks[i].n_out;
  }
}

void end_stream(Stream& s, Random& random) {
  const std::size_t room = percepnet_max_flush(s.enhancer);
  Samples out(room * s.channels);
  std::size_t n_out = 0;
  if (s.in_blocks || random.below(3) == 0) {
    percepnet_reset(s.enhancer);
  } else {
    must(percepnet_flush(s.enhancer, out.data(), room, room, &n_out, nullptr) == 0, "flush has room for what it owes");
    must(s.given + n_out == s.fed, "as much comes out as went in");
  }
  s.fed = s.given = 0;
  s.in_blocks = false;
}

void feed_block(Stream& s, Random& random) {
  const std::size_t n = s.block ? s.block : random.below(3000);
  Samples samples = noise(n * s.channels, random);
  must(percepnet_process_block(s.enhancer, samples.data(), n, n, samples.data(), n, nullptr) == 0, "a block is processed");
  if (s.block) must(percepnet_process_block(s.enhancer, samples.data(), n, n + 1, samples.data(), n, nullptr) != 0, "size is checked");
}

void change_settings(Stream& s, Random& random) {
  const float values[] = {0.0f, 6.0f, 1e9f, -1.0f, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()};
  const float value = values[random.below(6)];
  must((percepnet_set_attenuation_limit_db(s.enhancer, value) == 0) == (value >= 0.0f), "the limit is checked");
  must((percepnet_set_dereverb(s.enhancer, value) == 0) == (value >= 0.0f && value <= 1.0f), "the amount is checked");
  percepnet_set_post_filter(s.enhancer, static_cast<int>(random.below(2)));
  percepnet_set_bypass(s.enhancer, static_cast<int>(random.below(2)));
  percepnet_set_residual(s.enhancer, static_cast<int>(random.below(2)));
  std::int64_t first = 0;
  must((percepnet_invalid_samples(s.enhancer, &first) > 0) == (first >= 0), "invalid samples have a place");
}

void soak_interface(double seconds, const std::vector<percepnet_model*>& models) {
  Random random(static_cast<std::uint64_t>(std::time(nullptr)));
  std::vector<Stream> streams(12);
  long calls = 0;
  for (const Clock clock(seconds); clock.runs(); ++calls) {
    Stream& s = streams[random.below(12)];
    if (!s.enhancer) {
      must(open_stream(s, models[random.below(static_cast<std::uint32_t>(models.size()))], random), "a stream opens");
      continue;
    }
    const std::uint32_t action = random.below(20);
    if (action == 0) {
      percepnet_enhancer_destroy(s.enhancer);
      s = {};
    } else if (action < 3) {
      end_stream(s, random);
    } else if (action < 5) {
      change_settings(s, random);
    } else if (action < 8) {
      if (!s.in_blocks) end_stream(s, random);
      s.in_blocks = true;
      feed_block(s, random);
    } else if (action < 11) {
      std::vector<Stream*> ready;
      for (Stream& other : streams) {
        if (other.enhancer && !other.in_blocks && random.below(4)) ready.push_back(&other);
      }
      feed_many(ready, random);
    } else if (!s.in_blocks) {
      feed(s, random);
    }
  }
  for (Stream& s : streams) percepnet_enhancer_destroy(s.enhancer);
  must(percepnet_process(nullptr, nullptr, 0, 0, nullptr, 0, 0, nullptr, nullptr) == PERCEPNET_ERROR_ARGUMENT, "null is refused");
  must(percepnet_process_many(nullptr, 1) == PERCEPNET_ERROR_ARGUMENT, "null is refused");
  std::printf("interface: %ld calls\n", calls);
}

// ---- threads and hours

Samples enhanced(const percepnet_model* model, const Samples& in) {
  percepnet_enhancer* enhancer = nullptr;
  must(percepnet_enhancer_create(model, 48000, 1, PERCEPNET_LINKED, 0, &enhancer) == 0, "a stream opens");
  Samples out(percepnet_max_output(enhancer, in.size()));
  std::size_t n_out = 0;
  must(percepnet_process(enhancer, in.data(), 0, in.size(), out.data(), 0, out.size(), &n_out, nullptr) == 0, "it runs");
  out.resize(n_out);
  percepnet_enhancer_destroy(enhancer);
  return out;
}

void soak_threads(double seconds, const std::vector<percepnet_model*>& models) {
  Random random(1);
  Samples in(48000);
  for (float& x : in) x = 0.1f * random.uniform();
  long rounds = 0;
  for (const Clock clock(seconds); clock.runs(); ++rounds) {
    const percepnet_model* model = models[static_cast<std::size_t>(rounds) % models.size()];
    Samples results[4];
    std::vector<std::thread> threads;
    for (Samples& result : results) threads.emplace_back([&result, &in, model] { result = enhanced(model, in); });
    for (std::thread& thread : threads) thread.join();
    for (const Samples& result : results) must(result == results[0], "threads do not disturb each other");
  }
  std::printf("threads: %ld rounds of four\n", rounds);
}

void soak_hours(double hours, const percepnet_model* model) {
  Random random(1);
  Samples in(480000), out(600000);
  for (std::size_t i = 0; i < in.size(); ++i) in[i] = i % 96000 < 48000 ? 0.1f * random.uniform() : i % 320 < 8 ? 0.3f : 0.0f;
  percepnet_enhancer* enhancer = nullptr;
  must(percepnet_enhancer_create(model, 48000, 1, PERCEPNET_LINKED, 0, &enhancer) == 0, "a stream opens");
  const long rounds = static_cast<long>(hours * 360);
  double first_energy = 0.0, energy = 0.0;
  for (long round = 0; round < rounds; ++round) {
    std::size_t n_out = 0;
    must(percepnet_process(enhancer, in.data(), 0, in.size(), out.data(), 0, out.size(), &n_out, nullptr) == 0, "it runs");
    energy = 0.0;
    for (std::size_t i = 0; i < n_out; ++i) energy += static_cast<double>(out[i]) * out[i];
    must(std::isfinite(energy), "output is finite");
    if (round == 9) first_energy = energy;
    must(round < 9 || std::fabs(energy / first_energy - 1.0) < 0.02, "nothing drifts");
  }
  percepnet_enhancer_destroy(enhancer);
  std::printf("hours: %.1f of audio, energy at the end %.6f of that after 100 s\n", hours, energy / first_energy);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  std::vector<Bytes> files;
  std::vector<percepnet_model*> models;
  for (int i = 3; i < argc; ++i) {
    files.push_back(read(argv[i]));
    models.push_back(nullptr);
    must(percepnet_model_create(files.back().data(), files.back().size(), &models.back()) == 0, "the weight file is good");
  }
  const double amount = std::atof(argv[2]);
  if (!std::strcmp(argv[1], "weights")) soak_weights(amount, files);
  if (!std::strcmp(argv[1], "interface")) soak_interface(amount, models);
  if (!std::strcmp(argv[1], "threads")) soak_threads(amount, models);
  if (!std::strcmp(argv[1], "hours")) soak_hours(amount, models[0]);
  for (percepnet_model* model : models) percepnet_model_destroy(model);
  return 0;
}
