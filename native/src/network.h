// Features -> gains, strengths, speech probability: names the layers, owns their state (SPEC 6.1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "constants.h"
#include "kernels.h"
#include "layers.h"
#include "weights.h"

namespace percepnet {

class Network;

using layers::BATCH;

// What one stream remembers between frames. Made for one network; holds no pointer to it.
class NetworkState {
 public:
  explicit NetworkState(const Network& network);

  void reset() noexcept;  // as new: all zeros
  std::size_t bytes() const noexcept { return sizeof *this + memory_.size() * sizeof(float); }

 private:
  friend class Network;
  std::vector<float> memory_;  // parts as Network::Layout says
};

// Room in which a network works on BATCH frames. Made for one network; remembers nothing.
class Workspace {
 public:
  explicit Workspace(const Network& network);
  std::size_t bytes() const noexcept { return sizeof *this + floats_.size() * sizeof(float) + codes_.size(); }

 private:
  friend class Network;
  std::vector<float> floats_;       // BATCH rows, parts as Network::Layout says; then the scratch of the layers
  std::vector<std::int8_t> codes_;  // quantised inputs of the layer at work
};

class Network {
 public:
  // Takes over the tensors and chooses the kernel; a percepnet_status. Throws nothing but std::bad_alloc.
  int read(const Weights& weights);

  // One frame of a stream.
  struct Job {
    NetworkState* state;
    const float* features;      // FEATURES, unscaled
    const float* cues;          // n_cues(), -1..1
    float dereverb;             // 0..1, unheeded by a network without that input
    float* gains;               // BANDS, 0..1
    float* strengths;           // likewise
    float* speech_probability;  // 0..1, or -1 without that head
  };

  // n frames, BATCH at most, of one stream or of several, those of one stream in order: each as if it were alone, but
  // weights are read once for all.
  void run(const Job* jobs, int n, Workspace& workspace) const noexcept;

  bool has_dereverb() const noexcept { return has_dereverb_; }
  int n_cues() const noexcept { return cues_.columns(); }  // what it hears of the pitch tracker; 0: nothing
  int n_inputs() const noexcept { return FEATURES + (has_dereverb_ ? 1 : 0) + n_cues(); }
  bool has_speech() const noexcept { return has_speech_; }
  const kernels::Kernel& kernel() const noexcept { return *kernel_; }
  std::int64_t n_weights() const noexcept { return n_weights_; }  // kept ones; biases included, feature scaling not

 private:
  friend class NetworkState;
  friend class Workspace;

  // Where the parts of a stream's memory and of a row of the workspace begin, in floats. `trunk` is the input of the gain
  // head: the outputs of conv2, gru1, gru2, gru3 and gru_gain.
  struct Layout {
    struct {
      std::size_t conv1, conv2, gru1, gru2, gru3, gru_gain, gru_strength, size;
    } memory;
    struct {
      std::size_t input, dense, cues, conv1, trunk, strength_input, gru_strength, size;
    } row;
    std::size_t n_sums, n_codes;  // scratch for one frame
  };

  // A part of every frame's memory or row.
  struct Parts {
    float* at[BATCH];
    operator float* const*() const noexcept { return at; }
  };
  static Parts remembered(const Job* jobs, int n, std::size_t part) noexcept;
  Parts rows(Workspace& workspace, int n, std::size_t part) const noexcept;
  void scale(const Job* jobs, int n, float* const* inputs) const noexcept;
  void hear(const Job* jobs, int n, Workspace& workspace) const noexcept;  // features and cues -> the part `dense`

  void lay_out(int dense_size, int hidden, int strength_size);

  const kernels::Kernel* kernel_ = &kernels::choose();
  std::vector<float> mean_, scale_;
  layers::Affine dense_, cues_;  // of features and of cues: their sum is heard
  layers::Conv1d conv1_, conv2_;
  layers::Gru gru1_, gru2_, gru3_, gru_gain_, gru_strength_;
  layers::Dense gains_, strengths_, speech_;
  bool has_dereverb_ = false;
  bool has_speech_ = false;
  std::int64_t n_weights_ = 0;
  Layout layout_{};
};

}  // namespace percepnet
