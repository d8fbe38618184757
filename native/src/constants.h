// Facts of the signal path. Model facts are in the weight file; a user's choices are arguments.
#pragma once

#include "../include/percepnet.h"

namespace percepnet {

constexpr int SAMPLE_RATE = PERCEPNET_SAMPLE_RATE;
constexpr int HOP = PERCEPNET_HOP;
constexpr int WINDOW = 2 * HOP;
constexpr int BINS = WINDOW / 2 + 1;
constexpr int BANDS = PERCEPNET_BANDS;
constexpr int FEATURES = PERCEPNET_FEATURES;
constexpr int LOOKAHEAD_MAX = PERCEPNET_LOOKAHEAD_MAX;
constexpr int PERIOD_MIN = PERCEPNET_PERIOD_MIN;
constexpr int PERIOD_MAX = PERCEPNET_PERIOD_MAX;
constexpr int COMB_HALF_ORDER = 5;  // periods on each side of the sample that is filtered

static_assert(WINDOW == PERCEPNET_WINDOW && BINS == PERCEPNET_BINS, "percepnet.h disagrees with its own constants");

// Centres of the ERB bands in bins of 50 Hz: steps of one ERB, at least two bins, downwards from 20 kHz (SPEC 1.3).
constexpr int BAND_CENTRES[BANDS] = {2,  4,  6,  8,  10, 12,  14,  16,  18,  21,  24,  28,  32,  36,  41,  47,  53,
                                     60, 68, 77, 87, 98, 110, 124, 140, 157, 176, 198, 223, 251, 282, 317, 356, 400};
constexpr int TOP_BIN = BAND_CENTRES[BANDS - 1];  // 20 kHz: energies stop here, gains are extended beyond

// What a pitch tracker tells of a hop to a network that asks: the cues that it hears, then what it remembers.
constexpr int CUES_MAX = 480;

// Added to band energies before a logarithm or a division: white noise at about -117 dBFS.
constexpr float ENERGY_FLOOR = 1e-9f;
// Below this pitch correlation the plain tracker's frames count as unvoiced: no comb, in training and at run time alike. A
// learned tracker finds periods that hardly correlate in the noise: there the network decides.
constexpr float VOICING_MIN = 0.1f;

}  // namespace percepnet
