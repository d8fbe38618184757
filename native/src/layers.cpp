#include "layers.h"

#include <cstring>

namespace percepnet::layers {

namespace {

void copy(const float* from, std::size_t n, float* to) noexcept { std::memcpy(to, from, n * sizeof(float)); }

// How many of the first n are all different: steps of different streams, which need not wait for each other.
int n_different(float* const* states, int n) noexcept {
  for (int i = 1; i < n; ++i) {
    if (std::find(states, states + i, states[i]) != states + i) return i;
  }
  return n;
}

}  // namespace

void Dense::run(const float* const* in, int n, float* const* out, Scratch scratch) const noexcept {
  affine_.multiply(in, n, out, scratch.codes);
  const auto activate = activation_ == Activation::TANH ? kernel_->tanh : kernel_->sigmoid;
  for (int i = 0; i < n; ++i) activate(out[i], affine_.rows());
}

void Conv1d::run(const float* const* in, float* const* memory, int n, float* const* out, Scratch scratch) const noexcept {
  const auto n_new = static_cast<std::size_t>(channels_), n_kept = static_cast<std::size_t>(memory_) - n_new;
  const float* seen[BATCH];
  for (int i = 0; i < n; ++i) {
    std::memmove(memory[i], memory[i] + n_new, n_kept * sizeof(float));
    copy(in[i], n_new, memory[i] + n_kept);
    float* const now = scratch.sums + i * memory_;  // the next input may belong to the same stream
    copy(memory[i], n_sums(), now);
    seen[i] = now;
  }
  dense_.run(seen, n, out, scratch);
}

void Gru::run(const float* const* in, float* const* hidden, int n, float* const* out, Scratch scratch) const noexcept {
  float *from_input[BATCH] = {}, *from_hidden[BATCH] = {};
  for (int i = 0; i < n; ++i) {
    from_input[i] = scratch.sums + 6 * i * size();
    from_hidden[i] = from_input[i] + 3 * size();
  }
  input_.multiply(in, n, from_input, scratch.codes);
  for (int first = 0, end = 0; first < n; first = end) {
    end = first + n_different(hidden + first, n - first);
    recurrent_.multiply(hidden + first, end - first, from_hidden + first, scratch.codes);
    for (int i = first; i < end; ++i) {
      kernel_->gates(from_input[i], from_hidden[i], size(), hidden[i]);
      copy(hidden[i], static_cast<std::size_t>(size()), out[i]);
    }
  }
}

}  // namespace percepnet::layers
