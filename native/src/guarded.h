// Work that allocates, at a door that must not throw.
#pragma once

#include <new>

#include "constants.h"

namespace percepnet {

// What work() returns, a percepnet_status, or PERCEPNET_ERROR_MEMORY. Where exceptions are not compiled in, as in
// WebAssembly, running out of memory ends the program.
template <class Work>
int guarded(Work work) noexcept {
#if defined(__cpp_exceptions)
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return PERCEPNET_ERROR_MEMORY;
  }
#else
  return work();
#endif
}

}  // namespace percepnet
