// The kernel for WebAssembly with 128-bit vectors (-msimd128), a choice of the build: a module that holds such
// instructions does not load where they are unknown.
#pragma once

#include "kernels.h"

namespace percepnet::kernels {

#if defined(__wasm_simd128__)
extern const Kernel SIMD128;
#endif

}  // namespace percepnet::kernels
