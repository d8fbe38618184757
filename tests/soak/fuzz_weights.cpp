// Weight files that a fuzzer makes up, each as it is and again with a size and a checksum that match, so that it gets behind
// them. Whatever the core accepts must give the same finite outputs with every kernel, and finite samples.
#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include "fuzz.h"

namespace {

using Values = std::vector<float>;

constexpr std::size_t FRAMES = 12;  // more than pass the network at once, and than a convolution remembers
constexpr std::size_t N_INPUTS_MAX = PERCEPNET_FEATURES + 1 + 480;

void write_little_endian(unsigned char* to, std::uint64_t value, int n_bytes) {
  for (int i = 0; i < n_bytes; ++i) to[i] = static_cast<unsigned char>(value >> (8 * i));
}

std::uint64_t read_little_endian(const unsigned char* from, int n_bytes) {
  std::uint64_t value = 0;
  for (int i = n_bytes; i-- > 0;) value = value << 8 | from[i];
  return value;
}

// docs/weight-file.md: the size at 16, the CRC-32 of all that follows at 12.
void sign(unsigned char* bytes, std::size_t size) {
  if (size < 24) return;
  write_little_endian(bytes + 16, size, 8);
  std::uint32_t crc = 0xffffffffu;
  for (std::size_t i = 16; i < size; ++i) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1u) != 0 ? 0xedb88320u : 0u);
  }
  write_little_endian(bytes + 12, ~crc, 4);
}

// -1..1, the same every time.
float noise() {
  static std::uint32_t state = 1;
  state = state * 1664525u + 1013904223u;
  return static_cast<float>(static_cast<std::int32_t>(state)) / 2147483648.0f;
}

// Rows of n_inputs, the same every time: features of any size, now and then absurd, the others in -1..1.
Values features(std::size_t n_inputs) {
  static const Values drawn = [] {
    Values made(FRAMES * N_INPUTS_MAX);
    for (float& x : made) x = noise();
    return made;
  }();
  Values rows(drawn.begin(), drawn.begin() + static_cast<std::ptrdiff_t>(FRAMES * n_inputs));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i % n_inputs < PERCEPNET_FEATURES) rows[i] *= i % 50 == 0 ? 1e4f : 40.0f;
  }
  return rows;
}

bool all_finite(const Values& values) {
  for (const float value : values) {
    if (!std::isfinite(value)) return false;
  }
  return true;
}

Values network_outputs(const percepnet_model* model) {
  constexpr std::size_t N = FRAMES * PERCEPNET_BANDS;
  Values out(2 * N + FRAMES);
  const Values in = features(static_cast<std::size_t>(percepnet_model_n_inputs(model)));
  must(percepnet_network_run(model, in.data(), FRAMES, out.data(), out.data() + N, out.data() + 2 * N) == 0, "it runs");
  return out;
}

void run_stream(const percepnet_model* model) {
  static const Values in = [] {
    Values made(12 * PERCEPNET_HOP);
    for (float& x : made) x = 0.1f * noise();
    return made;
  }();
  percepnet_enhancer* enhancer = nullptr;
  must(percepnet_enhancer_create(model, 48000, 1, PERCEPNET_LINKED, 0, &enhancer) == 0, "a stream opens");
  Values out(percepnet_max_output(enhancer, in.size()));
  std::size_t n_out = 0;
  must(percepnet_process(enhancer, in.data(), 0, in.size(), out.data(), 0, out.size(), &n_out, nullptr) == 0, "it processes");
  out.resize(n_out);
  must(all_finite(out), "no accepted model gives a sample that is not finite");
  percepnet_enhancer_destroy(enhancer);
}

void read(const unsigned char* bytes, std::size_t size) {
  Values expected;
  for (const char* isa : ISAS) {
    int status = 0;
    percepnet_model* model = make_model(bytes, size, isa, status);
    if (status != PERCEPNET_OK) return;
    if (model == nullptr) continue;
    const Values outputs = network_outputs(model);
    if (expected.empty()) {
      expected = outputs;
      must(all_finite(outputs), "no accepted model gives an output that is not finite");
      run_stream(model);
    }
    must(std::memcmp(outputs.data(), expected.data(), outputs.size() * sizeof(float)) == 0, "every kernel gives the same bits");
    percepnet_model_destroy(model);
  }
}

}  // namespace

extern "C" std::size_t LLVMFuzzerMutate(unsigned char* data, std::size_t size, std::size_t most);

// Every other time in one tensor alone: in its entry of the table, its values, its scales or its index, whose lengths stay.
extern "C" std::size_t LLVMFuzzerCustomMutator(unsigned char* data, std::size_t size, std::size_t most, unsigned seed) {
  constexpr std::size_t HEADER = 256, ENTRY = 96;
  const std::size_t n_tensors = size >= HEADER ? read_little_endian(data + 36, 4) : 0;
  if (seed % 2 != 0 || n_tensors == 0 || n_tensors > (size - HEADER) / ENTRY) return LLVMFuzzerMutate(data, size, most);
  const std::size_t at = HEADER + ENTRY * (seed / 8 % n_tensors);
  const unsigned char* entry = data + at;
  const std::uint64_t places[4][2] = {{at, ENTRY},
                                      {read_little_endian(entry + 56, 8), read_little_endian(entry + 64, 8)},
                                      {read_little_endian(entry + 72, 8), 4 * read_little_endian(entry + 48, 4)},
                                      {read_little_endian(entry + 80, 8), read_little_endian(entry + 88, 8)}};
  const auto [start, length] = places[seed / 2 % 4];
  if (length == 0 || start > size || length > size - start) return LLVMFuzzerMutate(data, size, most);
  LLVMFuzzerMutate(data + start, length, length);
  return size;
}

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::unique_ptr<unsigned char[]> exact(new unsigned char[size + 1]);  // nothing behind it
  unsigned char* const bytes = exact.get() + 1;                               // and not aligned
  if (size > 0) std::memcpy(bytes, data, size);
  read(bytes, size);
  sign(bytes, size);
  read(bytes, size);
  return 0;
}
