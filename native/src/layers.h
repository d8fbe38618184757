// Dense, convolutional and recurrent layers, with float32 or int8 weights; knows no audio.
// Weights are immutable and may serve any number of streams; what a stream remembers is passed in by the caller. Up to
// BATCH inputs pass a layer together, in order, each as if it were alone: steps of one stream or of several.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "affine.h"

namespace percepnet::layers {

enum class Activation { TANH, SIGMOID };

// Room that a layer works in and leaves in disorder: BATCH times what its n_sums() and n_codes() say.
struct Scratch {
  float* sums;
  std::int8_t* codes;
};

class Dense {
 public:
  Dense() = default;
  Dense(const kernels::Kernel& kernel, Affine affine, Activation activation)
      : kernel_(&kernel), affine_(std::move(affine)), activation_(activation) {}

  std::size_t n_codes() const noexcept { return affine_.n_codes(); }
  void run(const float* const* in, int n, float* const* out, Scratch scratch) const noexcept;

 private:
  const kernels::Kernel* kernel_ = nullptr;
  Affine affine_;
  Activation activation_ = Activation::TANH;
};

// Causal convolution over steps: its output sees this input and the taps - 1 before it.
class Conv1d {
 public:
  Conv1d() = default;
  // affine: columns are the inputs of `taps` steps, oldest first.
  Conv1d(const kernels::Kernel& kernel, Affine affine, int taps, Activation activation)
      : channels_(affine.columns() / taps), memory_(affine.columns()), dense_(kernel, std::move(affine), activation) {}

  std::size_t n_sums() const noexcept { return static_cast<std::size_t>(memory_); }
  std::size_t n_codes() const noexcept { return dense_.n_codes(); }
  // memory[i]: the last `taps` inputs of the stream that in[i] belongs to, zeros at the start.
  void run(const float* const* in, float* const* memory, int n, float* const* out, Scratch scratch) const noexcept;

 private:
  int channels_ = 0;
  int memory_ = 0;
  Dense dense_;
};

// Gated recurrent unit; gates in the order reset, update, new, and the reset gate acts after the recurrent product:
//   r = sigmoid(..), z = sigmoid(..), n = tanh(W x + b + r (U h + c)), h' = (1 - z) n + z h.
class Gru {
 public:
  Gru() = default;
  Gru(const kernels::Kernel& kernel, Affine input, Affine recurrent)
      : kernel_(&kernel), input_(std::move(input)), recurrent_(std::move(recurrent)) {}

  int size() const noexcept { return recurrent_.columns(); }
  std::size_t n_sums() const noexcept { return 6 * static_cast<std::size_t>(size()); }
  std::size_t n_codes() const noexcept { return std::max(input_.n_codes(), recurrent_.n_codes()); }
  // hidden[i]: size() values, the state of the stream that in[i] belongs to, zeros at the start; out[i]: what it becomes.
  void run(const float* const* in, float* const* hidden, int n, float* const* out, Scratch scratch) const noexcept;

 private:
  const kernels::Kernel* kernel_ = nullptr;
  Affine input_;
  Affine recurrent_;
};

}  // namespace percepnet::layers
