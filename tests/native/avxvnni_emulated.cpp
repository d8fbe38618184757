// The AVX-VNNI kernel for processors that have AVX2 alone: its one instruction replaced by its definition, everything else
// as shipped. Prints whether it gives the portable kernel's bits.
#include <immintrin.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

// vpdpbusd: four products of unsigned and signed bytes added to each lane of 32 bits, without saturation.
__attribute__((target("avx2"))) inline __m256i emulated_dpbusd(__m256i sums, __m256i a, __m256i b) {
  const __m256i a_even = _mm256_and_si256(a, _mm256_set1_epi16(0xff)), a_odd = _mm256_srli_epi16(a, 8);
  const __m256i b_even = _mm256_srai_epi16(_mm256_slli_epi16(b, 8), 8), b_odd = _mm256_srai_epi16(b, 8);
  const __m256i pairs = _mm256_add_epi32(_mm256_madd_epi16(a_even, b_even), _mm256_madd_epi16(a_odd, b_odd));
  return _mm256_add_epi32(sums, pairs);
}

}  // namespace

#define _mm256_dpbusd_avx_epi32 emulated_dpbusd
#include "../../native/src/kernels_x86.cpp"

int main() {
  using namespace percepnet::kernels;
  constexpr int N_STRIPS = 5, N_COLUMNS = 8 * COLUMN_STEP, N_TILES = N_STRIPS * N_COLUMNS / Tile::COLUMNS;
  std::vector<Tile> tiles(N_TILES);
  std::vector<Strip> strips(N_STRIPS);
  std::vector<std::int8_t> codes(N_COLUMNS);
  std::srand(1);
  const auto integer = [] { return std::rand() % 8 ? std::rand() % 255 - 127 : 127; };  // with many extremes
  for (auto& code : codes) code = static_cast<std::int8_t>(integer());
  for (int t = 0; t < N_TILES; ++t) {
    for (int i = 0; i < Tile::ROWS * Tile::COLUMNS; ++i) {
      const int weight = integer();
      tiles[t].weights[i] = static_cast<std::int8_t>(weight);
      strips[t / (N_COLUMNS / Tile::COLUMNS)].offsets[i / Tile::COLUMNS] -= 128 * weight;
    }
  }
  for (Strip& strip : strips) {
    for (int r = 0; r < Tile::ROWS; ++r) strip.scales[r] = 0.001f * static_cast<float>(r + 1), strip.biases[r] = 0.1f;
  }
  std::vector<float> out(N_STRIPS * Tile::ROWS), expected(out);
  AVXVNNI.multiply_int8(strips.data(), tiles.data(), N_STRIPS, N_COLUMNS, codes.data(), out.data());
  generic::multiply_int8(strips.data(), tiles.data(), N_STRIPS, N_COLUMNS, codes.data(), expected.data());
  const bool equal = std::memcmp(out.data(), expected.data(), out.size() * sizeof(float)) == 0;
  std::puts(equal ? "equal" : "different");
  return equal ? 0 : 1;
}
