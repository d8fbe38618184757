// Pitch period of the delayed frame from the look-ahead (SPEC 3.2-3.4).
//
// 48 kHz -> low-pass, every third sample -> LPC residual -> normalised correlation at lags 32..256 of 16 kHz -> Viterbi
// over hops with a traceback of `lookahead` hops, or a lag that a Tracker chooses -> refinement to 1/8 sample at 48 kHz.
//
// Details the text leaves open: the residual's 160 new samples of hop t are made with the LPC of the 20 ms window ending
// at hop t and de-emphasised, e[n] += 0.7 e[n-1]. The octave rule lowers the score that the path sees; the correlation
// reported is the plain one. Ties go to the lowest lag.
#pragma once

#include <cstdint>

#include "history.h"

namespace percepnet {

class Pitch {
 public:
  static constexpr int DECIMATION = 3;
  static constexpr int LAG_MIN = PERIOD_MIN / DECIMATION;  // at 16 kHz
  static constexpr int LAG_MAX = PERIOD_MAX / DECIMATION;
  static constexpr int LAGS = LAG_MAX - LAG_MIN + 1;

  // Takes the newest hop of the history: its correlations are known then.
  void observe(const History& history) noexcept;
  // LAGS values, of the newest hop.
  const float* newest_correlations() const noexcept { return newest().correlation; }

  // Extends the path by the hop that was observed last.
  void extend_path() noexcept;

  // Correlation of the newest hop at the end of the best path so far: it knows the look-ahead.
  float newest_correlation() const noexcept { return newest().correlation[best_]; }

  // L1 / L2 ratio of the newest window's residual, over sqrt(window); 0 if the residual is silent.
  float peakiness() const noexcept { return peakiness_; }

  struct Decision {
    float period;       // samples at 48 kHz, multiples of 1/8, PERIOD_MIN..PERIOD_MAX
    float correlation;  // plain, at the lag chosen; -1..1
  };
  // Index of the best path's lag `lookahead` hops ago. It means nothing before lookahead + 1 hops were observed.
  int trace(int lookahead) const noexcept;

  // A lag of the hop `lookahead` ago, given by its index, refined on that hop's window.
  Decision refine(const History& history, int lookahead, int lag) const noexcept;

 private:
  static constexpr int LOW_HOP = HOP / DECIMATION;
  static constexpr int LOW_WINDOW = 2 * LOW_HOP;
  static constexpr int LPC_ORDER = 8;
  static constexpr int PRODUCTS = 240;   // LAGS and a few shorter ones, which nobody asks for
  static constexpr int ENERGY_HOPS = 8;  // the loudness of a hop is relative to their mean

  struct Step {
    float correlation[LAGS];
    std::int16_t from[LAGS];  // index of the lag one hop earlier on the best path to each lag
  };

  int step_before(int hops) const noexcept;
  const Step& newest() const noexcept { return steps_[newest_]; }
  void push_low_rate(const History& history) noexcept;
  void push_residual() noexcept;
  void multiply_by_past(float* products) const noexcept;
  void correlate(Step& step) noexcept;
  float loudness() noexcept;

  float low_[LOW_WINDOW + LPC_ORDER] = {};        // 16 kHz signal, newest at the end
  float residual_[LAG_MAX + LOW_WINDOW] = {};     // of it
  float older_products_[PRODUCTS] = {};           // of the residual's last hop but one and its past, longest lag first
  float score_[LAGS] = {};                        // best path to each lag, relative to the best of all
  float energies_[ENERGY_HOPS] = {};
  int energies_next_ = 0, energies_known_ = 0;
  Step steps_[LOOKAHEAD_MAX + 1] = {};
  int newest_ = 0;
  int best_ = 0;
  float energy_ = 0.0f;  // of the newest window's residual
  float peakiness_ = 0.0f;
};

}  // namespace percepnet
