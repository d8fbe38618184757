#include "kernels_wasm.h"

#if defined(__wasm_simd128__)

#include <wasm_simd128.h>

#include "kernels_generic.h"

namespace percepnet::kernels {

namespace {

// Codes are widened to 16 bits once for the strip's rows; lanes of a sum are pairs of columns.
void multiply_int8(const Strip* strip, const Tile* tile, int n_strips, int n_columns, const std::int8_t* codes,
                   float* out) {
  for (int s = 0; s < n_strips; ++s, ++strip, out += Tile::ROWS) {
    v128_t sums[8] = {};
    for (int i = 0; i < n_columns; i += Tile::COLUMNS, ++tile) {
      const v128_t a = wasm_i16x8_extend_low_i8x16(wasm_v128_load32_splat(codes + i));
      for (int r = 0; r < 8; ++r) {
        sums[r] = wasm_i32x4_add(sums[r], wasm_i32x4_dot_i16x8(wasm_i16x8_load8x8(tile->weights + 8 * r), a));
      }
    }
    std::int32_t values[Tile::ROWS];
    for (int r = 0; r < 4; ++r) {
      const v128_t even = wasm_i32x4_shuffle(sums[2 * r], sums[2 * r + 1], 0, 2, 4, 6);
      const v128_t odd = wasm_i32x4_shuffle(sums[2 * r], sums[2 * r + 1], 1, 3, 5, 7);
      wasm_v128_store(values + 4 * r, wasm_i32x4_add(even, odd));
    }
    generic::scale(values, *strip, out);
  }
}

PERCEPNET_ELEMENTWISE(, 16)

}  // namespace

const Kernel SIMD128 = {"simd128", multiply_float, multiply_int8, quantise, tanh, sigmoid, gates};

}  // namespace percepnet::kernels

#endif
