// Dense, convolutional and recurrent layers, with float32 or int8 weights; knows no audio.
// Weights are immutable and may serve any number of streams; what a stream remembers is passed in by the caller.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "affine.h"

namespace percepnet::layers {

enum class Activation { TANH, SIGMOID };

// Room that a step works in and leaves in disorder.
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
  void step(const float* in, float* out, Scratch scratch) const noexcept;

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

  int memory() const noexcept { return memory_; }
  std::size_t n_codes() const noexcept { return dense_.n_codes(); }
  // in[channels]; memory[memory()]: the stream's last `taps` inputs, zeros at the start.
  void step(const float* in, float* memory, float* out, Scratch scratch) const noexcept;

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
  std::size_t n_codes() const noexcept { return std::max(input_.n_codes(), recurrent_.n_codes()); }
  // hidden[size()]: state and output, zeros at the start; scratch.sums: 6 * size().
  void step(const float* in, float* hidden, Scratch scratch) const noexcept;

 private:
  const kernels::Kernel* kernel_ = nullptr;
  Affine input_;
  Affine recurrent_;
};

}  // namespace percepnet::layers
