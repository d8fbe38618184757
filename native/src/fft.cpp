#include "fft.h"

#include "elementary.h"

namespace percepnet::fft {

namespace {

// A real transform of WINDOW points is a complex one of HALF points over (even, odd) pairs.
constexpr int HALF = WINDOW / 2;
static_assert(HALF == 4 * 4 * 2 * 3 * 5, "the passes below factor HALF");

struct Complex {
  alignas(32) float re[HALF];
  alignas(32) float im[HALF];
};

struct Twiddles {
  float re[WINDOW];  // exp(-2 pi i k / WINDOW)
  float im[WINDOW];
  Twiddles() noexcept {
    for (int k = 0; k < WINDOW; ++k) {
      re[k] = static_cast<float>(elementary::cos_turns(static_cast<double>(k) / WINDOW));
      im[k] = static_cast<float>(-elementary::sin_turns(static_cast<double>(k) / WINDOW));
    }
  }
};
const Twiddles TWIDDLES;

struct Point {
  float re, im;
};

inline Point operator+(Point a, Point b) noexcept { return {a.re + b.re, a.im + b.im}; }
inline Point operator-(Point a, Point b) noexcept { return {a.re - b.re, a.im - b.im}; }
inline Point operator*(Point a, Point b) noexcept { return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re}; }
inline Point operator*(float s, Point a) noexcept { return {s * a.re, s * a.im}; }
inline Point times_minus_i(Point a) noexcept { return {a.im, -a.re}; }

// y[k] = sum_j x[j] exp(-2 pi i j k / RADIX), in place.
template <int RADIX>
inline void butterfly(Point* x) noexcept;

template <>
inline void butterfly<2>(Point* x) noexcept {
  const Point a = x[0], b = x[1];
  x[0] = a + b;
  x[1] = a - b;
}

template <>
inline void butterfly<3>(Point* x) noexcept {
  constexpr float SIN_60 = 0.866025404f;
  const Point sum = x[1] + x[2];
  const Point difference = SIN_60 * times_minus_i(x[1] - x[2]);
  const Point middle = x[0] - 0.5f * sum;
  x[0] = x[0] + sum;
  x[1] = middle + difference;
  x[2] = middle - difference;
}

template <>
inline void butterfly<4>(Point* x) noexcept {
  const Point a = x[0] + x[2], b = x[0] - x[2], c = x[1] + x[3], d = times_minus_i(x[1] - x[3]);
  x[0] = a + c;
  x[1] = b + d;
  x[2] = a - c;
  x[3] = b - d;
}

template <>
inline void butterfly<5>(Point* x) noexcept {
  constexpr float COS_72 = 0.309016994f, COS_144 = -0.809016994f, SIN_72 = 0.951056516f, SIN_144 = 0.587785252f;
  const Point sum1 = x[1] + x[4], sum2 = x[2] + x[3];
  const Point difference1 = times_minus_i(x[1] - x[4]), difference2 = times_minus_i(x[2] - x[3]);
  const Point a = x[0] + (COS_72 * sum1 + COS_144 * sum2);
  const Point b = x[0] + (COS_144 * sum1 + COS_72 * sum2);
  const Point c = SIN_72 * difference1 + SIN_144 * difference2;
  const Point d = SIN_144 * difference1 - SIN_72 * difference2;
  x[0] = x[0] + (sum1 + sum2);
  x[1] = a + c;
  x[2] = b + d;
  x[3] = b - d;
  x[4] = a - c;
}

// One Stockham pass: n points in `stride` interleaved transforms become RADIX times as many of n / RADIX points.
template <int RADIX>
void pass(int n, int stride, const Complex& from, Complex& to) noexcept {
  const int m = n / RADIX;
  for (int p = 0; p < m; ++p) {
    Point turn[RADIX];
    for (int k = 0; k < RADIX; ++k) {
      const int index = p * k * (WINDOW / n);
      turn[k] = {TWIDDLES.re[index], TWIDDLES.im[index]};
    }
    const float *__restrict from_re = from.re + stride * p, *__restrict from_im = from.im + stride * p;
    float *__restrict to_re = to.re + stride * RADIX * p, *__restrict to_im = to.im + stride * RADIX * p;
    for (int q = 0; q < stride; ++q) {
      Point x[RADIX];
      for (int j = 0; j < RADIX; ++j) x[j] = {from_re[q + stride * m * j], from_im[q + stride * m * j]};
      butterfly<RADIX>(x);
      for (int k = 0; k < RADIX; ++k) {
        const Point y = k == 0 ? x[0] : x[k] * turn[k];
        to_re[q + stride * k] = y.re;
        to_im[q + stride * k] = y.im;
      }
    }
  }
}

// a holds the input and is overwritten; the result is in b.
void transform(Complex& a, Complex& b) noexcept {
  pass<4>(480, 1, a, b);
  pass<4>(120, 4, b, a);
  pass<2>(30, 16, a, b);
  pass<3>(15, 32, b, a);
  pass<5>(5, 96, a, b);
}

}  // namespace

void forward(const float* samples, Spectrum& spectrum) noexcept {
  Complex pairs, z;
  for (int n = 0; n < HALF; ++n) {
    pairs.re[n] = samples[2 * n];
    pairs.im[n] = samples[2 * n + 1];
  }
  transform(pairs, z);
  for (int k = 0; k < BINS; ++k) {  // even part + twiddle * odd part
    const int i = k % HALF, mirror = (HALF - k) % HALF;
    const Point even = {0.5f * (z.re[i] + z.re[mirror]), 0.5f * (z.im[i] - z.im[mirror])};
    const Point odd = {0.5f * (z.im[i] + z.im[mirror]), 0.5f * (z.re[mirror] - z.re[i])};
    const Point turn = {TWIDDLES.re[k], TWIDDLES.im[k]};
    const Point y = even + turn * odd;
    spectrum.re[k] = y.re;
    spectrum.im[k] = y.im;
  }
}

void inverse(const Spectrum& spectrum, float* samples) noexcept {
  Complex z, pairs;
  for (int k = 0; k < HALF; ++k) {
    const int mirror = HALF - k;
    const Point even = {spectrum.re[k] + spectrum.re[mirror], spectrum.im[k] - spectrum.im[mirror]};
    const Point difference = {spectrum.re[k] - spectrum.re[mirror], spectrum.im[k] + spectrum.im[mirror]};
    const Point odd = Point{TWIDDLES.re[k], -TWIDDLES.im[k]} * difference;
    z.im[k] = even.re - odd.im;  // real and imaginary parts are swapped: an inverse by a forward transform
    z.re[k] = even.im + odd.re;
  }
  // The imaginary parts of lines 0 and HALF of a real signal are zero; whatever they hold is not used.
  z.im[0] = spectrum.re[0] + spectrum.re[HALF];
  z.re[0] = spectrum.re[0] - spectrum.re[HALF];
  transform(z, pairs);
  constexpr float SCALE = 1.0f / WINDOW;
  for (int n = 0; n < HALF; ++n) {
    samples[2 * n] = SCALE * pairs.im[n];
    samples[2 * n + 1] = SCALE * pairs.re[n];
  }
}

}  // namespace percepnet::fft
