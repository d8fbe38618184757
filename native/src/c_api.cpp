// percepnet.h over Enhancer: checks arguments, calls, translates errors. No arithmetic.
#include "../include/percepnet.h"

#include "c_api.h"
#include "guarded.h"

using percepnet::Enhancer;

namespace {

percepnet_hooks none() noexcept { return {nullptr, nullptr, 0, 0, nullptr, 0, 0}; }

int check(const percepnet_chunk& chunk) noexcept {
  if (!chunk.enhancer || chunk.enhancer->listed || (!chunk.in && chunk.n) || !chunk.out) return PERCEPNET_ERROR_ARGUMENT;
  if (chunk.enhancer->enhancer.in_blocks()) return PERCEPNET_ERROR_ARGUMENT;
  return chunk.out_capacity < chunk.enhancer->enhancer.max_output(chunk.n) ? PERCEPNET_ERROR_CAPACITY : PERCEPNET_OK;
}

// n: BATCH at most.
void process(percepnet_chunk* chunks, size_t n) noexcept {
  Enhancer::Feed feeds[percepnet::BATCH];
  percepnet_hooks unused = none();
  for (size_t i = 0; i < n; ++i) {
    const percepnet_chunk& c = chunks[i];
    feeds[i] = {&c.enhancer->enhancer, c.in, c.in_stride, c.n, c.out, c.out_stride, &unused, 0, 0};
  }
  Enhancer::process_many(feeds, static_cast<int>(n));
  for (size_t i = 0; i < n; ++i) chunks[i].n_out = feeds[i].written;
}

}  // namespace

extern "C" {

const char* percepnet_version(void) { return PERCEPNET_VERSION; }

const char* percepnet_status_text(int status) {
  switch (status) {
    case PERCEPNET_OK: return "success";
    case PERCEPNET_ERROR_ARGUMENT: return "a null pointer or a value out of range";
    case PERCEPNET_ERROR_MEMORY: return "out of memory";
    case PERCEPNET_ERROR_MAGIC: return "not a percepnet weight file";
    case PERCEPNET_ERROR_VERSION: return "a weight file of a format this version does not read";
    case PERCEPNET_ERROR_SIZE: return "the weight file is truncated or longer than it says";
    case PERCEPNET_ERROR_CHECKSUM: return "the weight file is damaged: its checksum does not match";
    case PERCEPNET_ERROR_TENSORS: return "a tensor of the weight file is missing or has a wrong shape or type";
    case PERCEPNET_ERROR_CAPACITY: return "the output buffer is too small";
    default: return "unknown status";
  }
}

// ---- model ----------------------------------------------------------------------------------------------------------

int percepnet_model_create(const void* bytes, size_t size, percepnet_model** model) {
  if (!bytes || !model) return PERCEPNET_ERROR_ARGUMENT;
  *model = nullptr;
  return percepnet::guarded([&] {
    auto made = std::make_unique<percepnet_model>();
    const int status = made->model.read(bytes, size);
    if (status == PERCEPNET_OK) *model = made.release();
    return status;
  });
}

void percepnet_model_destroy(percepnet_model* model) { delete model; }
int percepnet_model_lookahead(const percepnet_model* model) { return model->model.lookahead; }
int percepnet_model_has_speech(const percepnet_model* model) { return model->model.network.has_speech() ? 1 : 0; }
int percepnet_model_has_dereverb(const percepnet_model* model) { return model->model.network.has_dereverb() ? 1 : 0; }
int64_t percepnet_model_n_weights(const percepnet_model* model) {
  return model->model.network.n_weights() + model->model.tracker.n_weights();
}
const char* percepnet_model_isa(const percepnet_model* model) { return model->model.network.kernel().name; }

const char* percepnet_model_card(const percepnet_model* model, size_t* size) {
  *size = model->model.card.size();
  return model->model.card.data();
}

// ---- enhancer -------------------------------------------------------------------------------------------------------

int percepnet_enhancer_create(const percepnet_model* model, int sample_rate, int channels, int link, int block_size,
                              percepnet_enhancer** enhancer) {
  if (!model || !enhancer || sample_rate < PERCEPNET_RATE_MIN || sample_rate > PERCEPNET_RATE_MAX || channels < 1 ||
      channels > PERCEPNET_CHANNELS_MAX || (link != PERCEPNET_INDEPENDENT && link != PERCEPNET_LINKED) || block_size < 0) {
    return PERCEPNET_ERROR_ARGUMENT;
  }
  *enhancer = nullptr;
  return percepnet::guarded([&] {
    *enhancer = new percepnet_enhancer{
        Enhancer(model->model, sample_rate, channels, static_cast<percepnet_link>(link), block_size), false};
    return PERCEPNET_OK;
  });
}

void percepnet_enhancer_destroy(percepnet_enhancer* enhancer) { delete enhancer; }
int64_t percepnet_latency(const percepnet_enhancer* enhancer) { return enhancer->enhancer.latency(); }
int64_t percepnet_block_latency(const percepnet_enhancer* enhancer) { return enhancer->enhancer.block_latency(); }
size_t percepnet_max_output(const percepnet_enhancer* enhancer, size_t n) { return enhancer->enhancer.max_output(n); }
size_t percepnet_max_flush(const percepnet_enhancer* enhancer) { return enhancer->enhancer.max_flush(); }

int percepnet_process(percepnet_enhancer* enhancer, const float* in, size_t in_stride, size_t n, float* out,
                      size_t out_stride, size_t out_capacity, size_t* n_out, percepnet_hooks* hooks) {
  if (!enhancer || (!in && n) || !out || !n_out) return PERCEPNET_ERROR_ARGUMENT;
  *n_out = 0;
  if (enhancer->enhancer.in_blocks()) return PERCEPNET_ERROR_ARGUMENT;
  if (out_capacity < enhancer->enhancer.max_output(n)) return PERCEPNET_ERROR_CAPACITY;
  percepnet_hooks unused = none();
  if (hooks) hooks->n_frames = 0;
  *n_out = enhancer->enhancer.process(in, in_stride, n, out, out_stride, hooks ? *hooks : unused);
  return PERCEPNET_OK;
}

int percepnet_process_many(percepnet_chunk* chunks, size_t n_chunks) {
  if (!chunks && n_chunks) return PERCEPNET_ERROR_ARGUMENT;
  int status = PERCEPNET_OK;
  size_t n_listed = 0;
  for (; status == PERCEPNET_OK && n_listed < n_chunks; ++n_listed) {
    percepnet_chunk& chunk = chunks[n_listed];
    chunk.n_out = 0;
    status = check(chunk);
    if (status != PERCEPNET_OK) break;
    chunk.enhancer->listed = true;
  }
  for (size_t i = 0; i < n_listed; ++i) chunks[i].enhancer->listed = false;
  constexpr size_t AT_A_TIME = percepnet::BATCH;
  for (size_t first = 0; status == PERCEPNET_OK && first < n_chunks; first += AT_A_TIME) {
    const size_t n = n_chunks - first < AT_A_TIME ? n_chunks - first : AT_A_TIME;
    process(chunks + first, n);
  }
  return status;
}

int percepnet_flush(percepnet_enhancer* enhancer, float* out, size_t out_stride, size_t out_capacity, size_t* n_out,
                    percepnet_hooks* hooks) {
  if (!enhancer || !out || !n_out) return PERCEPNET_ERROR_ARGUMENT;
  *n_out = 0;
  if (enhancer->enhancer.in_blocks()) return PERCEPNET_ERROR_ARGUMENT;
  if (out_capacity < enhancer->enhancer.owed()) return PERCEPNET_ERROR_CAPACITY;
  percepnet_hooks unused = none();
  if (hooks) hooks->n_frames = 0;
  *n_out = enhancer->enhancer.flush(out, out_stride, hooks ? *hooks : unused);
  return PERCEPNET_OK;
}

int percepnet_process_block(percepnet_enhancer* enhancer, const float* in, size_t in_stride, size_t n, float* out,
                            size_t out_stride, percepnet_hooks* hooks) {
  if (!enhancer || ((!in || !out) && n) || enhancer->enhancer.in_chunks()) return PERCEPNET_ERROR_ARGUMENT;
  const int block_size = enhancer->enhancer.block_size();
  if (block_size > 0 && n != static_cast<size_t>(block_size)) return PERCEPNET_ERROR_ARGUMENT;
  percepnet_hooks unused = none();
  if (hooks) hooks->n_frames = 0;
  enhancer->enhancer.process_block(in, in_stride, n, out, out_stride, hooks ? *hooks : unused);
  return PERCEPNET_OK;
}

void percepnet_reset(percepnet_enhancer* enhancer) { enhancer->enhancer.reset(); }

int percepnet_set_attenuation_limit_db(percepnet_enhancer* enhancer, float db) {
  if (!enhancer || !(db >= 0.0f)) return PERCEPNET_ERROR_ARGUMENT;
  enhancer->enhancer.set_attenuation_limit_db(db);
  return PERCEPNET_OK;
}

int percepnet_set_dereverb(percepnet_enhancer* enhancer, float amount) {
  if (!enhancer || !(amount >= 0.0f && amount <= 1.0f)) return PERCEPNET_ERROR_ARGUMENT;
  enhancer->enhancer.set_dereverb(amount);
  return PERCEPNET_OK;
}

int percepnet_set_post_filter(percepnet_enhancer* enhancer, int on) {
  if (!enhancer) return PERCEPNET_ERROR_ARGUMENT;
  enhancer->enhancer.set_post_filter(on != 0);
  return PERCEPNET_OK;
}

int percepnet_set_bypass(percepnet_enhancer* enhancer, int on) {
  if (!enhancer) return PERCEPNET_ERROR_ARGUMENT;
  enhancer->enhancer.set_bypass(on != 0);
  return PERCEPNET_OK;
}

int percepnet_set_residual(percepnet_enhancer* enhancer, int on) {
  if (!enhancer) return PERCEPNET_ERROR_ARGUMENT;
  enhancer->enhancer.set_residual(on != 0);
  return PERCEPNET_OK;
}

int64_t percepnet_invalid_samples(const percepnet_enhancer* enhancer, int64_t* first) {
  int64_t position = -1;
  const int64_t count = enhancer->enhancer.invalid_samples(position);
  if (first) *first = position;
  return count;
}

}  // extern "C"
