// Layers out of a weight file: finds tensors, checks their shapes and types, counts their weights.
#pragma once

#include <cstdint>
#include <string>

#include "kernels.h"
#include "layers.h"
#include "weights.h"

namespace percepnet {

class LayerReader {
 public:
  // What a layer's inputs may be: int8 wants them in -1..1.
  enum class Inputs { ANY, BOUNDED };

  LayerReader(const Weights& weights, const kernels::Kernel& kernel) noexcept : weights_(weights), kernel_(kernel) {}

  // Where a tensor or its like is missing, false.
  bool affine(const std::string& name, int rows, int columns, layers::Affine& affine, Inputs inputs = Inputs::BOUNDED);
  bool dense(const std::string& name, int rows, int columns, layers::Activation activation, layers::Dense& dense,
             Inputs inputs = Inputs::BOUNDED);
  bool gru(const std::string& name, int inputs, int size, layers::Gru& gru);

  // A float32 tensor of this shape, or null.
  const Tensor* find_float(const std::string& name, int rows, int columns) const;
  // Sizes of a tensor; 0 if it is missing or absurd.
  int rows(const std::string& name) const;
  int columns(const std::string& name) const;

  std::int64_t n_weights() const noexcept { return n_weights_; }  // read so far: kept ones, biases included

 private:
  bool read(const std::string& prefix, int rows, int columns, layers::Affine& affine, Inputs inputs);

  const Weights& weights_;
  const kernels::Kernel& kernel_;
  std::int64_t n_weights_ = 0;
};

}  // namespace percepnet
