// exp, log, tanh, sine: by polynomial, because libm differs between platforms and the output must not (SPEC 7).
// Only IEEE add, subtract, multiply, divide and bit moves, so every compiler gives the same bits without contraction.
#pragma once

#include <cstdint>
#include <cstring>

namespace percepnet::elementary {

inline float from_bits(std::int32_t bits) noexcept {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

inline std::int32_t to_bits(float x) noexcept {
  std::int32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

// Relative error below 2e-7 for x in -87..87, where it saturates: the result and its inverse stay normal numbers. NaN
// counts as the lower end.
inline float exp(float x) noexcept {
  constexpr float LOG2_E = 1.44269504f, LN2_HIGH = 0.693359375f, LN2_LOW = -2.12194440e-4f;
  constexpr float ROUND = 12582912.0f;  // 1.5 * 2^23: adding it rounds to the nearest integer
  x = x > -87.0f ? x : -87.0f;
  x = x < 87.0f ? x : 87.0f;
  const float k = (x * LOG2_E + ROUND) - ROUND;
  const float r = (x - k * LN2_HIGH) - k * LN2_LOW;
  float p = 1.0f / 720.0f;
  p = p * r + 1.0f / 120.0f;
  p = p * r + 1.0f / 24.0f;
  p = p * r + 1.0f / 6.0f;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  return p * from_bits((static_cast<std::int32_t>(k) + 127) * (1 << 23));
}

// Natural logarithm of a positive normal number; absolute error below 2e-7 times (1 + |log x|).
inline float log(float x) noexcept {
  constexpr std::int32_t SQRT_HALF = 0x3f3504f3;
  const std::int32_t bits = to_bits(x);
  const std::int32_t exponent = (bits - SQRT_HALF) >> 23;
  const float m = from_bits(bits - exponent * (1 << 23));  // sqrt(1/2)..sqrt(2)
  const float s = (m - 1.0f) / (m + 1.0f);
  const float s2 = s * s;
  float p = 2.0f / 9.0f;
  p = p * s2 + 2.0f / 7.0f;
  p = p * s2 + 2.0f / 5.0f;
  p = p * s2 + 2.0f / 3.0f;
  p = p * s2 + 2.0f;
  return static_cast<float>(exponent) * 0.693147181f + p * s;
}

inline float log10(float x) noexcept { return log(x) * 0.434294482f; }

inline float tanh(float x) noexcept {
  x = x < -9.0f ? -9.0f : x;
  x = x > 9.0f ? 9.0f : x;
  return 1.0f - 2.0f / (exp(2.0f * x) + 1.0f);
}

inline float sigmoid(float x) noexcept { return 1.0f / (1.0f + exp(-x)); }

// sin(pi/2 x) for x in 0..1, absolute error below 2e-7.
inline float sin_half_pi(float x) noexcept {
  const float x2 = x * x;
  float p = 5.6921729e-8f;
  p = p * x2 - 3.5988432e-6f;
  p = p * x2 + 1.6044118e-4f;
  p = p * x2 - 4.6817541e-3f;
  p = p * x2 + 7.9692626e-2f;
  p = p * x2 - 6.4596410e-1f;
  p = p * x2 + 1.5707963f;
  return p * x;
}

// For tables only: sine and cosine of an angle in whole turns, and the modified Bessel function of Kaiser windows.
double sin_turns(double turns) noexcept;
double cos_turns(double turns) noexcept;
double bessel_i0(double x) noexcept;

}  // namespace percepnet::elementary
