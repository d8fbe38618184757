// The arithmetic of the layers, once for each kind of processor, chosen at run time. Every kernel gives the same bits:
// integers are exact, and a float sum runs over the inputs one after the other, an output to a vector lane, so that its
// order does not depend on the width of the vectors.
#pragma once

#include <cstdint>

namespace percepnet::kernels {

// A float32 matrix: blocks of ROWS rows, an output per vector lane. A block is stored as its biases, then column after
// column; rows beyond the last are zeros. 32 rows: 8 vectors of 4 lanes hide the latency of addition on SSE2 and NEON.
struct alignas(64) FloatColumn {
  static constexpr int ROWS = 32;
  float values[ROWS];
};

// An int8 matrix: strips of ROWS rows, each a run of tiles; a tile holds COLUMNS columns of a strip, row after row. Then
// four neighbouring columns meet in one lane of 32 bits, as dot-product instructions want them, and one tile is a cache
// line. Weights lie in -127..127; rows and columns beyond the last are zeros.
struct alignas(64) Tile {
  static constexpr int ROWS = 16, COLUMNS = 4;
  std::int8_t weights[ROWS * COLUMNS];
};

// Kernels take tiles in fours: columns are padded to a multiple of this.
constexpr int COLUMN_STEP = 4 * Tile::COLUMNS;

// What a strip needs besides its tiles: output = bias + scale * sum.
struct alignas(64) Strip {
  float scales[Tile::ROWS];
  float biases[Tile::ROWS];
  std::int32_t offsets[Tile::ROWS];  // -128 * (sum of the row's weights), for kernels that shift codes to be unsigned
};

struct Kernel {
  const char* name;
  // out[n_blocks * FloatColumn::ROWS] = bias + weight * in[n_columns].
  void (*multiply_float)(const FloatColumn* blocks, int n_blocks, int n_columns, const float* in, float* out);
  // out[n_strips * Tile::ROWS] = bias + scale * (weight * codes[n_columns]); n_columns: a multiple of COLUMN_STEP.
  void (*multiply_int8)(const Strip* strips, const Tile* tiles, int n_strips, int n_columns, const std::int8_t* codes,
                        float* out);
  // codes = 127 * in, rounded to the nearest integer, ties to even; in: -1..1.
  void (*quantise)(const float* in, int n, std::int8_t* codes);
  void (*tanh)(float* values, int n);
  void (*sigmoid)(float* values, int n);
  // One step of a gated recurrent unit. input, recurrent: [3][n], the gates' sums; hidden: [n], from old to new.
  void (*gates)(const float* input, const float* recurrent, int n, float* hidden);
};

// Those that this processor can run, best first; the last is the portable one. Null ends the list.
const Kernel* const* available() noexcept;

// The best, or the one named by the environment variable PERCEPNET_ISA if this processor can run it.
const Kernel& choose() noexcept;

}  // namespace percepnet::kernels
