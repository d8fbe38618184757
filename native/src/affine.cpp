#include "affine.h"

#include <cstring>

namespace percepnet::layers {

using kernels::FloatColumn;
using kernels::Strip;
using kernels::Tile;

namespace {

std::size_t to_size(int n) noexcept { return static_cast<std::size_t>(n); }

int round_up(int n, int step) noexcept { return (n + step - 1) / step * step; }

}  // namespace

Affine::Affine(const kernels::Kernel& kernel, const float* weight, const float* bias, int rows, int columns)
    : kernel_(&kernel), rows_(rows), columns_(columns) {
  const int n_blocks = round_up(rows, FloatColumn::ROWS) / FloatColumn::ROWS;
  const std::size_t stride = to_size(columns) + 1;
  float_blocks_.assign(to_size(n_blocks) * stride, FloatColumn{});
  for (int row = 0; row < rows; ++row) {
    const float* from = weight + to_size(row) * to_size(columns);
    FloatColumn* to = float_blocks_.data() + to_size(row / FloatColumn::ROWS) * stride;
    to[0].values[row % FloatColumn::ROWS] = bias[row];
    for (int i = 0; i < columns; ++i) to[1 + i].values[row % FloatColumn::ROWS] = from[i];
  }
}

Affine::Affine(const kernels::Kernel& kernel, const std::int8_t* weight, const float* scales, const float* bias,
               int rows, int columns)
    : kernel_(&kernel), rows_(rows), columns_(columns), padded_columns_(round_up(columns, kernels::COLUMN_STEP)) {
  const int n_strips = round_up(rows, Tile::ROWS) / Tile::ROWS;
  const std::size_t stride = to_size(padded_columns_ / Tile::COLUMNS);
  strips_.assign(to_size(n_strips), Strip{});
  tiles_.assign(to_size(n_strips) * stride, Tile{});
  for (int row = 0; row < rows; ++row) {
    const std::int8_t* from = weight + to_size(row) * to_size(columns);
    Tile* to = tiles_.data() + to_size(row / Tile::ROWS) * stride;
    const int in_strip = row % Tile::ROWS;
    std::int32_t sum = 0;
    for (int i = 0; i < columns; ++i) {
      to[i / Tile::COLUMNS].weights[in_strip * Tile::COLUMNS + i % Tile::COLUMNS] = from[i];
      sum += from[i];
    }
    Strip& strip = strips_[to_size(row / Tile::ROWS)];
    strip.scales[in_strip] = scales[row] / 127.0f;
    strip.biases[in_strip] = bias[row];
    strip.offsets[in_strip] = -128 * sum;
  }
}

// So many blocks of rows as fit half of a first-level cache: they serve all inputs before the next ones are read.
int Affine::blocks_at_a_time() const noexcept {
  constexpr int CACHED_BYTES = 1 << 14;
  const int block_bytes = padded_columns_ > 0 ? Tile::ROWS * padded_columns_
                                              : static_cast<int>(sizeof(FloatColumn)) * (columns_ + 1);
  return CACHED_BYTES / block_bytes > 2 ? CACHED_BYTES / block_bytes : 2;  // kernels may want two at once
}

// Whole blocks of rows go straight to `out`, the last one may have to be cut.
void Affine::multiply(const float* const* in, int n, float* const* out, std::int8_t* codes) const noexcept {
  const bool is_int8 = padded_columns_ > 0;
  constexpr int ROWS_MAX = FloatColumn::ROWS > Tile::ROWS ? FloatColumn::ROWS : Tile::ROWS;
  const int block_rows = is_int8 ? Tile::ROWS : FloatColumn::ROWS;
  const int n_whole = rows_ / block_rows, n_left = rows_ % block_rows;
  const int step = n == 1 ? n_whole : blocks_at_a_time();
  if (is_int8) {
    for (int i = 0; i < n; ++i) kernel_->quantise(in[i], columns_, codes + i * padded_columns_);
  }
  for (int first = 0; first < n_whole; first += step) {
    const int n_blocks = step < n_whole - first ? step : n_whole - first;
    for (int i = 0; i < n; ++i) {
      multiply_blocks(first, n_blocks, in[i], codes + i * padded_columns_, out[i] + first * block_rows);
    }
  }
  for (int i = 0; i < n && n_left > 0; ++i) {
    float last[ROWS_MAX];
    multiply_blocks(n_whole, 1, in[i], codes + i * padded_columns_, last);
    std::memcpy(out[i] + n_whole * block_rows, last, to_size(n_left) * sizeof(float));
  }
}

void Affine::multiply_blocks(int first, int n, const float* in, const std::int8_t* codes, float* out) const noexcept {
  if (padded_columns_ > 0) {
    const Tile* tiles = tiles_.data() + to_size(first) * to_size(padded_columns_ / Tile::COLUMNS);
    kernel_->multiply_int8(strips_.data() + first, tiles, n, padded_columns_, codes, out);
  } else {
    kernel_->multiply_float(float_blocks_.data() + to_size(first) * (to_size(columns_) + 1), n, columns_, in, out);
  }
}

}  // namespace percepnet::layers
