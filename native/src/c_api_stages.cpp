// percepnet_stages.h over the stages.
#include "../include/percepnet_stages.h"

#include <cstring>
#include <memory>
#include <vector>

#include "analysis.h"
#include "bands.h"
#include "c_api.h"
#include "elementary.h"
#include "gains.h"
#include "guarded.h"
#include "oracle.h"
#include "pitch_cues.h"
#include "postfilter.h"
#include "synthesis.h"

namespace {

using namespace percepnet;

void load(const float* interleaved, Spectrum& spectrum) noexcept {
  for (int k = 0; k < BINS; ++k) {
    spectrum.re[k] = interleaved[2 * k];
    spectrum.im[k] = interleaved[2 * k + 1];
  }
}

void store(const Spectrum& spectrum, float* interleaved) noexcept {
  for (int k = 0; k < BINS; ++k) {
    interleaved[2 * k] = spectrum.re[k];
    interleaved[2 * k + 1] = spectrum.im[k];
  }
}

// Row `frame` of an optional output array.
template <class T>
void put_row(T* array, std::size_t frame, const T* row, std::size_t width) noexcept {
  if (array) std::memcpy(array + frame * width, row, width * sizeof(T));
}

void put_frame(const Frame& frame, std::size_t i, std::size_t n_cues, percepnet_analysis& out) noexcept {
  const std::uint8_t gated = frame.gated ? 1 : 0;
  put_row(out.features, i, frame.features, FEATURES);
  put_row(out.period, i, &frame.period, 1);
  put_row(out.correlation, i, &frame.correlation, 1);
  put_row(out.gated, i, &gated, 1);
  put_row(out.energy, i, frame.energy, BANDS);
  put_row(out.coherence, i, frame.coherence, BANDS);
  put_row(out.cues, i, frame.cues, n_cues);
}

void put_targets(const oracle::Products& products, const Frame& frame, std::size_t i, percepnet_analysis& out) noexcept {
  float gains[BANDS], strengths[BANDS];
  oracle::targets(products, frame.voiced, frame.comb_shape.centre, gains, strengths);
  put_row(out.gains, i, gains, BANDS);
  put_row(out.strengths, i, strengths, BANDS);
  put_row(out.statistics, i, products.statistics.yy, 6 * BANDS);
}

}  // namespace

extern "C" {

int percepnet_analyze(int lookahead, const percepnet_model* tracker, const float* noisy, const float* clean,
                      const float* pitch_source, size_t n_hops, percepnet_analysis* analysis) {
  if (!noisy || !analysis || lookahead < 0 || lookahead > LOOKAHEAD_MAX) return PERCEPNET_ERROR_ARGUMENT;
  return guarded([&] {
    const auto front_end = std::make_unique<FrontEnd>(lookahead, tracker ? &tracker->model.tracker : nullptr);
    const std::size_t n_cues = tracker ? static_cast<std::size_t>(tracker->model.tracker.n_cues()) : 0;
    const auto pitch_front_end = std::make_unique<FrontEnd>(lookahead);
    const auto clean_twin = std::make_unique<oracle::Clean>();
    const auto products = std::make_unique<oracle::Products>();
    std::size_t i = 0;
    for (std::size_t hop = 0; hop < n_hops; ++hop) {
      const std::size_t start = hop * HOP;
      const Frame* guide = pitch_source ? pitch_front_end->push(pitch_source + start) : nullptr;
      Frame* frame = front_end->push(noisy + start, guide);
      if (clean) clean_twin->push(clean + start);
      if (!frame) continue;
      put_frame(*frame, i, n_cues, *analysis);
      if (clean) {
        clean_twin->products(*frame, lookahead, *products);
        put_targets(*products, *frame, i, *analysis);
      }
      ++i;
    }
    return static_cast<int>(PERCEPNET_OK);
  });
}

int percepnet_model_n_cues(const percepnet_model* model) { return model->model.tracker.n_cues(); }

int percepnet_model_n_inputs(const percepnet_model* model) { return model->model.network.n_inputs(); }

int percepnet_pitch_cues(const float* samples, size_t n_hops, float* cues) {
  if (!samples || !cues) return PERCEPNET_ERROR_ARGUMENT;
  return guarded([&] {
    const auto pitch = std::make_unique<Pitch>();
    PitchCues pitch_cues;
    DcBlocker dc_blocker;
    History history;
    for (std::size_t hop = 0; hop < n_hops; ++hop) {
      dc_blocker.apply(samples + hop * HOP, history.next_hop());
      history.advance();
      Spectrum spectrum;
      analysis::forward(history.window(0), spectrum);
      pitch->observe(history);
      pitch_cues.observe(pitch->newest_correlations(), spectrum, cues + hop * PitchCues::COUNT);
    }
    return static_cast<int>(PERCEPNET_OK);
  });
}

int percepnet_stage_elementary(int function, const float* in, size_t n, float* out) {
  float (*const functions[])(float) = {elementary::exp, elementary::log10, elementary::tanh, elementary::sigmoid,
                                       elementary::sin_half_pi};
  if (!in || !out || function < PERCEPNET_EXP || function > PERCEPNET_SIN_HALF_PI) return PERCEPNET_ERROR_ARGUMENT;
  for (std::size_t i = 0; i < n; ++i) out[i] = functions[function](in[i]);
  return PERCEPNET_OK;
}

int percepnet_stage_dc_blocker(const float* in, size_t n, float* out) {
  if (!in || !out) return PERCEPNET_ERROR_ARGUMENT;
  DcBlocker blocker;
  for (std::size_t i = 0; i < n; i += HOP) {
    const std::size_t bytes = (n - i < HOP ? n - i : HOP) * sizeof(float);
    float hop[HOP] = {}, blocked[HOP];
    std::memcpy(hop, in + i, bytes);
    blocker.apply(hop, blocked);
    std::memcpy(out + i, blocked, bytes);
  }
  return PERCEPNET_OK;
}

int percepnet_stage_analysis(const float* samples, float* spectrum) {
  if (!samples || !spectrum) return PERCEPNET_ERROR_ARGUMENT;
  Spectrum s;
  analysis::forward(samples, s);
  store(s, spectrum);
  return PERCEPNET_OK;
}

int percepnet_stage_synthesis(const float* spectra, size_t n_frames, float* samples) {
  if (!spectra || !samples) return PERCEPNET_ERROR_ARGUMENT;
  Synthesis synthesis;
  Spectrum s;
  for (std::size_t i = 0; i < n_frames; ++i) {
    load(spectra + i * 2 * BINS, s);
    synthesis.inverse(s, samples + i * HOP);
  }
  return PERCEPNET_OK;
}

int percepnet_stage_band_weights(float* weights) {
  if (!weights) return PERCEPNET_ERROR_ARGUMENT;
  for (int b = 0; b < BANDS; ++b) {
    for (int k = 0; k < BINS; ++k) *weights++ = bands::weight(b, k);
  }
  return PERCEPNET_OK;
}

int percepnet_stage_band_product(const float* u, const float* v, float* out) {
  if (!u || !v || !out) return PERCEPNET_ERROR_ARGUMENT;
  Spectrum a, b;
  load(u, a);
  load(v, b);
  bands::product(a, b, out);
  return PERCEPNET_OK;
}

int percepnet_stage_band_interpolate(const float* bands, float* bins) {
  if (!bands || !bins) return PERCEPNET_ERROR_ARGUMENT;
  bands::interpolate(bands, bins);
  return PERCEPNET_OK;
}

int percepnet_stage_comb(const float* samples, size_t n, size_t start, float period, int future, float* out,
                         float* noise_gain, float* centre) {
  constexpr std::size_t PAST = COMB_HALF_ORDER * PERIOD_MAX + 1;
  const bool fits = future >= 0 && future <= LOOKAHEAD_MAX * HOP && start <= n &&
                    n - start >= WINDOW + static_cast<std::size_t>(future);
  if (!samples || !out || !fits || !(period >= PERIOD_MIN && period <= PERIOD_MAX)) return PERCEPNET_ERROR_ARGUMENT;
  return guarded([&] {
    std::vector<float> padded(PAST + n, 0.0f);
    std::memcpy(padded.data() + PAST, samples, n * sizeof(float));
    const comb::Shape shape = comb::filter(padded.data() + PAST + start, period, future, out);
    if (noise_gain) *noise_gain = shape.noise_gain;
    if (centre) *centre = shape.centre;
    return static_cast<int>(PERCEPNET_OK);
  });
}

int percepnet_stage_postfilter(const float* gains, const float* energy, float* out, float* gain) {
  if (!gains || !energy || !out) return PERCEPNET_ERROR_ARGUMENT;
  const float compensation = Postfilter::sharpen(gains, energy, out);
  if (gain) *gain = compensation;
  return PERCEPNET_OK;
}

int percepnet_stage_oracle(const float* statistics, const float* clean_comb_energy, const float* clean_comb,
                           const float* noisy_clean_comb, const float* comb_clean_comb, float correlation, float centre,
                           float* gains, float* strengths) {
  if (!statistics || !clean_comb_energy || !clean_comb || !noisy_clean_comb || !comb_clean_comb || !gains || !strengths) {
    return PERCEPNET_ERROR_ARGUMENT;
  }
  oracle::Products products;
  std::memcpy(&products.statistics, statistics, sizeof products.statistics);
  std::memcpy(products.pp, clean_comb_energy, sizeof products.pp);
  std::memcpy(products.xp, clean_comb, sizeof products.xp);
  std::memcpy(products.yp, noisy_clean_comb, sizeof products.yp);
  std::memcpy(products.cp, comb_clean_comb, sizeof products.cp);
  oracle::targets(products, correlation >= VOICING_MIN, centre, gains, strengths);
  return PERCEPNET_OK;
}

int percepnet_stage_gains(const float* spectrum, const float* comb, const float* gains, const float* strengths,
                          float* out) {
  if (!spectrum || !comb || !gains || !strengths || !out) return PERCEPNET_ERROR_ARGUMENT;
  Spectrum y, c, z;
  float energy[BANDS];
  load(spectrum, y);
  load(comb, c);
  bands::product(y, y, energy);
  gains::apply(y, c, energy, gains, strengths, z);
  store(z, out);
  return PERCEPNET_OK;
}

int percepnet_network_run(const percepnet_model* model, const float* features, size_t n, float* gains,
                          float* strengths, float* speech) {
  if (!model || !features || !gains || !strengths) return PERCEPNET_ERROR_ARGUMENT;
  return guarded([&] {
    const Network& network = model->model.network;
    NetworkState state(network);
    Workspace workspace(network);
    const std::size_t n_features = FEATURES + (network.has_dereverb() ? 1 : 0);
    const auto width = static_cast<std::size_t>(network.n_inputs());
    for (std::size_t first = 0; first < n; first += BATCH) {
      Network::Job jobs[BATCH];
      float unused[BATCH];
      int n_jobs = 0;
      for (std::size_t i = first; i < n && n_jobs < BATCH; ++i) {
        const float* row = features + i * width;
        float* probability = speech ? speech + i : unused + n_jobs;
        const float* cues = row + n_features;
        const float dereverb = row[n_features - 1];  // unheeded by a network without that input
        jobs[n_jobs++] = {&state, row, cues, dereverb, gains + i * BANDS, strengths + i * BANDS, probability};
      }
      network.run(jobs, n_jobs, workspace);
    }
    return static_cast<int>(PERCEPNET_OK);
  });
}

int percepnet_stage_resample(int in_rate, int out_rate, const float* in, size_t n, float* out, size_t capacity,
                             size_t* n_out, double* delay_s) {
  const auto valid = [](int rate) { return rate >= PERCEPNET_RATE_MIN && rate <= PERCEPNET_RATE_MAX; };
  if (!in || !out || !n_out || !valid(in_rate) || !valid(out_rate)) return PERCEPNET_ERROR_ARGUMENT;
  return guarded([&] {
    Resampler resampler(in_rate, out_rate);
    if (delay_s) *delay_s = resampler.delay_s();
    if (capacity < resampler.max_output(n)) return static_cast<int>(PERCEPNET_ERROR_CAPACITY);
    *n_out = resampler.process(in, n, out);
    return static_cast<int>(PERCEPNET_OK);
  });
}

size_t percepnet_enhancer_size(const percepnet_enhancer* enhancer) { return enhancer->enhancer.size(); }

}  // extern "C"
