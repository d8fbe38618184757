// What the worklet needs beside percepnet.h: the layout that it reads, held still, and the level of a frame for a meter.
#include <cstddef>

#include "../../native/include/percepnet.h"
#include "../../native/src/elementary.h"

// worklet.js reads these fields by their place in memory.
static_assert(sizeof(percepnet_hooks) == 32 && offsetof(percepnet_hooks, frames) == 20 &&
              offsetof(percepnet_hooks, frame_capacity) == 24 && offsetof(percepnet_hooks, n_frames) == 28);
static_assert(sizeof(percepnet_frame) == 576 && offsetof(percepnet_frame, gated) == 12 &&
              offsetof(percepnet_frame, energy) == 16 && offsetof(percepnet_frame, gains) == 288 &&
              offsetof(percepnet_frame, strengths) == 424 && offsetof(percepnet_frame, speech_probability) == 568);

// Level of the input in a frame, dB re a square wave of full scale (dBFS RMS), up to 20 kHz; -120 is silence.
extern "C" PERCEPNET_API float percepnet_web_level_db(const percepnet_frame* frame) {
  constexpr float FLOOR = 1e-12f;
  // The squared window sums to half its length, and each line of a spectrum but the outer two stands for two.
  constexpr float MEAN_SQUARE = 4.0f / (PERCEPNET_WINDOW * PERCEPNET_WINDOW);
  float energy = 0.0f;
  for (float band : frame->energy) energy += band;
  return 10.0f * percepnet::elementary::log10(energy * MEAN_SQUARE + FLOOR);
}
