#include "network.h"

#include <algorithm>
#include <string>
#include <utility>

namespace percepnet {

using layers::Activation;
using layers::Affine;

namespace {

constexpr int CONV1_TAPS = 5, CONV2_TAPS = 3;  // frames
constexpr int SIZE_MAX_PER_LAYER = 4096;

const Tensor* find(const Weights& weights, const std::string& name, int rows, int columns) {
  const Tensor* tensor = weights.find(name);
  return tensor != nullptr && tensor->rows() == rows && tensor->columns() == columns ? tensor : nullptr;
}

const Tensor* find_float(const Weights& weights, const std::string& name, int rows, int columns) {
  const Tensor* tensor = find(weights, name, rows, columns);
  return tensor != nullptr && !tensor->is_int8() ? tensor : nullptr;
}

// A layer's size is that of a tensor; 0 if it is missing or absurd.
int size_of(const Tensor* tensor, int (Tensor::*dimension)() const noexcept) noexcept {
  const int size = tensor != nullptr ? (tensor->*dimension)() : 0;
  return size <= SIZE_MAX_PER_LAYER ? size : 0;
}

}  // namespace

int Network::read(const Weights& weights) {
  const int d = size_of(weights.find("dense.weight"), &Tensor::rows);
  const int h = size_of(weights.find("conv1.weight"), &Tensor::rows);
  const int r = size_of(weights.find("gru_strength.recurrent_weight"), &Tensor::columns);
  const Tensor* mean = find_float(weights, "features.mean", 1, FEATURES);
  const Tensor* scale = find_float(weights, "features.scale", 1, FEATURES);
  if (d == 0 || h == 0 || r == 0 || mean == nullptr || scale == nullptr) return PERCEPNET_ERROR_TENSORS;
  mean_ = mean->values();
  scale_ = scale->values();

  has_dereverb_ = weights.scalars() > 0;
  n_weights_ = 0;
  Affine dense, conv1, conv2, gains, strengths, speech;
  bool complete = read_affine(weights, "dense", "", d, FEATURES + weights.scalars(), dense, Inputs::ANY) &&
                  read_affine(weights, "conv1", "", h, CONV1_TAPS * d, conv1) &&
                  read_affine(weights, "conv2", "", h, CONV2_TAPS * h, conv2) &&
                  read_gru(weights, "gru1", h, h, gru1_) && read_gru(weights, "gru2", h, h, gru2_) &&
                  read_gru(weights, "gru3", h, h, gru3_) && read_gru(weights, "gru_gain", h, h, gru_gain_) &&
                  read_gru(weights, "gru_strength", 2 * h, r, gru_strength_) &&
                  read_affine(weights, "gains", "", BANDS, 5 * h, gains) &&
                  read_affine(weights, "strengths", "", BANDS, r, strengths);
  has_speech_ = weights.find("speech.weight") != nullptr;
  if (has_speech_) complete = complete && read_affine(weights, "speech", "", 1, 5 * h, speech);
  if (!complete) return PERCEPNET_ERROR_TENSORS;

  const kernels::Kernel& kernel = *kernel_;
  dense_ = {kernel, std::move(dense), Activation::TANH};
  conv1_ = {kernel, std::move(conv1), CONV1_TAPS, Activation::TANH};
  conv2_ = {kernel, std::move(conv2), CONV2_TAPS, Activation::TANH};
  gains_ = {kernel, std::move(gains), Activation::SIGMOID};
  strengths_ = {kernel, std::move(strengths), Activation::SIGMOID};
  speech_ = {kernel, std::move(speech), Activation::SIGMOID};
  lay_out(d, h, r);
  return PERCEPNET_OK;
}

bool Network::read_affine(const Weights& weights, const char* name, const char* part, int rows, int columns,
                          Affine& affine, Inputs inputs) {
  const std::string prefix = std::string(name) + "." + part;
  const Tensor* weight = find(weights, prefix + "weight", rows, columns);
  const Tensor* bias = find_float(weights, prefix + "bias", 1, rows);
  if (weight == nullptr || bias == nullptr) return false;
  if (weight->is_int8() && inputs != Inputs::BOUNDED) return false;
  const std::vector<float> biases = bias->values();
  affine = weight->is_int8() ? Affine(*kernel_, weight->integers(), weight->scales().data(), biases.data(), rows, columns)
                             : Affine(*kernel_, weight->values().data(), biases.data(), rows, columns);
  n_weights_ += static_cast<std::int64_t>(rows) * (columns + 1);
  return true;
}

bool Network::read_gru(const Weights& weights, const char* name, int inputs, int size, layers::Gru& gru) {
  Affine input, recurrent;
  if (!read_affine(weights, name, "input_", 3 * size, inputs, input)) return false;
  if (!read_affine(weights, name, "recurrent_", 3 * size, size, recurrent)) return false;
  gru = {*kernel_, std::move(input), std::move(recurrent)};
  return true;
}

void Network::lay_out(int dense_size, int hidden, int strength_size) {
  const auto d = static_cast<std::size_t>(dense_size);
  const auto h = static_cast<std::size_t>(hidden);
  const auto r = static_cast<std::size_t>(strength_size);
  std::size_t end = 0;
  const auto take = [&end](std::size_t n) {
    const std::size_t start = end;
    end += n;
    return start;
  };
  layout_.conv1 = take(CONV1_TAPS * d);
  layout_.conv2 = take(CONV2_TAPS * h);
  layout_.trunk = take(5 * h);
  layout_.gru_strength = take(r);
  layout_.input = take(FEATURES + 1);
  layout_.dense = take(d);
  layout_.conv1_out = take(h);
  layout_.strength_input = take(2 * h);
  layout_.scratch = take(6 * std::max(h, r));
  layout_.size = end;
  layout_.n_codes = std::max({conv1_.n_codes(), conv2_.n_codes(), gru1_.n_codes(), gru2_.n_codes(), gru3_.n_codes(),
                              gru_gain_.n_codes(), gru_strength_.n_codes(), gains_.n_codes(), strengths_.n_codes(),
                              speech_.n_codes()});
}

void Network::step(NetworkState& state, const float* features, float dereverb, float* gains, float* strengths,
                   float* speech_probability) const noexcept {
  float* const memory = state.memory_.data();
  const std::ptrdiff_t h = gru1_.size();
  float* const input = memory + layout_.input;
  float* const dense = memory + layout_.dense;
  float* const conv1 = memory + layout_.conv1_out;
  float* const trunk = memory + layout_.trunk;
  float* const conv2 = trunk;
  float* const gru1 = conv2 + h;
  float* const gru2 = gru1 + h;
  float* const gru3 = gru2 + h;
  float* const gru_gain = gru3 + h;
  float* const strength_input = memory + layout_.strength_input;
  float* const gru_strength = memory + layout_.gru_strength;
  const layers::Scratch scratch = {memory + layout_.scratch, state.codes_.data()};

  for (std::size_t i = 0; i < FEATURES; ++i) input[i] = (features[i] - mean_[i]) * scale_[i];
  input[FEATURES] = dereverb;
  dense_.step(input, dense, scratch);
  conv1_.step(dense, memory + layout_.conv1, conv1, scratch);
  conv2_.step(conv1, memory + layout_.conv2, conv2, scratch);
  gru1_.step(conv2, gru1, scratch);
  gru2_.step(gru1, gru2, scratch);
  gru3_.step(gru2, gru3, scratch);
  gru_gain_.step(gru3, gru_gain, scratch);
  std::copy(conv2, conv2 + h, strength_input);
  std::copy(gru3, gru3 + h, strength_input + h);
  gru_strength_.step(strength_input, gru_strength, scratch);
  gains_.step(trunk, gains, scratch);
  strengths_.step(gru_strength, strengths, scratch);
  *speech_probability = -1.0f;
  if (has_speech_) speech_.step(trunk, speech_probability, scratch);
}

NetworkState::NetworkState(const Network& network)
    : memory_(network.layout_.size), codes_(network.layout_.n_codes) {}

void NetworkState::reset() noexcept { std::fill(memory_.begin(), memory_.end(), 0.0f); }

}  // namespace percepnet
