#include "layers.h"

#include <cstring>

namespace percepnet::layers {

void Dense::step(const float* in, float* out, Scratch scratch) const noexcept {
  affine_.multiply(in, out, scratch.codes);
  const auto activate = activation_ == Activation::TANH ? kernel_->tanh : kernel_->sigmoid;
  activate(out, affine_.rows());
}

void Conv1d::step(const float* in, float* memory, float* out, Scratch scratch) const noexcept {
  const auto n_kept = static_cast<std::size_t>(memory_ - channels_);
  std::memmove(memory, memory + channels_, n_kept * sizeof(float));
  std::memcpy(memory + n_kept, in, static_cast<std::size_t>(channels_) * sizeof(float));
  dense_.step(memory, out, scratch);
}

void Gru::step(const float* in, float* hidden, Scratch scratch) const noexcept {
  float* const from_input = scratch.sums;
  float* const from_hidden = scratch.sums + 3 * size();
  input_.multiply(in, from_input, scratch.codes);
  recurrent_.multiply(hidden, from_hidden, scratch.codes);
  kernel_->gates(from_input, from_hidden, size(), hidden);
}

}  // namespace percepnet::layers
