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
    const int tensors = network.read(weights);
    return tensors == PERCEPNET_OK ? tracker.read(weights, network.kernel()) : tensors;
  });
}

}  // namespace percepnet
