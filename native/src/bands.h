// Between bins and bands: 34 triangular ERB bands whose weights sum to one at every bin (SPEC 1.3).
#pragma once

#include "fft.h"

namespace percepnet::bands {

// w_b(k), bands x bins.
float weight(int band, int bin) noexcept;

// out_b = sum_k w_b(k) Re(U(k) conj V(k)), bins 0..TOP_BIN. With U = V: band energy.
void product(const Spectrum& u, const Spectrum& v, float* out) noexcept;

// bins(k) = sum_b w_b(k) values_b, all BINS; the last band's value extends above TOP_BIN.
void interpolate(const float* values, float* bins) noexcept;

}  // namespace percepnet::bands
