// Long use of the C interface. A broken promise, or the thread sanitizer, ends it with a message.
//     soak threads SECONDS WEIGHTS...  streams of one model on four threads
//     soak hours HOURS WEIGHTS...      one stream: the same sound every ten seconds must come out the same
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <thread>
#include <vector>

#include "../../native/include/percepnet.h"

namespace {

using Bytes = std::vector<unsigned char>;
using Samples = std::vector<float>;

void must(bool kept, const char* promise) {
  if (kept) return;
  std::printf("BROKEN: %s\n", promise);
  std::exit(1);
}

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 2 + 1) {}
  std::uint32_t next() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<std::uint32_t>(state_ >> 32);
  }
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

struct Clock {
  explicit Clock(double seconds) : end(std::time(nullptr) + static_cast<std::time_t>(seconds)) {}
  bool runs() const { return std::time(nullptr) < end; }
  std::time_t end;
};

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
  std::vector<percepnet_model*> models;
  for (int i = 3; i < argc; ++i) {
    const Bytes file = read(argv[i]);
    models.push_back(nullptr);
    must(percepnet_model_create(file.data(), file.size(), &models.back()) == 0, "the weight file is good");
  }
  const double amount = std::atof(argv[2]);
  if (!std::strcmp(argv[1], "threads")) soak_threads(amount, models);
  if (!std::strcmp(argv[1], "hours")) soak_hours(amount, models[0]);
  for (percepnet_model* model : models) percepnet_model_destroy(model);
  return 0;
}
