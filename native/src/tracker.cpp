#include "tracker.h"

#include <cstring>

#include "elementary.h"
#include "layer_reader.h"

namespace percepnet {

using layers::Activation;

// Codes of a layer are its inputs, padded, and as much again where it is sparse.
static_assert(2 * (PitchCues::COUNT + kernels::COLUMN_STEP) <= Tracker::N_CODES &&
                  2 * (Tracker::SIZE_MAX_PER_LAYER + kernels::COLUMN_STEP) <= Tracker::N_CODES,
              "room for codes");

int Tracker::read(const Weights& weights, const kernels::Kernel& kernel) {
  if (weights.find("pitch.dense.weight") == nullptr) return PERCEPNET_OK;
  LayerReader reader(weights, kernel);
  const int d = reader.rows("pitch.dense.weight"), h = reader.columns("pitch.lags.weight");
  const bool complete = d > 0 && d <= SIZE_MAX_PER_LAYER && h > 0 && h <= SIZE_MAX_PER_LAYER &&
                        reader.dense("pitch.dense", d, PitchCues::COUNT, Activation::TANH, dense_) &&
                        reader.gru("pitch.gru1", d, h, gru1_) && reader.gru("pitch.gru2", h, h, gru2_) &&
                        reader.affine("pitch.lags", Pitch::LAGS, h, lags_) &&
                        reader.dense("pitch.voicing", 1, h, Activation::SIGMOID, voicing_);
  n_weights_ = reader.n_weights();
  return complete ? PERCEPNET_OK : PERCEPNET_ERROR_TENSORS;
}

Tracker::Decision Tracker::run(float* cues, State& state) const noexcept {
  float sums[6 * SIZE_MAX_PER_LAYER], dense[SIZE_MAX_PER_LAYER], first[SIZE_MAX_PER_LAYER], second[SIZE_MAX_PER_LAYER];
  std::int8_t codes[N_CODES];
  const layers::Scratch scratch = {sums, codes};
  float scores[Pitch::LAGS], voicing;
  const float *cues_in = cues, *dense_in = dense, *first_in = first, *second_in = second;
  float *dense_out = dense, *first_out = first, *second_out = second, *scores_out = scores, *voicing_out = &voicing;
  float *memory1 = state.gru1, *memory2 = state.gru2;
  dense_.run(&cues_in, 1, &dense_out, scratch);
  gru1_.run(&dense_in, &memory1, 1, &first_out, scratch);
  gru2_.run(&first_in, &memory2, 1, &second_out, scratch);
  lags_.multiply(&second_in, 1, &scores_out, codes);
  voicing_.run(&second_in, 1, &voicing_out, scratch);
  std::memcpy(cues + PitchCues::COUNT, second, static_cast<std::size_t>(lags_.columns()) * sizeof(float));
  int best = 0;
  for (int i = 1; i < Pitch::LAGS; ++i) best = scores[i] > scores[best] ? i : best;
  return {best, voicing};
}

}  // namespace percepnet
