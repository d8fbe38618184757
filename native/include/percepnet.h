/* percepnet: real-time full-band speech enhancement (PercepNet, arXiv 2008.04259). C99 interface of the native core.
 *
 * Audio is float, full scale +-1, planar: channel c of a buffer starts at `buffer + c * stride`.
 * A model is immutable and may serve any number of enhancers on any number of threads; it must outlive them.
 * An enhancer is one stream: create, process..., flush, destroy. It belongs to one thread at a time.
 * Creating and destroying allocate; nothing else here allocates, locks, logs or performs I/O.
 * Functions that can fail return a percepnet_status; 0 is success and percepnet_status_text() says what went wrong.
 * The same input gives the same bits on every platform, whatever the chunk sizes. */
#ifndef PERCEPNET_H
#define PERCEPNET_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32)
#define PERCEPNET_API __declspec(dllexport)
#else
#define PERCEPNET_API __attribute__((visibility("default")))
#endif

#define PERCEPNET_VERSION "0.12.0"

enum {
  PERCEPNET_SAMPLE_RATE = 48000, /* the rate at which everything happens, Hz */
  PERCEPNET_HOP = 480,           /* new samples per frame: 10 ms */
  PERCEPNET_WINDOW = 960,        /* samples analysed at once: 20 ms */
  PERCEPNET_BINS = 481,          /* lines of the spectrum, 50 Hz apart */
  PERCEPNET_BANDS = 34,          /* ERB bands up to 20 kHz */
  PERCEPNET_FEATURES = 72,       /* network inputs per frame, before the model's scaling */
  PERCEPNET_LOOKAHEAD_MAX = 3,   /* hops */
  PERCEPNET_PERIOD_MIN = 96,     /* pitch period in samples at 48 kHz: 500 Hz */
  PERCEPNET_PERIOD_MAX = 768,    /* 62.5 Hz */
  PERCEPNET_CHANNELS_MAX = 64,
  PERCEPNET_RATE_MIN = 8000,
  PERCEPNET_RATE_MAX = 192000
};

typedef enum percepnet_status {
  PERCEPNET_OK = 0,
  PERCEPNET_ERROR_ARGUMENT = 1, /* a null pointer or a value out of range */
  PERCEPNET_ERROR_MEMORY = 2,   /* allocation failed */
  PERCEPNET_ERROR_MAGIC = 3,    /* not a percepnet weight file */
  PERCEPNET_ERROR_VERSION = 4,  /* a weight file of a format this library does not read */
  PERCEPNET_ERROR_SIZE = 5,     /* truncated, or longer than it says */
  PERCEPNET_ERROR_CHECKSUM = 6, /* damaged */
  PERCEPNET_ERROR_TENSORS = 7,  /* a tensor is missing or has a wrong shape or type */
  PERCEPNET_ERROR_CAPACITY = 8  /* the output buffer is smaller than percepnet_max_output() */
} percepnet_status;

typedef enum percepnet_link {
  PERCEPNET_INDEPENDENT = 0, /* every channel has its own gains */
  PERCEPNET_LINKED = 1       /* per band and hop, the largest gain of all channels serves all: keeps the stereo image */
} percepnet_link;

PERCEPNET_API const char *percepnet_version(void);
PERCEPNET_API const char *percepnet_status_text(int status);

/* ---- model ------------------------------------------------------------------------------------------------------ */

typedef struct percepnet_model percepnet_model;

/* Reads a weight file from memory (docs/weight-file.md); the bytes are copied. */
PERCEPNET_API int percepnet_model_create(const void *bytes, size_t size, percepnet_model **model);
PERCEPNET_API void percepnet_model_destroy(percepnet_model *model);
PERCEPNET_API int percepnet_model_lookahead(const percepnet_model *model); /* hops */
PERCEPNET_API int percepnet_model_has_speech(const percepnet_model *model); /* 1 if it estimates speech probability */
PERCEPNET_API int percepnet_model_has_dereverb(const percepnet_model *model); /* 1 if it heeds percepnet_set_dereverb */
PERCEPNET_API int64_t percepnet_model_n_weights(const percepnet_model *model);
/* The instruction set in use: avx512vnni, avxvnni, avx2, sse, neondot, neon, simd128 or portable; all give the same bits. The
 * environment variable PERCEPNET_ISA names another when a model is created; one that the processor lacks is not heeded. */
PERCEPNET_API const char *percepnet_model_isa(const percepnet_model *model);
/* The card: UTF-8 JSON of `*size` bytes inside the model, not terminated. */
PERCEPNET_API const char *percepnet_model_card(const percepnet_model *model, size_t *size);

/* ---- enhancer --------------------------------------------------------------------------------------------------- */

typedef struct percepnet_enhancer percepnet_enhancer;

/* What is known about one frame of one channel. Bands are ordered from low to high. */
typedef struct percepnet_frame {
  int64_t index;                      /* 0 is the frame whose window ends at sample 480 (at 48 kHz) */
  int32_t channel;
  int32_t gated;                      /* 1: below the silence gate, the network was not run */
  float energy[PERCEPNET_BANDS];      /* sum over bins of |rfft(window * input)|^2 */
  float coherence[PERCEPNET_BANDS];   /* of input and comb without its centre tap, -0.2..1 */
  float gains[PERCEPNET_BANDS];       /* before postfilter and linking, 0..1 */
  float strengths[PERCEPNET_BANDS];   /* 0..1; 0 in frames without a pitch */
  float period;                       /* pitch period in samples at 48 kHz, PERIOD_MIN..PERIOD_MAX */
  float correlation;                  /* normalised, at that period, -1..1 */
  float speech_probability;           /* 0..1, or -1 if the model does not estimate it */
  float voicing;                      /* how surely the frame is voiced, 0..1: by the model's pitch tracker, else the correlation */
} percepnet_frame;

/* Optional extras of percepnet_process; a null pointer or zeroed struct means none.
 * Rows of imposed values are (frame, channel, band); row i serves the frame of index first_frame + i and frames outside
 * the range use the network. Either array may be null. Frames come in order of index, then channel. */
typedef struct percepnet_hooks {
  const float *gains;      /* [n_imposed][channels][PERCEPNET_BANDS], or null */
  const float *strengths;  /* likewise */
  int64_t first_frame;
  size_t n_imposed;
  percepnet_frame *frames; /* filled with what happened, or null */
  size_t frame_capacity;   /* structs that fit; further frames are counted but not stored */
  size_t n_frames;         /* out: frames processed in this call times channels */
} percepnet_hooks;

/* sample_rate 8000..192000 Hz, channels 1..64, link a percepnet_link. block_size: the length of every percepnet_process_block
 * call, or 0 for any length. */
PERCEPNET_API int percepnet_enhancer_create(const percepnet_model *model, int sample_rate, int channels, int link,
                                            int block_size, percepnet_enhancer **enhancer);
PERCEPNET_API void percepnet_enhancer_destroy(percepnet_enhancer *enhancer);

/* Delay from input to output in samples at the caller's rate, resamplers included: constant, exact, bypassed or not. */
PERCEPNET_API int64_t percepnet_latency(const percepnet_enhancer *enhancer);
/* The delay of percepnet_process_block: latency if block_size is a whole number of hops, else one hop more. */
PERCEPNET_API int64_t percepnet_block_latency(const percepnet_enhancer *enhancer);
/* The most samples per channel that process() can return for n samples. */
PERCEPNET_API size_t percepnet_max_output(const percepnet_enhancer *enhancer, size_t n);

/* Feeds n samples per channel; writes what is ready. The first `latency` samples of the stream are dropped, so output
 * sample i belongs to input sample i. Samples that are not finite, or beyond 1e6, are replaced by 0 and counted. */
PERCEPNET_API int percepnet_process(percepnet_enhancer *enhancer, const float *in, size_t in_stride, size_t n, float *out,
                                    size_t out_stride, size_t out_capacity, size_t *n_out, percepnet_hooks *hooks);
/* percepnet_process for several enhancers in one call: what comes out is the same, but the weights are read once for all that
 * share a model. A run of hops in one call, of one enhancer or of several, also shares them. */
typedef struct percepnet_chunk {
  percepnet_enhancer *enhancer; /* each one once */
  const float *in;
  size_t in_stride;
  size_t n;
  float *out;
  size_t out_stride;
  size_t out_capacity; /* at least percepnet_max_output(enhancer, n) */
  size_t n_out;        /* out: samples per channel that were written */
} percepnet_chunk;
/* After an error nothing was processed. */
PERCEPNET_API int percepnet_process_many(percepnet_chunk *chunks, size_t n_chunks);
/* Ends the stream: writes the samples still owed (at most percepnet_max_flush), so that as many came out as went in,
 * then resets. A second flush writes nothing. */
PERCEPNET_API size_t percepnet_max_flush(const percepnet_enhancer *enhancer);
PERCEPNET_API int percepnet_flush(percepnet_enhancer *enhancer, float *out, size_t out_stride, size_t out_capacity,
                                  size_t *n_out, percepnet_hooks *hooks);
/* Constant delay, for audio callbacks: n samples in, n out, delayed by block_latency (zeros first). in == out is allowed.
 * After percepnet_process, and that and percepnet_flush after this, it is refused without a reset in between. */
PERCEPNET_API int percepnet_process_block(percepnet_enhancer *enhancer, const float *in, size_t in_stride, size_t n,
                                          float *out, size_t out_stride, percepnet_hooks *hooks);
/* Back to the state after create, bit for bit; settings stay. */
PERCEPNET_API void percepnet_reset(percepnet_enhancer *enhancer);

/* Settings: take effect smoothly, over 20 ms; immediately before the first sample of a stream. */
PERCEPNET_API int percepnet_set_attenuation_limit_db(percepnet_enhancer *enhancer, float db); /* >= 0; infinity: none */
/* How much of the room's reverberation goes: 0 none, 1 all but the early reflections (default). Needs a model that has it. */
PERCEPNET_API int percepnet_set_dereverb(percepnet_enhancer *enhancer, float amount);
PERCEPNET_API int percepnet_set_post_filter(percepnet_enhancer *enhancer, int on);
PERCEPNET_API int percepnet_set_bypass(percepnet_enhancer *enhancer, int on); /* the input, delayed by latency, bit for bit */
PERCEPNET_API int percepnet_set_residual(percepnet_enhancer *enhancer, int on); /* what was removed: input minus output */

/* How many samples (of all channels) were replaced since creation or reset because they were not finite or beyond 1e6.
 * `first`, if not null, receives the position of the first in samples per channel from the start of the stream, or -1. */
PERCEPNET_API int64_t percepnet_invalid_samples(const percepnet_enhancer *enhancer, int64_t *first);

#ifdef __cplusplus
}
#endif
#endif
