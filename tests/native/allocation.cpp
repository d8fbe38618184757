// Counts what percepnet.h promises not to do while a stream runs: allocations and locks. Linux with glibc: the program's own
// malloc and pthread_mutex_lock come before the library's.
//     allocation WEIGHTS
// prints: allocations while creating, allocations and locks while running; bytes that a stream took, and what it says of itself.
#include <dlfcn.h>
#include <pthread.h>

#include <cmath>
#include <cstdio>
#include <vector>

#include "../../native/include/percepnet_stages.h"

extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t n, size_t size);
void* __libc_realloc(void* pointer, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
void __libc_free(void* pointer);
}

namespace {
long allocations = 0, locks = 0;
std::size_t bytes = 0;
}

extern "C" {
void* malloc(size_t size) { return ++allocations, bytes += size, __libc_malloc(size); }
void* calloc(size_t n, size_t size) { return ++allocations, bytes += n * size, __libc_calloc(n, size); }
void* realloc(void* pointer, size_t size) { return ++allocations, bytes += size, __libc_realloc(pointer, size); }
void* aligned_alloc(size_t alignment, size_t size) { return ++allocations, bytes += size, __libc_memalign(alignment, size); }
void* memalign(size_t alignment, size_t size) { return aligned_alloc(alignment, size); }
int posix_memalign(void** pointer, size_t alignment, size_t size) {
  *pointer = aligned_alloc(alignment, size);
  return *pointer ? 0 : 12;
}
void free(void* pointer) {
  if (pointer) ++allocations;
  __libc_free(pointer);
}
int pthread_mutex_lock(pthread_mutex_t* mutex) {
  using Lock = int (*)(pthread_mutex_t*);
  static const Lock real = reinterpret_cast<Lock>(dlsym(RTLD_NEXT, "pthread_mutex_lock"));
  ++locks;
  return real(mutex);
}
}

namespace {

// Everything that percepnet.h offers between create and destroy.
bool use(percepnet_enhancer* enhancer, const float* in, float* out, std::size_t n, std::size_t capacity,
         percepnet_frame* frames) {
  const float imposed[2 * PERCEPNET_BANDS] = {0.5f};
  percepnet_hooks hooks = {imposed, imposed, 3, 1, frames, 4, 0};
  std::size_t n_out = 0;
  int status = 0;
  for (std::size_t chunk : {std::size_t{1}, std::size_t{479}, n / 2}) {
    status |= percepnet_process(enhancer, in, n, chunk, out, capacity, capacity, &n_out, &hooks);
  }
  percepnet_chunk many = {enhancer, in, n, n / 4, out, capacity, capacity, 0};
  status |= percepnet_process_many(&many, 1);
  status |= percepnet_set_attenuation_limit_db(enhancer, 12.0f);
  status |= percepnet_set_dereverb(enhancer, 0.5f);
  status |= percepnet_set_residual(enhancer, 1);
  status |= percepnet_set_bypass(enhancer, 1);
  status |= percepnet_set_post_filter(enhancer, 0);
  status |= percepnet_process(enhancer, in, n, n, out, capacity, capacity, &n_out, nullptr);
  status |= percepnet_flush(enhancer, out, capacity, capacity, &n_out, nullptr);
  status |= percepnet_process_block(enhancer, in, n, n, out, capacity, nullptr);
  percepnet_reset(enhancer);
  return status == 0;
}

std::vector<unsigned char> read(const char* path) {
  std::vector<unsigned char> bytes;
  if (std::FILE* file = std::fopen(path, "rb")) {
    for (int c; (c = std::fgetc(file)) != EOF;) bytes.push_back(static_cast<unsigned char>(c));
    std::fclose(file);
  }
  return bytes;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<unsigned char> file = argc > 1 ? read(argv[1]) : std::vector<unsigned char>{};
  std::vector<float> in(2 * 48000), out(2 * 100000);
  for (std::size_t i = 0; i < in.size(); ++i) in[i] = 0.1f * std::sin(0.02f * static_cast<float>(i % 9000)) + (i % 7 == 0 ? 0.1f : 0.0f);
  std::vector<percepnet_frame> frames(4);
  long creating = 0, running = 0, locking = 0;
  percepnet_model* model = nullptr;
  bool good = percepnet_model_create(file.data(), file.size(), &model) == 0;
  for (int sample_rate : {48000, 16000, 44100}) {
    percepnet_enhancer* enhancer = nullptr;
    const long before = allocations;
    good = good && percepnet_enhancer_create(model, sample_rate, 2, PERCEPNET_LINKED, 0, &enhancer) == 0;
    creating += allocations - before;
    const long allocations_before = allocations, locks_before = locks;
    good = good && use(enhancer, in.data(), out.data(), 48000, 100000, frames.data());
    running += allocations - allocations_before;
    locking += locks - locks_before;
    percepnet_enhancer_destroy(enhancer);
  }
  percepnet_enhancer* stream = nullptr;
  const std::size_t bytes_before = bytes;
  good = good && percepnet_enhancer_create(model, 48000, 1, PERCEPNET_LINKED, 0, &stream) == 0;
  const std::size_t taken = bytes - bytes_before, told = good ? percepnet_enhancer_size(stream) : 0;
  percepnet_enhancer_destroy(stream);
  percepnet_model_destroy(model);
  std::printf("%ld %ld %ld %zu %zu\n", creating, running, locking, taken, told);
  return good ? 0 : 1;
}
