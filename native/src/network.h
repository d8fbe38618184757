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

// What one stream remembers between frames. Made for one network; holds no pointer to it.
class NetworkState {
 public:
  explicit NetworkState(const Network& network);

  void reset() noexcept;  // as new: all zeros
  std::size_t bytes() const noexcept { return sizeof *this + memory_.size() * sizeof(float) + codes_.size(); }

 private:
  friend class Network;
  std::vector<float> memory_;       // parts as Network::Layout says
  std::vector<std::int8_t> codes_;  // quantised inputs of the layer at work
};

class Network {
 public:
  // Takes over the tensors and chooses the kernel; a percepnet_status. Throws nothing but std::bad_alloc.
  int read(const Weights& weights);

  // One frame. features: FEATURES, unscaled; dereverb: 0..1, unheeded by a network without that input; gains and
  // strengths: BANDS, 0..1; speech_probability: 0..1, or -1 without that head.
  void step(NetworkState& state, const float* features, float dereverb, float* gains, float* strengths,
            float* speech_probability) const noexcept;

  bool has_dereverb() const noexcept { return has_dereverb_; }
  bool has_speech() const noexcept { return has_speech_; }
  const char* isa() const noexcept { return kernel_->name; }  // of the kernel
  std::int64_t n_weights() const noexcept { return n_weights_; }  // biases included, feature scaling not

 private:
  friend class NetworkState;

  // Where a stream's memory keeps what, in floats from its start. `trunk` is the input of the gain head: the output of
  // conv2, then the hidden states of gru1, gru2, gru3 and gru_gain, which live there.
  struct Layout {
    std::size_t conv1, conv2, trunk, gru_strength;                 // remembered from frame to frame
    std::size_t input, dense, conv1_out, strength_input, scratch;  // written anew in every frame
    std::size_t size;
    std::size_t n_codes;
  };

  // What a layer's inputs may be: int8 wants them in -1..1, which outputs of layers are and features are not.
  enum class Inputs { ANY, BOUNDED };

  bool read_affine(const Weights& weights, const char* name, const char* part, int rows, int columns,
                   layers::Affine& affine, Inputs inputs = Inputs::BOUNDED);
  bool read_gru(const Weights& weights, const char* name, int inputs, int size, layers::Gru& gru);
  void lay_out(int dense_size, int hidden, int strength_size);

  const kernels::Kernel* kernel_ = &kernels::choose();
  std::vector<float> mean_, scale_;
  layers::Dense dense_;
  layers::Conv1d conv1_, conv2_;
  layers::Gru gru1_, gru2_, gru3_, gru_gain_, gru_strength_;
  layers::Dense gains_, strengths_, speech_;
  bool has_dereverb_ = false;
  bool has_speech_ = false;
  std::int64_t n_weights_ = 0;
  Layout layout_{};
};

}  // namespace percepnet
