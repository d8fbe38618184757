#include "elementary.h"

#include <cmath>

namespace percepnet::elementary {

namespace {

constexpr double TWO_PI = 6.283185307179586476925;

// Taylor series for |x| <= pi/4, to the last bit or two of a double.
double series(double x, double first, int lowest) noexcept {
  double term = first, sum = first;
  for (int n = lowest; n < lowest + 18; n += 2) {
    term *= -x * x / ((n + 1) * (n + 2));
    sum += term;
  }
  return sum;
}

}  // namespace

double sin_turns(double turns) noexcept {
  double t = turns - std::floor(turns + 0.5);  // -1/2..1/2
  const double sign = t < 0 ? -1.0 : 1.0;
  t = std::fabs(t);
  if (t > 0.25) t = 0.5 - t;
  return sign * (t <= 0.125 ? series(TWO_PI * t, TWO_PI * t, 1) : series(TWO_PI * (0.25 - t), 1.0, 0));
}

double cos_turns(double turns) noexcept { return sin_turns(turns + 0.25); }

double bessel_i0(double x) noexcept {
  double term = 1.0, sum = 1.0;
  for (int k = 1; k < 60; ++k) {
    term *= (x / (2.0 * k)) * (x / (2.0 * k));
    sum += term;
  }
  return sum;
}

}  // namespace percepnet::elementary
