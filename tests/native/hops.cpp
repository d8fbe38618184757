// Enhances N hops of noise, hop by hop, for a tool that counts instructions. LOUD or quiet: below the silence gate.
//     hops WEIGHTS N LOUD
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "../../native/include/percepnet.h"

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  std::vector<unsigned char> bytes(std::size_t{1} << 24);
  std::FILE* file = std::fopen(argv[1], "rb");
  if (!file) return 2;
  bytes.resize(std::fread(bytes.data(), 1, bytes.size(), file));
  std::fclose(file);
  percepnet_model* model = nullptr;
  percepnet_enhancer* enhancer = nullptr;
  if (percepnet_model_create(bytes.data(), bytes.size(), &model)) return 1;
  if (percepnet_enhancer_create(model, 48000, 1, PERCEPNET_INDEPENDENT, PERCEPNET_HOP, &enhancer)) return 1;
  const float level = std::atoi(argv[3]) ? 0.1f : 1e-5f;
  float samples[PERCEPNET_HOP];
  std::uint32_t state = 1;
  for (int hop = 0; hop < std::atoi(argv[2]); ++hop) {
    for (float& x : samples) {
      state = state * 1664525u + 1013904223u;
      x = level * static_cast<float>(static_cast<std::int32_t>(state)) / 2147483648.0f;
    }
    if (percepnet_process_block(enhancer, samples, PERCEPNET_HOP, PERCEPNET_HOP, samples, PERCEPNET_HOP, nullptr)) return 1;
  }
  std::puts(percepnet_model_isa(model));
  percepnet_enhancer_destroy(enhancer);
  percepnet_model_destroy(model);
  return 0;
}
