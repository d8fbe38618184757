// Applies strengths and gains: mixes the comb into the spectrum, then scales the bands to the wanted amplitude (SPEC 4).
#pragma once

#include "frame.h"

namespace percepnet::gains {

// Strengths of a frame made safe: within 0..1, none in unvoiced frames, at most one half where the comb removes most of
// the low bands (its period is then probably half the true one).
void limit_strengths(const Frame& frame, float* strengths) noexcept;

// out = Y gains + comb, per band: Z(k) = (1 - R(k)) Y(k) + R(k) P(k), each band then scaled so that its amplitude is
// gain times that of Y. R is the interpolated strength, 0 above TOP_BIN.
void apply(const Spectrum& spectrum, const Spectrum& comb, const float* energy, const float* gains,
           const float* strengths, Spectrum& out) noexcept;

// out = floor * spectrum + (1 - floor) * out: nothing is attenuated by more than `floor`.
void limit_attenuation(const Spectrum& spectrum, float floor, Spectrum& out) noexcept;

}  // namespace percepnet::gains
