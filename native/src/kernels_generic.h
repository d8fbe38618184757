// Kernels in plain C++ with vectors of any width, to be compiled once for each instruction set: inlined into a function
// with that set's target attribute. Only IEEE operations element by element: the same bits for any width.
#pragma once

#include <cstddef>
#include <cstring>

#include "elementary.h"
#include "kernels.h"

#define PERCEPNET_INLINE __attribute__((always_inline)) inline

namespace percepnet::kernels::generic {

// BLOCKS neighbouring blocks at once, with vectors of BYTES.
template <int BYTES, int BLOCKS>
PERCEPNET_INLINE void multiply_blocks(const FloatColumn* column, int n_columns, const float* in, float* out) noexcept {
  typedef float Lanes __attribute__((vector_size(BYTES)));
  constexpr int N_LANES = BYTES / static_cast<int>(sizeof(float));
  constexpr int N_SUMS = FloatColumn::ROWS / N_LANES;
  const std::ptrdiff_t stride = n_columns + 1;
  const auto load = [=](Lanes& lanes, int block, int i, int s) noexcept {
    std::memcpy(&lanes, column[block * stride + i].values + s * N_LANES, sizeof lanes);
  };
  Lanes sums[BLOCKS][N_SUMS], weights;
  for (int b = 0; b < BLOCKS; ++b) {
    for (int s = 0; s < N_SUMS; ++s) load(sums[b][s], b, 0, s);
  }
  for (int i = 0; i < n_columns; ++i) {
    for (int b = 0; b < BLOCKS; ++b) {
      for (int s = 0; s < N_SUMS; ++s) {
        load(weights, b, 1 + i, s);
        sums[b][s] += weights * in[i];
      }
    }
  }
  std::memcpy(out, sums, sizeof sums);
}

// Wide vectors make too few sums of a block to hide the latency of addition: two blocks at once.
template <int BYTES>
PERCEPNET_INLINE void multiply_float(const FloatColumn* blocks, int n_blocks, int n_columns, const float* in,
                                     float* out) noexcept {
  constexpr int TOGETHER = BYTES > 16 ? 2 : 1;
  const std::ptrdiff_t stride = n_columns + 1;
  int b = 0;
  for (; b + TOGETHER <= n_blocks; b += TOGETHER) {
    multiply_blocks<BYTES, TOGETHER>(blocks + b * stride, n_columns, in, out + b * FloatColumn::ROWS);
  }
  for (; b < n_blocks; ++b) multiply_blocks<BYTES, 1>(blocks + b * stride, n_columns, in, out + b * FloatColumn::ROWS);
}

// The end of every int8 strip.
PERCEPNET_INLINE void scale(const std::int32_t* sums, const Strip& strip, float* out) noexcept {
  for (int r = 0; r < Tile::ROWS; ++r) out[r] = strip.biases[r] + strip.scales[r] * static_cast<float>(sums[r]);
}

// Pairs of int8 seen as int16 are taken apart by shifts, and pairs of int16 seen as int32 are added by shifts: no
// instruction set lacks these, and the order of bytes does not matter. A product is at most 127 * 127, two fit in int16.
PERCEPNET_INLINE void multiply_int8(const Strip* strip, const Tile* tile, int n_strips, int n_columns,
                                    const std::int8_t* codes, float* out) noexcept {
  typedef std::int16_t Pairs __attribute__((vector_size(16)));
  typedef std::uint16_t Bits16 __attribute__((vector_size(16)));
  typedef std::int32_t Sums __attribute__((vector_size(16)));
  typedef std::uint32_t Bits32 __attribute__((vector_size(16)));
  constexpr int N_SUMS = Tile::ROWS / 4;
  for (int s = 0; s < n_strips; ++s, ++strip, out += Tile::ROWS) {
    Sums sums[N_SUMS] = {};
    for (int i = 0; i < n_columns; i += Tile::COLUMNS, ++tile) {
      std::uint32_t four;
      std::memcpy(&four, codes + i, sizeof four);
      const Pairs a = reinterpret_cast<Pairs>(Bits32{four, four, four, four});
      const Pairs a_low = reinterpret_cast<Pairs>(reinterpret_cast<Bits16>(a) << 8) >> 8, a_high = a >> 8;
      for (int r = 0; r < N_SUMS; ++r) {
        Pairs w;
        std::memcpy(&w, tile->weights + 16 * r, sizeof w);
        const Pairs w_low = reinterpret_cast<Pairs>(reinterpret_cast<Bits16>(w) << 8) >> 8, w_high = w >> 8;
        const Pairs p = w_low * a_low + w_high * a_high;
        const Sums p_low = reinterpret_cast<Sums>(reinterpret_cast<Bits32>(p) << 16) >> 16;
        sums[r] += p_low + (reinterpret_cast<Sums>(p) >> 16);
      }
    }
    std::int32_t values[Tile::ROWS];
    std::memcpy(values, sums, sizeof values);
    scale(values, *strip, out);
  }
}

// Adding 1.5 * 2^23 leaves the rounded integer in the lowest bits.
PERCEPNET_INLINE void quantise(const float* __restrict__ in, int n, std::int8_t* __restrict__ codes) noexcept {
  constexpr float ROUND = 12582912.0f;
  for (int i = 0; i < n; ++i) codes[i] = static_cast<std::int8_t>(elementary::to_bits(in[i] * 127.0f + ROUND));
}

PERCEPNET_INLINE void tanh(float* values, int n) noexcept {
  for (int i = 0; i < n; ++i) values[i] = elementary::tanh(values[i]);
}

PERCEPNET_INLINE void sigmoid(float* values, int n) noexcept {
  for (int i = 0; i < n; ++i) values[i] = elementary::sigmoid(values[i]);
}

PERCEPNET_INLINE void gates(const float* __restrict__ input, const float* __restrict__ recurrent, int n,
                            float* __restrict__ hidden) noexcept {
  for (int i = 0; i < n; ++i) {
    const float reset = elementary::sigmoid(input[i] + recurrent[i]);
    const float update = elementary::sigmoid(input[n + i] + recurrent[n + i]);
    const float candidate = elementary::tanh(input[2 * n + i] + reset * recurrent[2 * n + i]);
    hidden[i] = (1.0f - update) * candidate + update * hidden[i];
  }
}

}  // namespace percepnet::kernels::generic

// Defines every function of a Kernel but multiply_int8, in the current namespace, with ATTRIBUTES and vectors of BYTES.
#define PERCEPNET_ELEMENTWISE(ATTRIBUTES, BYTES)                                                                       \
  ATTRIBUTES void multiply_float(const FloatColumn* blocks, int n_blocks, int n_columns, const float* in, float* out) { \
    generic::multiply_float<BYTES>(blocks, n_blocks, n_columns, in, out);                                              \
  }                                                                                                                    \
  ATTRIBUTES void quantise(const float* in, int n, std::int8_t* codes) { generic::quantise(in, n, codes); }            \
  ATTRIBUTES void tanh(float* values, int n) { generic::tanh(values, n); }                                             \
  ATTRIBUTES void sigmoid(float* values, int n) { generic::sigmoid(values, n); }                                       \
  ATTRIBUTES void gates(const float* input, const float* recurrent, int n, float* hidden) {                            \
    generic::gates(input, recurrent, n, hidden);                                                                       \
  }
