#include "fft.h"

#include "elementary.h"
#include "lanes.h"

namespace percepnet::fft {

namespace {

// A real transform of WINDOW points is a complex one of HALF points over (even, odd) pairs.
constexpr int HALF = WINDOW / 2;
static_assert(HALF == 4 * 4 * 2 * 3 * 5, "the passes below factor HALF");

struct Complex {
  alignas(32) float re[HALF];
  alignas(32) float im[HALF];
};

constexpr int FIRST_RADIX = 4;

struct Twiddles {
  float re[WINDOW], im[WINDOW];                                            // exp(-2 pi i k / WINDOW)
  float first_re[FIRST_RADIX][HALF / FIRST_RADIX], first_im[FIRST_RADIX][HALF / FIRST_RADIX];  // those of the first pass
  Twiddles() noexcept {
    for (int k = 0; k < WINDOW; ++k) {
      re[k] = static_cast<float>(elementary::cos_turns(static_cast<double>(k) / WINDOW));
      im[k] = static_cast<float>(-elementary::sin_turns(static_cast<double>(k) / WINDOW));
    }
    for (int k = 0; k < FIRST_RADIX; ++k) {
      for (int p = 0; p < HALF / FIRST_RADIX; ++p) {
        first_re[k][p] = re[2 * p * k];
        first_im[k][p] = im[2 * p * k];
      }
    }
  }
};
const Twiddles TWIDDLES;

// N_LANES complex numbers.
struct Points {
  Lanes re, im;
};

inline Points load(const Complex& z, int i) noexcept { return {percepnet::load(z.re + i), percepnet::load(z.im + i)}; }
inline void store(const Points& x, Complex& z, int i) noexcept {
  percepnet::store(x.re, z.re + i);
  percepnet::store(x.im, z.im + i);
}
inline Points operator+(Points a, Points b) noexcept { return {a.re + b.re, a.im + b.im}; }
inline Points operator-(Points a, Points b) noexcept { return {a.re - b.re, a.im - b.im}; }
inline Points operator*(Points a, Points b) noexcept { return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re}; }
inline Points operator*(float s, Points a) noexcept { return {s * a.re, s * a.im}; }
inline Points times_minus_i(Points a) noexcept { return {a.im, -a.re}; }
inline Points conjugate(Points a) noexcept { return {a.re, -a.im}; }
inline Points reversed(Points a) noexcept { return {percepnet::reversed(a.re), percepnet::reversed(a.im)}; }

// y[k] = sum_j x[j] exp(-2 pi i j k / RADIX), in place.
template <int RADIX>
inline void butterfly(Points* x) noexcept;

template <>
inline void butterfly<2>(Points* x) noexcept {
  const Points a = x[0], b = x[1];
  x[0] = a + b;
  x[1] = a - b;
}

template <>
inline void butterfly<3>(Points* x) noexcept {
  constexpr float SIN_60 = 0.866025404f;
  const Points sum = x[1] + x[2];
  const Points difference = SIN_60 * times_minus_i(x[1] - x[2]);
  const Points middle = x[0] - 0.5f * sum;
  x[0] = x[0] + sum;
  x[1] = middle + difference;
  x[2] = middle - difference;
}

template <>
inline void butterfly<4>(Points* x) noexcept {
  const Points a = x[0] + x[2], b = x[0] - x[2], c = x[1] + x[3], d = times_minus_i(x[1] - x[3]);
  x[0] = a + c;
  x[1] = b + d;
  x[2] = a - c;
  x[3] = b - d;
}

template <>
inline void butterfly<5>(Points* x) noexcept {
  constexpr float COS_72 = 0.309016994f, COS_144 = -0.809016994f, SIN_72 = 0.951056516f, SIN_144 = 0.587785252f;
  const Points sum1 = x[1] + x[4], sum2 = x[2] + x[3];
  const Points difference1 = times_minus_i(x[1] - x[4]), difference2 = times_minus_i(x[2] - x[3]);
  const Points a = x[0] + (COS_72 * sum1 + COS_144 * sum2);
  const Points b = x[0] + (COS_144 * sum1 + COS_72 * sum2);
  const Points c = SIN_72 * difference1 + SIN_144 * difference2;
  const Points d = SIN_144 * difference1 - SIN_72 * difference2;
  x[0] = x[0] + (sum1 + sum2);
  x[1] = a + c;
  x[2] = b + d;
  x[3] = b - d;
  x[4] = a - c;
}

// x[j][i] -> x[i][j].
inline void transpose(Lanes& a, Lanes& b, Lanes& c, Lanes& d) noexcept {
  const Lanes ac = {a[0], c[0], a[1], c[1]}, bd = {b[0], d[0], b[1], d[1]};
  const Lanes ac_high = {a[2], c[2], a[3], c[3]}, bd_high = {b[2], d[2], b[3], d[3]};
  a = Lanes{ac[0], bd[0], ac[1], bd[1]};
  b = Lanes{ac[2], bd[2], ac[3], bd[3]};
  c = Lanes{ac_high[0], bd_high[0], ac_high[1], bd_high[1]};
  d = Lanes{ac_high[2], bd_high[2], ac_high[3], bd_high[3]};
}

// The first Stockham pass, of radix 4 and stride 1: lanes are neighbouring points, which end up four apart.
void first_pass(const Complex& from, Complex& to) noexcept {
  constexpr int M = HALF / FIRST_RADIX;
  for (int p = 0; p < M; p += N_LANES) {
    Points x[FIRST_RADIX];
    for (int j = 0; j < FIRST_RADIX; ++j) x[j] = load(from, p + M * j);
    butterfly<FIRST_RADIX>(x);
    for (int k = 1; k < FIRST_RADIX; ++k) {
      x[k] = x[k] * Points{percepnet::load(TWIDDLES.first_re[k] + p), percepnet::load(TWIDDLES.first_im[k] + p)};
    }
    transpose(x[0].re, x[1].re, x[2].re, x[3].re);
    transpose(x[0].im, x[1].im, x[2].im, x[3].im);
    for (int i = 0; i < N_LANES; ++i) store(x[i], to, FIRST_RADIX * (p + i));
  }
}

// A later pass: N points in STRIDE interleaved transforms become RADIX times as many of N / RADIX points.
template <int RADIX, int N, int STRIDE>
void pass(const Complex& from, Complex& to) noexcept {
  static_assert(N * STRIDE == HALF && STRIDE % N_LANES == 0, "lanes are neighbouring transforms");
  constexpr int M = N / RADIX;
  for (int p = 0; p < M; ++p) {
    Points turn[RADIX];
    for (int k = 1; k < RADIX; ++k) {
      const int index = p * k * (WINDOW / N);
      turn[k] = {splat(TWIDDLES.re[index]), splat(TWIDDLES.im[index])};
    }
    for (int q = 0; q < STRIDE; q += N_LANES) {
      Points x[RADIX];
      for (int j = 0; j < RADIX; ++j) x[j] = load(from, q + STRIDE * (p + M * j));
      butterfly<RADIX>(x);
      store(x[0], to, q + STRIDE * RADIX * p);
      // In the last pass, M = 1, all turns are one.
      for (int k = 1; k < RADIX; ++k) store(M == 1 ? x[k] : x[k] * turn[k], to, q + STRIDE * (RADIX * p + k));
    }
  }
}

// a holds the input and is overwritten; the result is in b.
void transform(Complex& a, Complex& b) noexcept {
  first_pass(a, b);
  pass<4, 120, 4>(b, a);
  pass<2, 30, 16>(a, b);
  pass<3, 15, 32>(b, a);
  pass<5, 5, 96>(a, b);
}

// Four neighbouring points from k on, and those that mirror them, HALF - k and before, in reverse.
template <class Z>
inline Points mirror_of(const Z& z, int k) noexcept {
  const int i = HALF - k - (N_LANES - 1);
  return reversed({percepnet::load(z.re + i), percepnet::load(z.im + i)});
}

template <class Z>
inline void store_mirrored(Points x, Z& z, int k) noexcept {
  const int i = HALF - k - (N_LANES - 1);
  x = reversed(x);
  percepnet::store(x.re, z.re + i);
  percepnet::store(x.im, z.im + i);
}

}  // namespace

void forward(const float* samples, Spectrum& spectrum) noexcept {
  Complex pairs, z;
  for (int n = 0; n < HALF; ++n) {
    pairs.re[n] = samples[2 * n];
    pairs.im[n] = samples[2 * n + 1];
  }
  transform(pairs, z);
  spectrum.re[0] = z.re[0] + z.im[0];
  spectrum.re[HALF] = z.re[0] - z.im[0];
  spectrum.im[0] = spectrum.im[HALF] = 0.0f;
  for (int k = 1; k <= HALF / 2; k += N_LANES) {  // even part +- twiddle * odd part
    const Points a = load(z, k), b = conjugate(mirror_of(z, k));
    const Points turn = {percepnet::load(TWIDDLES.re + k), percepnet::load(TWIDDLES.im + k)};
    const Points even = 0.5f * (a + b), odd = turn * times_minus_i(0.5f * (a - b));
    const Points low = even + odd, high = conjugate(even - odd);
    percepnet::store(low.re, spectrum.re + k);
    percepnet::store(low.im, spectrum.im + k);
    store_mirrored(high, spectrum, k);
  }
}

void inverse(const Spectrum& spectrum, float* samples) noexcept {
  Complex z, pairs;
  // Real and imaginary parts are swapped: an inverse by a forward transform. The imaginary parts of lines 0 and HALF of a
  // real signal are zero; whatever they hold is not used.
  z.im[0] = spectrum.re[0] + spectrum.re[HALF];
  z.re[0] = spectrum.re[0] - spectrum.re[HALF];
  for (int k = 1; k <= HALF / 2; k += N_LANES) {
    const Points a = {percepnet::load(spectrum.re + k), percepnet::load(spectrum.im + k)};
    const Points b = conjugate(mirror_of(spectrum, k));
    const Points turn = {percepnet::load(TWIDDLES.re + k), -percepnet::load(TWIDDLES.im + k)};
    const Points even = a + b, odd = turn * (a - b);
    store({even.im + odd.re, even.re - odd.im}, z, k);
    store_mirrored({odd.re - even.im, even.re + odd.im}, z, k);
  }
  transform(z, pairs);
  constexpr float SCALE = 1.0f / WINDOW;
  for (int n = 0; n < HALF; ++n) {
    samples[2 * n] = SCALE * pairs.im[n];
    samples[2 * n + 1] = SCALE * pairs.re[n];
  }
}

}  // namespace percepnet::fft
