// y[n] = x[n] + pole y[n - 1], four samples at a time: the recursion then waits for one product and one sum in four.
#pragma once

#include <cmath>

namespace percepnet {

// n: a multiple of four. `last` is y[-1]. Values below `smallest` become zero, so that no denormal numbers follow the end
// of a sound. in == out is allowed.
inline void one_pole(const float* in, int n, float pole, float smallest, float last, float* out) noexcept {
  const float pole2 = pole * pole, pole3 = pole2 * pole, pole4 = pole2 * pole2;
  const auto flushed = [smallest](float y) noexcept { return std::fabs(y) < smallest ? 0.0f : y; };
  for (int i = 0; i < n; i += 4) {
    const float a = in[i], b = in[i + 1] + pole * a, c = in[i + 2] + pole * b, d = in[i + 3] + pole * c;
    out[i] = flushed(a + pole * last);
    out[i + 1] = flushed(b + pole2 * last);
    out[i + 2] = flushed(c + pole3 * last);
    out[i + 3] = last = flushed(d + pole4 * last);
  }
}

}  // namespace percepnet
