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
  const std::size_t stride = to_size(padded_columns_ / Tile::COLUMNS);
  set_rows(scales, bias);
  tiles_.assign(strips_.size() * stride, Tile{});
  for (int row = 0; row < rows; ++row) {
    Tile* to = tiles_.data() + to_size(row / Tile::ROWS) * stride;
    for (int i = 0; i < columns; ++i) add_weight(to[i / Tile::COLUMNS], row, i, *weight++);
  }
}

Affine::Affine(const kernels::Kernel& kernel, const std::int8_t* blocks, const std::vector<std::uint16_t>& index,
               const float* scales, const float* bias, int rows, int columns)
    : kernel_(&kernel), rows_(rows), columns_(columns), padded_columns_(round_up(columns, kernels::COLUMN_STEP)) {
  set_rows(scales, bias);
  const std::uint16_t* next = index.data();
  for (std::size_t strip = 0; strip < strips_.size(); ++strip) {
    const int first_row = static_cast<int>(strip) * Tile::ROWS;
    for (int left = *next++; left > 0; --left, ++next) {
      tiles_.emplace_back();
      sources_.push_back(*next);
      for (int i = 0; i < Tile::ROWS * Tile::COLUMNS; ++i, ++blocks) {
        const int row = first_row + i / Tile::COLUMNS, column = *next * Tile::COLUMNS + i % Tile::COLUMNS;
        if (row < rows && column < columns) add_weight(tiles_.back(), row, column, *blocks);
      }
    }
    tiles_.resize(to_size(round_up(static_cast<int>(tiles_.size()), kernels::COLUMN_STEP / Tile::COLUMNS)));
    sources_.resize(tiles_.size());
    ends_.push_back(static_cast<std::int32_t>(tiles_.size()));
  }
}

void Affine::add_weight(Tile& tile, int row, int column, std::int8_t weight) noexcept {
  tile.weights[row % Tile::ROWS * Tile::COLUMNS + column % Tile::COLUMNS] = weight;
  strips_[to_size(row / Tile::ROWS)].offsets[row % Tile::ROWS] -= 128 * weight;
}

void Affine::set_rows(const float* scales, const float* bias) {
  strips_.assign(to_size(round_up(rows_, Tile::ROWS) / Tile::ROWS), Strip{});
  for (int row = 0; row < rows_; ++row) {
    Strip& strip = strips_[to_size(row / Tile::ROWS)];
    strip.scales[row % Tile::ROWS] = scales[row] / 127.0f;
    strip.biases[row % Tile::ROWS] = bias[row];
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
  const auto n_codes_each = static_cast<std::ptrdiff_t>(n_codes());
  if (is_int8) {
    for (int i = 0; i < n; ++i) kernel_->quantise(in[i], columns_, codes + i * n_codes_each);
  }
  for (int first = 0; first < n_whole; first += step) {
    const int n_blocks = step < n_whole - first ? step : n_whole - first;
    for (int i = 0; i < n; ++i) {
      multiply_blocks(first, n_blocks, in[i], codes + i * n_codes_each, out[i] + first * block_rows);
    }
  }
  for (int i = 0; i < n && n_left > 0; ++i) {
    float last[ROWS_MAX];
    multiply_blocks(n_whole, 1, in[i], codes + i * n_codes_each, last);
    std::memcpy(out[i] + n_whole * block_rows, last, to_size(n_left) * sizeof(float));
  }
}

void Affine::multiply_blocks(int first, int n, const float* in, std::int8_t* codes, float* out) const noexcept {
  if (!ends_.empty()) {
    multiply_sparse(first, n, codes, out);
  } else if (padded_columns_ > 0) {
    const Tile* tiles = tiles_.data() + to_size(first) * to_size(padded_columns_ / Tile::COLUMNS);
    kernel_->multiply_int8(strips_.data() + first, tiles, n, padded_columns_, codes, out);
  } else {
    kernel_->multiply_float(float_blocks_.data() + to_size(first) * (to_size(columns_) + 1), n, columns_, in, out);
  }
}

// Each strip sees the codes of its tiles, gathered behind all codes, as if there were no others.
void Affine::multiply_sparse(int first, int n, std::int8_t* codes, float* out) const noexcept {
  constexpr int TOGETHER = kernels::COLUMN_STEP / Tile::COLUMNS;  // tiles
  std::int8_t* const gathered = codes + padded_columns_;
  for (int strip = first; strip < first + n; ++strip, out += Tile::ROWS) {
    const std::int32_t start = strip > 0 ? ends_[to_size(strip - 1)] : 0, n_tiles = ends_[to_size(strip)] - start;
    const std::uint16_t* sources = sources_.data() + start;
    for (std::int32_t t = 0; t < n_tiles; t += TOGETHER) {
      std::int8_t together[TOGETHER * Tile::COLUMNS];
      for (int i = 0; i < TOGETHER; ++i) {
        std::memcpy(together + i * Tile::COLUMNS, codes + std::size_t{sources[t + i]} * Tile::COLUMNS, Tile::COLUMNS);
      }
      std::memcpy(gathered + t * Tile::COLUMNS, together, sizeof together);
    }
    kernel_->multiply_int8(strips_.data() + strip, tiles_.data() + start, 1, n_tiles * Tile::COLUMNS, gathered, out);
  }
}

}  // namespace percepnet::layers
