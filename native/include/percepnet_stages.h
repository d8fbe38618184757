/* Single stages of the core, for tests and training. Same library, same code as the enhancer; not for applications.
 * Arrays are row-major, time first. Complex spectra are interleaved (re, im). */
#ifndef PERCEPNET_STAGES_H
#define PERCEPNET_STAGES_H

#include "percepnet.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- training --------------------------------------------------------------------------------------------------- */

/* Analysis of a noisy recording and, optionally, its clean twin (SPEC 2, 5, 9.1). Every pointer may be null: not wanted.
 * n_frames = n_hops - lookahead. Spectra are those of the DC-blocked signals. */
typedef struct percepnet_analysis {
  float *features;     /* [n_frames][PERCEPNET_FEATURES], unscaled: what the model's mean and scale are applied to */
  float *period;       /* [n_frames], samples at 48 kHz */
  float *correlation;  /* [n_frames] */
  uint8_t *gated;      /* [n_frames], 1 where the run-time silence gate skips the network */
  float *energy;       /* [n_frames][BANDS]  E_Y */
  float *coherence;    /* [n_frames][BANDS]  of noisy and comb without centre tap */
  float *cues;         /* [n_frames][percepnet_model_n_cues(tracker)], -1..1, of the hop that completes the frame; undefined
                          where it is gated */
  /* with clean only: */
  float *gains;        /* [n_frames][BANDS]  oracle gain, g_att included; -1 where the loss is masked */
  float *strengths;    /* [n_frames][BANDS]  oracle strength; -1 where the loss is masked */
  float *statistics;   /* [n_frames][6][BANDS]  E_Y, E_P^, <Y,P^>, E_X, <Y,X>, <P^,X> */
} percepnet_analysis;

/* noisy and clean hold n_hops * PERCEPNET_HOP samples at 48 kHz; clean may be null. pitch_source, if not null, replaces
 * noisy as the signal whose pitch is tracked, by the plain tracker (the clean signal, to see what the tracker costs). tracker:
 * the model whose learned tracker finds the pitch of noisy; null, or one without: the plain tracker does. */
PERCEPNET_API int percepnet_analyze(int lookahead, const percepnet_model *tracker, const float *noisy, const float *clean,
                                    const float *pitch_source, size_t n_hops, percepnet_analysis *analysis);

/* What the network takes in a row: the FEATURES unscaled, then, in a model that has dereverb, that amount, then, in one whose
 * network hears cues, those. */
PERCEPNET_API int percepnet_model_n_inputs(const percepnet_model *model);
/* Runs the network alone from a fresh state: features [n][percepnet_model_n_inputs(model)] -> gains, strengths [n][BANDS] and,
 * where not null and the model has the head, speech [n]. */
PERCEPNET_API int percepnet_network_run(const percepnet_model *model, const float *features, size_t n, float *gains,
                                        float *strengths, float *speech);

enum { PERCEPNET_PITCH_LAGS = 225, PERCEPNET_PITCH_CUES = 346 };
/* How many cues the pitch tracker of a model tells a network: those it hears and, behind them, what it remembers; 0 without
 * a tracker. */
PERCEPNET_API int percepnet_model_n_cues(const percepnet_model *model);
/* What a learned pitch tracker sees of every hop: n_hops * PERCEPNET_HOP samples at 48 kHz -> cues
 * [n_hops][PERCEPNET_PITCH_CUES], in -1..1 (pitch_cues.h). */
PERCEPNET_API int percepnet_pitch_cues(const float *samples, size_t n_hops, float *cues);

/* ---- single stages ---------------------------------------------------------------------------------------------- */

enum { PERCEPNET_EXP, PERCEPNET_LOG10, PERCEPNET_TANH, PERCEPNET_SIGMOID, PERCEPNET_SIN_HALF_PI };
/* Element-wise functions of elementary.h. SIN_HALF_PI is sin(pi/2 x) for x in 0..1. */
PERCEPNET_API int percepnet_stage_elementary(int function, const float *in, size_t n, float *out);
PERCEPNET_API int percepnet_stage_dc_blocker(const float *in, size_t n, float *out);
/* window[960] -> rfft(h * window), spectrum[481][2] */
PERCEPNET_API int percepnet_stage_analysis(const float *samples, float *spectrum);
/* spectra[n_frames][481][2] -> samples[n_frames * 480]: inverse FFT, window, overlap-add from an empty tail */
PERCEPNET_API int percepnet_stage_synthesis(const float *spectra, size_t n_frames, float *samples);
PERCEPNET_API int percepnet_stage_band_weights(float *weights); /* [BANDS][BINS] */
/* <U,V>_b = sum_k w_b(k) Re(U(k) conj V(k)), bins 0..400; out[BANDS] */
PERCEPNET_API int percepnet_stage_band_product(const float *u, const float *v, float *out);
PERCEPNET_API int percepnet_stage_band_interpolate(const float *bands, float *bins); /* [BANDS] -> [BINS] */
/* Comb of the 960-sample window that starts at samples[start], with `future` samples allowed beyond its end. Samples
 * before the array are zeros. out[960]; noise_gain and centre receive sigma^2 and w_0. */
PERCEPNET_API int percepnet_stage_comb(const float *samples, size_t n, size_t start, float period, int future, float *out,
                                       float *noise_gain, float *centre);
/* gains[BANDS], energy[BANDS] -> sharpened gains, compensation G included, blend 1 (SPEC 4.1); gain: G */
PERCEPNET_API int percepnet_stage_postfilter(const float *gains, const float *energy, float *out, float *gain);
/* Oracle of one frame (SPEC 2) from band products: each argument [BANDS]. noise_gain, centre: of the comb. */
PERCEPNET_API int percepnet_stage_oracle(const float *statistics /* [6][BANDS] as in percepnet_analysis */,
                                         const float *clean_comb_energy /* E_P */, const float *clean_comb /* <X,P> */,
                                         const float *noisy_clean_comb /* <Y,P> */, const float *comb_clean_comb /* <P^,P> */,
                                         float correlation, float centre, float *gains, float *strengths);
/* Mixes and scales one frame (SPEC 4, no postfilter): spectrum and comb [481][2] -> out [481][2] */
PERCEPNET_API int percepnet_stage_gains(const float *spectrum, const float *comb, const float *gains,
                                        const float *strengths, float *out);
/* One direction of the resampler: n samples at in_rate -> the samples it emits (at most capacity). Output sample m stands
 * at input time m / out_rate - delay_s. */
PERCEPNET_API int percepnet_stage_resample(int in_rate, int out_rate, const float *in, size_t n, float *out,
                                           size_t capacity, size_t *n_out, double *delay_s);
PERCEPNET_API size_t percepnet_enhancer_size(const percepnet_enhancer *enhancer); /* bytes of state, all channels */

#ifdef __cplusplus
}
#endif
#endif
