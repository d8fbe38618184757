#include "layer_reader.h"

#include <utility>
#include <vector>

namespace percepnet {

using layers::Affine;

namespace {

constexpr int SIZE_MAX_PER_LAYER = 4096;

bool fits(const Tensor* tensor, int rows, int columns) noexcept {
  return tensor != nullptr && tensor->rows() == rows && tensor->columns() == columns;
}

int sane(int size) noexcept { return size <= SIZE_MAX_PER_LAYER ? size : 0; }

}  // namespace

const Tensor* LayerReader::find_float(const std::string& name, int rows, int columns) const {
  const Tensor* tensor = weights_.find(name);
  return fits(tensor, rows, columns) && !tensor->is_int8() ? tensor : nullptr;
}

int LayerReader::rows(const std::string& name) const {
  const Tensor* tensor = weights_.find(name);
  return tensor != nullptr ? sane(tensor->rows()) : 0;
}

int LayerReader::columns(const std::string& name) const {
  const Tensor* tensor = weights_.find(name);
  return tensor != nullptr ? sane(tensor->columns()) : 0;
}

bool LayerReader::affine(const std::string& name, int rows, int columns, Affine& affine, Inputs inputs) {
  return read(name + ".", rows, columns, affine, inputs);
}

bool LayerReader::dense(const std::string& name, int rows, int columns, layers::Activation activation,
                        layers::Dense& dense, Inputs inputs) {
  Affine affine;
  if (!read(name + ".", rows, columns, affine, inputs)) return false;
  dense = {kernel_, std::move(affine), activation};
  return true;
}

bool LayerReader::gru(const std::string& name, int inputs, int size, layers::Gru& gru) {
  Affine input, recurrent;
  if (!read(name + ".input_", 3 * size, inputs, input, Inputs::BOUNDED)) return false;
  if (!read(name + ".recurrent_", 3 * size, size, recurrent, Inputs::BOUNDED)) return false;
  gru = {kernel_, std::move(input), std::move(recurrent)};
  return true;
}

bool LayerReader::read(const std::string& prefix, int rows, int columns, Affine& affine, Inputs inputs) {
  const Tensor* weight = weights_.find(prefix + "weight");
  const Tensor* bias = find_float(prefix + "bias", 1, rows);
  if (!fits(weight, rows, columns) || bias == nullptr) return false;
  if (weight->is_int8() && inputs != Inputs::BOUNDED) return false;
  const std::vector<float> biases = bias->values();
  if (weight->is_sparse()) {
    affine = {kernel_, weight->integers(), weight->index(), weight->scales().data(), biases.data(), rows, columns};
  } else if (weight->is_int8()) {
    affine = {kernel_, weight->integers(), weight->scales().data(), biases.data(), rows, columns};
  } else {
    affine = {kernel_, weight->values().data(), biases.data(), rows, columns};
  }
  n_weights_ += weight->n_values() + rows;
  return true;
}

}  // namespace percepnet
