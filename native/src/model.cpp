#include "model.h"

#include <new>

#include "weights.h"

namespace percepnet {

int Model::read(const void* bytes, std::size_t size) noexcept {
  try {
    Weights weights;
    const int status = weights.read(bytes, size);
    if (status != PERCEPNET_OK) return status;
    lookahead = weights.lookahead();
    card = weights.card();
    return network.read(weights);
  } catch (const std::bad_alloc&) {
    return PERCEPNET_ERROR_MEMORY;
  }
}

}  // namespace percepnet
