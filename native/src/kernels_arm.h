// Kernels for 64-bit ARM, where NEON is always there.
#pragma once

#include "kernels.h"

namespace percepnet::kernels {

#if defined(__aarch64__)
extern const Kernel NEON, NEONDOT;

bool arm_has_dot_product() noexcept;
#endif

}  // namespace percepnet::kernels
