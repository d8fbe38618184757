#include "network.h"

#include <algorithm>
#include <utility>

#include "layer_reader.h"

namespace percepnet {

using layers::Activation;
using layers::Affine;

namespace {

constexpr int CONV1_TAPS = 5, CONV2_TAPS = 3;  // frames

}  // namespace

int Network::read(const Weights& weights) {
  const kernels::Kernel& kernel = *kernel_;
  LayerReader reader(weights, kernel);
  const int d = reader.rows("dense.weight"), h = reader.rows("conv1.weight");
  const int r = reader.columns("gru_strength.recurrent_weight");
  const Tensor* mean = reader.find_float("features.mean", 1, FEATURES);
  const Tensor* scale = reader.find_float("features.scale", 1, FEATURES);
  if (d == 0 || h == 0 || r == 0 || mean == nullptr || scale == nullptr) return PERCEPNET_ERROR_TENSORS;
  mean_ = mean->values();
  scale_ = scale->values();

  has_dereverb_ = weights.scalars() > 0;
  has_speech_ = weights.find("speech.weight") != nullptr;
  const int n_inputs = FEATURES + weights.scalars();
  Affine conv1, conv2;
  const bool complete =
      reader.affine("dense", d, n_inputs, dense_, LayerReader::Inputs::ANY) &&
      (weights.find("cues.weight") == nullptr || reader.affine("cues", d, reader.columns("cues.weight"), cues_)) &&
      reader.affine("conv1", h, CONV1_TAPS * d, conv1) && reader.affine("conv2", h, CONV2_TAPS * h, conv2) &&
      reader.gru("gru1", h, h, gru1_) && reader.gru("gru2", h, h, gru2_) && reader.gru("gru3", h, h, gru3_) &&
      reader.gru("gru_gain", h, h, gru_gain_) && reader.gru("gru_strength", 2 * h, r, gru_strength_) &&
      reader.dense("gains", BANDS, 5 * h, Activation::SIGMOID, gains_) &&
      reader.dense("strengths", BANDS, r, Activation::SIGMOID, strengths_) &&
      (!has_speech_ || reader.dense("speech", 1, 5 * h, Activation::SIGMOID, speech_));
  if (!complete) return PERCEPNET_ERROR_TENSORS;
  conv1_ = {kernel, std::move(conv1), CONV1_TAPS, Activation::TANH};
  conv2_ = {kernel, std::move(conv2), CONV2_TAPS, Activation::TANH};
  n_weights_ = reader.n_weights();
  lay_out(d, h, r);
  return PERCEPNET_OK;
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
  row.cues = take(d);
  row.conv1 = take(h);
  row.trunk = take(5 * h);
  row.strength_input = take(2 * h);
  row.gru_strength = take(r);
  row.size = end;
  layout_.n_sums = std::max({conv1_.n_sums(), conv2_.n_sums(), gru1_.n_sums(), gru_strength_.n_sums()});
  layout_.n_codes = std::max({conv1_.n_codes(), conv2_.n_codes(), gru1_.n_codes(), gru2_.n_codes(), gru3_.n_codes(),
                              gru_gain_.n_codes(), gru_strength_.n_codes(), cues_.n_codes(), gains_.n_codes(), strengths_.n_codes(),
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

void Network::hear(const Job* jobs, int n, Workspace& workspace) const noexcept {
  const Parts input = rows(workspace, n, layout_.row.input), dense = rows(workspace, n, layout_.row.dense);
  const Parts heard = rows(workspace, n, layout_.row.cues);
  scale(jobs, n, input);
  dense_.multiply(input, n, dense, workspace.codes_.data());
  if (n_cues() > 0) {
    const float* cues[BATCH] = {};
    for (int i = 0; i < n; ++i) cues[i] = jobs[i].cues;
    cues_.multiply(cues, n, heard, workspace.codes_.data());
  }
  for (int i = 0; i < n; ++i) {
    for (int k = 0; k < cues_.rows(); ++k) dense.at[i][k] += heard.at[i][k];
    kernel_->tanh(dense.at[i], dense_.rows());
  }
}

void Network::run(const Job* jobs, int n, Workspace& workspace) const noexcept {
  const auto& memory = layout_.memory;
  const auto& row = layout_.row;
  const auto h = static_cast<std::size_t>(gru1_.size());
  const layers::Scratch scratch = {workspace.floats_.data() + BATCH * row.size, workspace.codes_.data()};
  const Parts dense = rows(workspace, n, row.dense);
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

  hear(jobs, n, workspace);
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
