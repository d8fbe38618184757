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
    return network.read(weights);
  });
}

}  // namespace percepnet
