// What both fuzzers need: promises, and the kernels of this processor.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "../../native/include/percepnet_stages.h"

inline void must(bool kept, const char* promise) {
  if (kept) return;
  std::fprintf(stderr, "BROKEN: %s\n", promise);
  std::abort();
}

// What PERCEPNET_ISA may name; the first is everywhere.
constexpr const char* ISAS[] = {"portable", "sse", "avx2", "avxvnni", "avx512vnni", "neon", "neondot"};

// The model with that kernel, or null if this processor lacks it. status: of the reader.
inline percepnet_model* make_model(const void* bytes, std::size_t size, const char* isa, int& status) {
  setenv("PERCEPNET_ISA", isa, 1);
  percepnet_model* model = nullptr;
  status = percepnet_model_create(bytes, size, &model);
  must((status == PERCEPNET_OK) == (model != nullptr), "a model or an error");
  if (model == nullptr || std::strcmp(percepnet_model_isa(model), isa) == 0) return model;
  percepnet_model_destroy(model);
  return nullptr;
}
