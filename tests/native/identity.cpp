// Prints the instruction set in use and a hash of everything that a model computes: the network's outputs and the
// enhanced samples of a second of sound. The same model must give the same hash everywhere.
//     identity WEIGHTS [ISA]
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "../../native/include/percepnet_stages.h"

namespace {

class Hash {
 public:
  void add(const std::vector<float>& values) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(values.data());
    for (std::size_t i = 0; i < values.size() * sizeof(float); ++i) state_ = (state_ ^ bytes[i]) * 0x100000001b3u;
  }
  unsigned long long value() const { return state_; }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325u;  // FNV-1a
};

// Noise in -1..1, integers of 16 bits behind it: exact everywhere.
float noise() {
  static std::uint32_t state = 1;
  state = state * 1664525u + 1013904223u;
  return static_cast<float>(static_cast<std::int32_t>(state) >> 16) / 32768.0f;
}

std::vector<unsigned char> read(const char* path) {
  std::vector<unsigned char> bytes;
  std::FILE* file = std::fopen(path, "rb");
  if (!file) return bytes;
  unsigned char buffer[4096];
  for (std::size_t n; (n = std::fread(buffer, 1, sizeof buffer, file)) > 0;) bytes.insert(bytes.end(), buffer, buffer + n);
  std::fclose(file);
  return bytes;
}

bool hash_network(const percepnet_model* model, Hash& hash) {
  constexpr std::size_t N = 200;
  const auto n_inputs = static_cast<std::size_t>(percepnet_model_n_inputs(model));
  std::vector<float> features(N * n_inputs), gains(N * PERCEPNET_BANDS), strengths(gains), speech(N);
  for (std::size_t i = 0; i < features.size(); ++i) features[i] = (i % n_inputs < PERCEPNET_FEATURES ? 3.0f : 1.0f) * noise();
  if (percepnet_network_run(model, features.data(), N, gains.data(), strengths.data(), speech.data())) return false;
  hash.add(gains);
  hash.add(strengths);
  hash.add(speech);
  return true;
}

// Half a second of pulses at 150 Hz in noise, half a second of noise, at 48 and at 16 kHz.
bool hash_sound(const percepnet_model* model, int sample_rate, Hash& hash) {
  percepnet_enhancer* enhancer = nullptr;
  if (percepnet_enhancer_create(model, sample_rate, 1, PERCEPNET_INDEPENDENT, 0, &enhancer)) return false;
  const auto n = static_cast<std::size_t>(sample_rate), period = n / 150;
  std::vector<float> in(n), out(percepnet_max_output(enhancer, n));
  for (std::size_t i = 0; i < n; ++i) in[i] = 0.05f * noise() + (i < n / 2 && i % period < 8 ? 0.5f : 0.0f);
  std::size_t n_out = 0;
  const int status = percepnet_process(enhancer, in.data(), n, n, out.data(), out.size(), out.size(), &n_out, nullptr);
  out.resize(n_out);
  hash.add(out);
  percepnet_enhancer_destroy(enhancer);
  return status == PERCEPNET_OK;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
#if defined(_WIN32)
  if (argc > 2) _putenv_s("PERCEPNET_ISA", argv[2]);
#elif !defined(__wasm__)
  if (argc > 2) setenv("PERCEPNET_ISA", argv[2], 1);
#endif
  const std::vector<unsigned char> bytes = read(argv[1]);
  percepnet_model* model = nullptr;
  if (percepnet_model_create(bytes.data(), bytes.size(), &model)) return 1;
  Hash hash;
  const bool good = hash_network(model, hash) && hash_sound(model, 48000, hash) && hash_sound(model, 16000, hash);
  std::printf("%s %016llx\n", percepnet_model_isa(model), hash.value());
  percepnet_model_destroy(model);
  return good ? 0 : 1;
}
