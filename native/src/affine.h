// out = bias + weight * in, the matrix product inside every layer, with float32 or int8 weights.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels.h"

namespace percepnet::layers {

constexpr int BATCH = 8;  // inputs that may pass through a layer together

class Affine {
 public:
  Affine() = default;
  // weight: [rows][columns], row-major; bias: [rows].
  Affine(const kernels::Kernel& kernel, const float* weight, const float* bias, int rows, int columns);
  // The weight of row r is scales[r] * weight[r][..], integers -127..127; inputs must lie in -1..1 and are rounded to
  // multiples of 1/127.
  Affine(const kernels::Kernel& kernel, const std::int8_t* weight, const float* scales, const float* bias, int rows,
         int columns);

  // out[i] = bias + weight * in[i] for n inputs, each as if it were alone; BATCH at most. The weights are read once.
  // codes: BATCH * n_codes() bytes to work in.
  void multiply(const float* const* in, int n, float* const* out, std::int8_t* codes) const noexcept;
  int rows() const noexcept { return rows_; }
  int columns() const noexcept { return columns_; }
  std::size_t n_codes() const noexcept { return static_cast<std::size_t>(padded_columns_); }

 private:
  int blocks_at_a_time() const noexcept;
  void multiply_blocks(int first, int n, const float* in, const std::int8_t* codes, float* out) const noexcept;

  const kernels::Kernel* kernel_ = nullptr;
  std::vector<kernels::FloatColumn> float_blocks_;
  std::vector<kernels::Strip> strips_;
  std::vector<kernels::Tile> tiles_;
  int rows_ = 0;
  int columns_ = 0;
  int padded_columns_ = 0;  // of the tiles; 0 in float32
};

}  // namespace percepnet::layers
