#include "model.h"

#include "guarded.h"
#include "weights.h"

namespace percepnet {

int Model::read(const void* bytes, std::size_t size) noexcept {
  return guarded([&] {
    Weights weights;
    const int status = weights.read(bytes, size);
    if (status != PERCEPNET_OK) return status;
    lookahead = weights.lookahead();
    card = weights.card();
    int tensors = network.read(weights);
    if (tensors == PERCEPNET_OK) tensors = tracker.read(weights, network.kernel());
    const bool fits = network.n_cues() == 0 || network.n_cues() == tracker.n_cues();
    return tensors == PERCEPNET_OK && !fits ? static_cast<int>(PERCEPNET_ERROR_TENSORS) : tensors;
  });
}

}  // namespace percepnet
