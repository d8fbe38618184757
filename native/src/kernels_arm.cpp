#include "kernels_arm.h"

#if defined(__aarch64__)

#include <arm_neon.h>

#include "kernels_generic.h"

#if defined(__linux__)
#include <sys/auxv.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace percepnet::kernels {

namespace {

#define PERCEPNET_DOT __attribute__((target("arch=armv8.2-a+dotprod")))

PERCEPNET_INLINE int8x16_t broadcast(const std::int8_t* codes) noexcept {
  std::int32_t four;
  std::memcpy(&four, codes, sizeof four);
  return vreinterpretq_s8_s32(vdupq_n_s32(four));
}

// Two products of 127 * 127 fit in int16: a row's tile and that of the next four columns are added there. Lanes of a sum
// are pairs of columns, so that two neighbours make a row.
void multiply_int8_neon(const Strip* strip, const Tile* tile, int n_strips, int n_columns, const std::int8_t* codes,
                        float* out) {
  for (int s = 0; s < n_strips; ++s, ++strip, out += Tile::ROWS) {
    int32x4_t sums[8] = {};
    for (int i = 0; i < n_columns; i += 2 * Tile::COLUMNS, tile += 2) {
      const int8x16_t a = broadcast(codes + i), b = broadcast(codes + i + Tile::COLUMNS);
      for (int r = 0; r < 4; ++r) {
        const int8x16_t v = vld1q_s8(tile[0].weights + 16 * r), w = vld1q_s8(tile[1].weights + 16 * r);
        const int16x8_t low = vmlal_s8(vmull_s8(vget_low_s8(v), vget_low_s8(a)), vget_low_s8(w), vget_low_s8(b));
        const int16x8_t high = vmlal_high_s8(vmull_high_s8(v, a), w, b);
        sums[2 * r] = vpadalq_s16(sums[2 * r], low);
        sums[2 * r + 1] = vpadalq_s16(sums[2 * r + 1], high);
      }
    }
    std::int32_t values[Tile::ROWS];
    for (int r = 0; r < 4; ++r) vst1q_s32(values + 4 * r, vpaddq_s32(sums[2 * r], sums[2 * r + 1]));
    generic::scale(values, *strip, out);
  }
}

PERCEPNET_DOT void multiply_int8_dot(const Strip* strip, const Tile* tile, int n_strips, int n_columns,
                                     const std::int8_t* codes, float* out) {
  for (int s = 0; s < n_strips; ++s, ++strip, out += Tile::ROWS) {
    int32x4_t even[4] = {}, odd[4] = {};  // tiles, so that additions need not wait for each other
    for (int i = 0; i < n_columns; i += COLUMN_STEP, tile += 4) {
      const int8x16_t a = vld1q_s8(codes + i);
      for (int r = 0; r < 4; ++r) {
        const auto weights = [&](int t) { return vld1q_s8(tile[t].weights + 16 * r); };
        even[r] = vdotq_laneq_s32(even[r], weights(0), a, 0);
        odd[r] = vdotq_laneq_s32(odd[r], weights(1), a, 1);
        even[r] = vdotq_laneq_s32(even[r], weights(2), a, 2);
        odd[r] = vdotq_laneq_s32(odd[r], weights(3), a, 3);
      }
    }
    std::int32_t values[Tile::ROWS];
    for (int r = 0; r < 4; ++r) vst1q_s32(values + 4 * r, vaddq_s32(even[r], odd[r]));
    generic::scale(values, *strip, out);
  }
}

PERCEPNET_ELEMENTWISE(, 16)

}  // namespace

bool arm_has_dot_product() noexcept {
#if defined(__linux__)
  constexpr unsigned long ASIMDDP = 1ul << 20;
  return (getauxval(AT_HWCAP) & ASIMDDP) != 0;
#elif defined(__APPLE__)
  int has = 0;
  std::size_t size = sizeof has;
  return sysctlbyname("hw.optional.arm.FEAT_DotProd", &has, &size, nullptr, 0) == 0 && has != 0;
#elif defined(__ARM_FEATURE_DOTPROD)
  return true;
#else
  return false;
#endif
}

const Kernel NEON = {"neon", multiply_float, multiply_int8_neon, quantise, tanh, sigmoid, gates};
const Kernel NEONDOT = {"neondot", multiply_float, multiply_int8_dot, quantise, tanh, sigmoid, gates};

}  // namespace percepnet::kernels

#endif
