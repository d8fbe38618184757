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
  auto& memory = layout_.memory;
  memory.conv1 = take(CONV1_TAPS * d);
  memory.conv2 = take(CONV2_TAPS * h);
  for (std::size_t* gru : {&memory.gru1, &memory.gru2, &memory.gru3, &memory.gru_gain}) *gru = take(h);
  memory.gru_strength = take(r);
  memory.size = std::exchange(end, 0);
  auto& row = layout_.row;
  row.input = take(FEATURES + 1);
  row.dense = take(d);
  row.conv1 = take(h);
  row.trunk = take(5 * h);
  row.strength_input = take(2 * h);
  row.gru_strength = take(r);
  row.size = end;
  layout_.n_sums = std::max({conv1_.n_sums(), conv2_.n_sums(), gru1_.n_sums(), gru_strength_.n_sums()});
  layout_.n_codes = std::max({conv1_.n_codes(), conv2_.n_codes(), gru1_.n_codes(), gru2_.n_codes(), gru3_.n_codes(),
                              gru_gain_.n_codes(), gru_strength_.n_codes(), gains_.n_codes(), strengths_.n_codes(),
                              speech_.n_codes()});
}

Network::Parts Network::remembered(const Job* jobs, int n, std::size_t part) noexcept {
  Parts parts{};
  for (int i = 0; i < n; ++i) parts.at[i] = jobs[i].state->memory_.data() + part;
  return parts;
}

Network::Parts Network::rows(Workspace& workspace, int n, std::size_t part) const noexcept {
  Parts parts{};
  for (int i = 0; i < n; ++i) parts.at[i] = workspace.floats_.data() + static_cast<std::size_t>(i) * layout_.row.size + part;
  return parts;
}

void Network::scale(const Job* jobs, int n, float* const* inputs) const noexcept {
  for (int job = 0; job < n; ++job) {
    for (std::size_t i = 0; i < FEATURES; ++i) inputs[job][i] = (jobs[job].features[i] - mean_[i]) * scale_[i];
    inputs[job][FEATURES] = jobs[job].dereverb;
  }
}

void Network::run(const Job* jobs, int n, Workspace& workspace) const noexcept {
  const auto& memory = layout_.memory;
  const auto& row = layout_.row;
  const auto h = static_cast<std::size_t>(gru1_.size());
  const layers::Scratch scratch = {workspace.floats_.data() + BATCH * row.size, workspace.codes_.data()};
  const Parts input = rows(workspace, n, row.input), dense = rows(workspace, n, row.dense);
  const Parts conv1 = rows(workspace, n, row.conv1), conv2 = rows(workspace, n, row.trunk);
  const Parts gru1 = rows(workspace, n, row.trunk + h), gru2 = rows(workspace, n, row.trunk + 2 * h);
  const Parts gru3 = rows(workspace, n, row.trunk + 3 * h), gru_gain = rows(workspace, n, row.trunk + 4 * h);
  const Parts& trunk = conv2;
  const Parts strength_input = rows(workspace, n, row.strength_input);
  const Parts gru_strength = rows(workspace, n, row.gru_strength);
  Parts gains{}, strengths{}, speech{};
  for (int i = 0; i < n; ++i) {
    gains.at[i] = jobs[i].gains;
    strengths.at[i] = jobs[i].strengths;
    speech.at[i] = jobs[i].speech_probability;
    *speech.at[i] = -1.0f;
  }

  scale(jobs, n, input);
  dense_.run(input, n, dense, scratch);
  conv1_.run(dense, remembered(jobs, n, memory.conv1), n, conv1, scratch);
  conv2_.run(conv1, remembered(jobs, n, memory.conv2), n, conv2, scratch);
  gru1_.run(conv2, remembered(jobs, n, memory.gru1), n, gru1, scratch);
  gru2_.run(gru1, remembered(jobs, n, memory.gru2), n, gru2, scratch);
  gru3_.run(gru2, remembered(jobs, n, memory.gru3), n, gru3, scratch);
  gru_gain_.run(gru3, remembered(jobs, n, memory.gru_gain), n, gru_gain, scratch);
  for (int i = 0; i < n; ++i) {
    std::copy_n(conv2.at[i], h, strength_input.at[i]);
    std::copy_n(gru3.at[i], h, strength_input.at[i] + h);
  }
  gru_strength_.run(strength_input, remembered(jobs, n, memory.gru_strength), n, gru_strength, scratch);
  gains_.run(trunk, n, gains, scratch);
  strengths_.run(gru_strength, n, strengths, scratch);
  if (has_speech_) speech_.run(trunk, n, speech, scratch);
}

NetworkState::NetworkState(const Network& network) : memory_(network.layout_.memory.size) {}

void NetworkState::reset() noexcept { std::fill(memory_.begin(), memory_.end(), 0.0f); }

Workspace::Workspace(const Network& network)
    : floats_(BATCH * (network.layout_.row.size + network.layout_.n_sums)), codes_(BATCH * network.layout_.n_codes) {}

}  // namespace percepnet
