#include "kernels.h"

#include <cstdlib>
#include <cstring>

#include "kernels_arm.h"
#include "kernels_generic.h"
#include "kernels_wasm.h"
#include "kernels_x86.h"

namespace percepnet::kernels {

namespace {

namespace portable {

void multiply_int8(const Strip* strips, const Tile* tiles, int n_strips, int n_columns, const std::int8_t* codes,
                   float* out) {
  generic::multiply_int8(strips, tiles, n_strips, n_columns, codes, out);
}

PERCEPNET_ELEMENTWISE(, 16)

}  // namespace portable

const Kernel PORTABLE = {"portable",     portable::multiply_float, portable::multiply_int8, portable::quantise,
                         portable::tanh, portable::sigmoid,        portable::gates};

struct List {
  const Kernel* kernels[6] = {};  // the portable one, at most four others, null
  int n = 0;
  void add(const Kernel& kernel, bool usable) noexcept {
    if (usable) kernels[n++] = &kernel;
  }
};

List find_available() noexcept {
  List list;
#if defined(__x86_64__) || defined(__i386__)
  const X86Features has = x86_features();
  list.add(AVX512VNNI, has.avx512vnni);
  list.add(AVXVNNI, has.avxvnni);
  list.add(AVX2, has.avx2);
  list.add(SSE, has.ssse3);
#elif defined(__aarch64__)
  list.add(NEONDOT, arm_has_dot_product());
  list.add(NEON, true);
#elif defined(__wasm_simd128__)
  list.add(SIMD128, true);
#endif
  list.add(PORTABLE, true);
  return list;
}

// What the user asked for, or null. A WebAssembly module has no environment to ask, and needs no import for one.
const char* wanted() noexcept {
#if defined(__wasm__)
  return nullptr;
#else
  return std::getenv("PERCEPNET_ISA");
#endif
}

}  // namespace

const Kernel* const* available() noexcept {
  static const List list = find_available();
  return list.kernels;
}

const Kernel& choose() noexcept {
  const Kernel* const* list = available();
  const char* name = wanted();
  for (const Kernel* const* kernel = list; name != nullptr && *kernel != nullptr; ++kernel) {
    if (std::strcmp((*kernel)->name, name) == 0) return **kernel;
  }
  return *list[0];
}

}  // namespace percepnet::kernels
