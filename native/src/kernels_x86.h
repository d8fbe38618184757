// Kernels for x86 beyond SSE2, which every x86-64 processor has and the portable kernel uses.
#pragma once

#include "kernels.h"

namespace percepnet::kernels {

#if defined(__x86_64__) || defined(__i386__)
extern const Kernel SSE, AVX2, AVXVNNI, AVX512VNNI;

// What CPUID reports and the operating system saves.
struct X86Features {
  bool ssse3, avx2, avxvnni, avx512vnni;
};
X86Features x86_features() noexcept;
#endif

}  // namespace percepnet::kernels
