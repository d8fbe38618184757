#include "layers.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "elementary.h"

namespace percepnet::layers {

namespace {

typedef float Lanes __attribute__((vector_size(16)));

inline Lanes load(const float* values) noexcept {
  Lanes lanes;
  std::memcpy(&lanes, values, sizeof lanes);
  return lanes;
}

void activate(Activation activation, float* values, int n) noexcept {
  if (activation == Activation::TANH) {
    for (int i = 0; i < n; ++i) values[i] = elementary::tanh(values[i]);
  } else {
    for (int i = 0; i < n; ++i) values[i] = elementary::sigmoid(values[i]);
  }
}

}  // namespace

Affine::Affine(const float* weight, const float* bias, int rows, int columns) : rows_(rows), columns_(columns) {
  const int n_blocks = (rows + BLOCK - 1) / BLOCK;
  const auto stride = static_cast<std::size_t>(columns) + 1;
  blocks_.assign(static_cast<std::size_t>(n_blocks) * stride, Column{});
  for (int row = 0; row < rows; ++row) {
    const float* from = weight + static_cast<std::size_t>(row) * static_cast<std::size_t>(columns);
    Column* to = blocks_.data() + static_cast<std::size_t>(row / BLOCK) * stride;
    to[0].values[row % BLOCK] = bias[row];
    for (int i = 0; i < columns; ++i) to[1 + i].values[row % BLOCK] = from[i];
  }
}

void Affine::multiply(const float* in, float* out) const noexcept {
  constexpr int N_LANES = 4;
  constexpr int N_SUMS = BLOCK / N_LANES;
  const Column* column = blocks_.data();
  for (int row = 0; row < rows_; row += BLOCK) {
    Lanes sums[N_SUMS];
    for (int s = 0; s < N_SUMS; ++s) sums[s] = load(column->values + s * N_LANES);
    ++column;
    for (int i = 0; i < columns_; ++i, ++column) {
      const Lanes x = {in[i], in[i], in[i], in[i]};
      for (int s = 0; s < N_SUMS; ++s) sums[s] += load(column->values + s * N_LANES) * x;
    }
    std::memcpy(out + row, sums, static_cast<std::size_t>(std::min(BLOCK, rows_ - row)) * sizeof(float));
  }
}

void Dense::step(const float* in, float* out) const noexcept {
  affine_.multiply(in, out);
  activate(activation_, out, affine_.rows());
}

void Conv1d::step(const float* in, float* memory, float* out) const noexcept {
  const auto n_kept = static_cast<std::size_t>(memory_ - channels_);
  std::memmove(memory, memory + channels_, n_kept * sizeof(float));
  std::memcpy(memory + n_kept, in, static_cast<std::size_t>(channels_) * sizeof(float));
  dense_.step(memory, out);
}

void Gru::step(const float* in, float* hidden, float* scratch) const noexcept {
  const int n = size();
  float* __restrict__ a = scratch;
  float* __restrict__ b = scratch + 3 * n;
  float* __restrict__ h = hidden;
  input_.multiply(in, a);
  recurrent_.multiply(h, b);
  for (int i = 0; i < 2 * n; ++i) a[i] = elementary::sigmoid(a[i] + b[i]);
  for (int i = 0; i < n; ++i) {
    const float reset = a[i], update = a[n + i];
    const float candidate = elementary::tanh(a[2 * n + i] + reset * b[2 * n + i]);
    h[i] = (1.0f - update) * candidate + update * h[i];
  }
}

}  // namespace percepnet::layers
