#include "kernels_x86.h"

#if defined(__x86_64__) || defined(__i386__)

#include <cpuid.h>
#include <immintrin.h>

#include "kernels_generic.h"

namespace percepnet::kernels {

namespace {

#define PERCEPNET_SSE __attribute__((target("ssse3")))
#define PERCEPNET_AVX2 __attribute__((target("avx2")))
#define PERCEPNET_AVXVNNI __attribute__((target("avx2,avxvnni")))
#define PERCEPNET_AVX512 __attribute__((target("avx2,avx512f,avx512bw,avx512vl,avx512vnni")))

// Four codes as one number, for a broadcast.
PERCEPNET_INLINE int four(const std::int8_t* codes) noexcept {
  int bits;
  std::memcpy(&bits, codes, sizeof bits);
  return bits;
}

// ---- SSSE3 and AVX2: pmaddubsw multiplies unsigned by signed bytes and adds pairs with saturation at 32767. With the
// codes' signs moved to the weights, |codes| * (weights * sign(codes)) is at most 2 * 127 * 127 = 32258: exact.

PERCEPNET_SSE PERCEPNET_INLINE __m128i multiply_add(__m128i sums, const std::int8_t* weights, __m128i codes) noexcept {
  const __m128i w = _mm_load_si128(reinterpret_cast<const __m128i*>(weights));
  const __m128i pairs = _mm_maddubs_epi16(_mm_abs_epi8(codes), _mm_sign_epi8(w, codes));
  return _mm_add_epi32(sums, _mm_madd_epi16(pairs, _mm_set1_epi16(1)));
}

PERCEPNET_SSE void multiply_int8_sse(const Strip* strip, const Tile* tile, int n_strips, int n_columns,
                                     const std::int8_t* codes, float* out) {
  for (int s = 0; s < n_strips; ++s, ++strip, out += Tile::ROWS) {
    __m128i sums[4] = {};
    for (int i = 0; i < n_columns; i += Tile::COLUMNS, ++tile) {
      const __m128i a = _mm_set1_epi32(four(codes + i));
      for (int r = 0; r < 4; ++r) sums[r] = multiply_add(sums[r], tile->weights + 16 * r, a);
    }
    alignas(16) std::int32_t values[Tile::ROWS];
    std::memcpy(values, sums, sizeof values);
    generic::scale(values, *strip, out);
  }
}

PERCEPNET_AVX2 PERCEPNET_INLINE __m256i multiply_add(__m256i sums, const std::int8_t* weights, __m256i codes) noexcept {
  const __m256i w = _mm256_load_si256(reinterpret_cast<const __m256i*>(weights));
  const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(codes), _mm256_sign_epi8(w, codes));
  return _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

// Four sums: two halves of a strip, even and odd tiles apart, so that additions need not wait for each other.
PERCEPNET_AVX2 void multiply_int8_avx2(const Strip* strip, const Tile* tile, int n_strips, int n_columns,
                                       const std::int8_t* codes, float* out) {
  for (int s = 0; s < n_strips; ++s, ++strip, out += Tile::ROWS) {
    __m256i low[2] = {}, high[2] = {};
    for (int i = 0; i < n_columns; i += 2 * Tile::COLUMNS, tile += 2) {
      for (int t = 0; t < 2; ++t) {
        const __m256i a = _mm256_set1_epi32(four(codes + i + t * Tile::COLUMNS));
        low[t] = multiply_add(low[t], tile[t].weights, a);
        high[t] = multiply_add(high[t], tile[t].weights + 32, a);
      }
    }
    alignas(32) std::int32_t values[Tile::ROWS];
    _mm256_store_si256(reinterpret_cast<__m256i*>(values), _mm256_add_epi32(low[0], low[1]));
    _mm256_store_si256(reinterpret_cast<__m256i*>(values + 8), _mm256_add_epi32(high[0], high[1]));
    generic::scale(values, *strip, out);
  }
}

// ---- AVX-VNNI and AVX-512 VNNI: vpdpbusd multiplies unsigned by signed bytes and adds fours to 32 bits without
// saturation. Codes are made unsigned by adding 128 (flipping the top bit); the strip's offsets take that back.

PERCEPNET_AVXVNNI void multiply_int8_avxvnni(const Strip* strip, const Tile* tile, int n_strips, int n_columns,
                                             const std::int8_t* codes, float* out) {
  const __m256i top_bits = _mm256_set1_epi8(-128);
  for (int s = 0; s < n_strips; ++s, ++strip, out += Tile::ROWS) {
    const auto* offsets = reinterpret_cast<const __m256i*>(strip->offsets);
    __m256i low[4] = {_mm256_load_si256(offsets)}, high[4] = {_mm256_load_si256(offsets + 1)};
    for (int i = 0; i < n_columns; i += COLUMN_STEP, tile += 4) {
      for (int t = 0; t < 4; ++t) {
        const __m256i a = _mm256_xor_si256(_mm256_set1_epi32(four(codes + i + t * Tile::COLUMNS)), top_bits);
        const auto* weights = reinterpret_cast<const __m256i*>(tile[t].weights);
        low[t] = _mm256_dpbusd_avx_epi32(low[t], a, _mm256_load_si256(weights));
        high[t] = _mm256_dpbusd_avx_epi32(high[t], a, _mm256_load_si256(weights + 1));
      }
    }
    for (int t = 1; t < 4; ++t) low[0] = _mm256_add_epi32(low[0], low[t]), high[0] = _mm256_add_epi32(high[0], high[t]);
    alignas(32) std::int32_t values[Tile::ROWS];
    _mm256_store_si256(reinterpret_cast<__m256i*>(values), low[0]);
    _mm256_store_si256(reinterpret_cast<__m256i*>(values + 8), high[0]);
    generic::scale(values, *strip, out);
  }
}

PERCEPNET_AVX512 void multiply_int8_avx512(const Strip* strip, const Tile* tile, int n_strips, int n_columns,
                                           const std::int8_t* codes, float* out) {
  const __m512i top_bits = _mm512_set1_epi8(-128);
  for (int s = 0; s < n_strips; ++s, ++strip, out += Tile::ROWS) {
    __m512i sums[4] = {_mm512_load_si512(strip->offsets)};
    for (int i = 0; i < n_columns; i += COLUMN_STEP, tile += 4) {
      for (int t = 0; t < 4; ++t) {
        const __m512i a = _mm512_xor_si512(_mm512_set1_epi32(four(codes + i + t * Tile::COLUMNS)), top_bits);
        sums[t] = _mm512_dpbusd_epi32(sums[t], a, _mm512_load_si512(tile[t].weights));
      }
    }
    alignas(64) std::int32_t values[Tile::ROWS];
    const __m512i sum = _mm512_add_epi32(_mm512_add_epi32(sums[0], sums[1]), _mm512_add_epi32(sums[2], sums[3]));
    _mm512_store_si512(values, sum);
    generic::scale(values, *strip, out);
  }
}

namespace sse {
PERCEPNET_ELEMENTWISE(PERCEPNET_SSE, 16)
}
namespace avx2 {
PERCEPNET_ELEMENTWISE(PERCEPNET_AVX2, 32)
}
namespace avx512 {
PERCEPNET_ELEMENTWISE(PERCEPNET_AVX512, 64)
}

struct Registers {
  unsigned a, b, c, d;
};

Registers cpuid(unsigned leaf, unsigned subleaf) noexcept {
  Registers r = {0, 0, 0, 0};
  __get_cpuid_count(leaf, subleaf, &r.a, &r.b, &r.c, &r.d);
  return r;
}

// XCR0: which registers the operating system saves.
unsigned saved_registers() noexcept {
  unsigned low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

constexpr bool all_of(unsigned bits, unsigned wanted) noexcept { return (bits & wanted) == wanted; }

}  // namespace

X86Features x86_features() noexcept {
  constexpr unsigned SSSE3 = 1u << 9, OSXSAVE_AVX = 3u << 27;                     // leaf 1, ecx
  constexpr unsigned AVX2_BIT = 1u << 5, AVX512_F_BW_VL = 1u << 16 | 3u << 30;    // leaf 7, ebx
  constexpr unsigned AVX512VNNI_BIT = 1u << 11;                                   // leaf 7, ecx
  constexpr unsigned AVXVNNI_BIT = 1u << 4;                                       // leaf 7.1, eax
  constexpr unsigned YMM = 6, ZMM = 0xe6;                                         // XCR0
  const Registers basic = cpuid(1, 0), extended = cpuid(7, 0), more = cpuid(7, 1);
  const unsigned saved = all_of(basic.c, OSXSAVE_AVX) ? saved_registers() : 0;
  X86Features has{};
  has.ssse3 = all_of(basic.c, SSSE3);
  has.avx2 = has.ssse3 && all_of(saved, YMM) && all_of(extended.b, AVX2_BIT);
  has.avxvnni = has.avx2 && extended.a >= 1 && all_of(more.a, AVXVNNI_BIT);
  has.avx512vnni = has.avx2 && all_of(saved, ZMM) && all_of(extended.b, AVX512_F_BW_VL) &&
                   all_of(extended.c, AVX512VNNI_BIT);
  return has;
}

const Kernel SSE = {"sse",         sse::multiply_float, multiply_int8_sse, sse::quantise,
                    sse::tanh,     sse::sigmoid,        sse::gates};
const Kernel AVX2 = {"avx2",       avx2::multiply_float, multiply_int8_avx2, avx2::quantise,
                     avx2::tanh,   avx2::sigmoid,        avx2::gates};
const Kernel AVXVNNI = {"avxvnni",  avx2::multiply_float, multiply_int8_avxvnni, avx2::quantise,
                        avx2::tanh, avx2::sigmoid,        avx2::gates};
const Kernel AVX512VNNI = {"avx512vnni", avx512::multiply_float, multiply_int8_avx512, avx512::quantise,
                           avx512::tanh, avx512::sigmoid,        avx512::gates};

}  // namespace percepnet::kernels

#endif
