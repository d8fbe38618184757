// Dense, convolutional and recurrent layers in float32; knows no audio.
// Weights are immutable and may serve any number of streams; what a stream remembers is passed in by the caller.
// Every output is one sequential sum over the inputs, so it has the same bits for any SIMD width and any compiler.
#pragma once

#include <utility>
#include <vector>

namespace percepnet::layers {

enum class Activation { TANH, SIGMOID };

// out[rows] = bias + weight * in[columns].
class Affine {
 public:
  Affine() = default;
  // weight: [rows][columns], row-major; bias: [rows].
  Affine(const float* weight, const float* bias, int rows, int columns);

  void multiply(const float* in, float* out) const noexcept;
  int rows() const noexcept { return rows_; }
  int columns() const noexcept { return columns_; }

 private:
  // A block of rows is computed at once, an output per vector lane: 8 vectors of 4 lanes hide the latency of addition
  // on SSE2 and NEON. A block is stored as its biases, then column after column; rows beyond the last are zeros.
  static constexpr int BLOCK = 32;
  struct alignas(64) Column {
    float values[BLOCK];
  };
  std::vector<Column> blocks_;
  int rows_ = 0;
  int columns_ = 0;
};

class Dense {
 public:
  Dense() = default;
  Dense(Affine affine, Activation activation) : affine_(std::move(affine)), activation_(activation) {}

  void step(const float* in, float* out) const noexcept;

 private:
  Affine affine_;
  Activation activation_ = Activation::TANH;
};

// Causal convolution over steps: its output sees this input and the kernel - 1 before it.
class Conv1d {
 public:
  Conv1d() = default;
  // affine: columns are the inputs of `kernel` steps, oldest first.
  Conv1d(Affine affine, int kernel, Activation activation)
      : channels_(affine.columns() / kernel), memory_(affine.columns()), dense_(std::move(affine), activation) {}

  int memory() const noexcept { return memory_; }
  // in[channels]; memory[memory()]: the stream's last `kernel` inputs, zeros at the start.
  void step(const float* in, float* memory, float* out) const noexcept;

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
  Gru(Affine input, Affine recurrent) : input_(std::move(input)), recurrent_(std::move(recurrent)) {}

  int size() const noexcept { return recurrent_.columns(); }
  // hidden[size()]: state and output, zeros at the start; scratch: 6 * size() floats.
  void step(const float* in, float* hidden, float* scratch) const noexcept;

 private:
  Affine input_;
  Affine recurrent_;
};

}  // namespace percepnet::layers
