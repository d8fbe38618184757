// Clean and noisy frames -> the gains and strengths a perfect network would give: training targets (SPEC 2).
#pragma once

#include "front_end.h"

namespace percepnet::oracle {

// Band products of one frame: noisy Y, comb of it C, clean X, comb of the clean P.
struct Products {
  struct Statistics {  // what a loss needs (SPEC 9.1)
    float yy[BANDS], cc[BANDS], yc[BANDS], xx[BANDS], yx[BANDS], cx[BANDS];
  } statistics;
  float pp[BANDS], xp[BANDS], yp[BANDS], cp[BANDS];
};

constexpr float MASKED = -1.0f;  // a target that the loss must ignore

// gains, strengths: BANDS each, 0..1 or MASKED. centre: of the comb.
void targets(const Products& products, bool voiced, float centre, float* gains, float* strengths) noexcept;

// The clean twin of a noisy channel, combed with the noisy channel's period.
class Clean {
 public:
  void push(const float* hop) noexcept;
  // Products of `frame`, which the noisy channel completed with the same hop.
  void products(const Frame& frame, int lookahead, Products& out) const noexcept;

 private:
  DcBlocker dc_blocker_;
  History history_;
};

}  // namespace percepnet::oracle
