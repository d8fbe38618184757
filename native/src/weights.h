// The weight file (docs/weight-file.md), read from memory. Trusts nothing: every offset, size and value is checked.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace percepnet {

// A matrix inside the file: float32, dense, row-major; all values are finite, of magnitude below 2^40.
class Tensor {
 public:
  Tensor(std::string_view name, int rows, int columns, const unsigned char* bytes) noexcept
      : name_(name), rows_(rows), columns_(columns), bytes_(bytes) {}

  std::string_view name() const noexcept { return name_; }
  int rows() const noexcept { return rows_; }
  int columns() const noexcept { return columns_; }
  std::vector<float> values() const;

 private:
  std::string_view name_;
  int rows_;
  int columns_;
  const unsigned char* bytes_;  // little-endian
};

// A verified view of the file; valid as long as the bytes it was read from.
class Weights {
 public:
  // A percepnet_status. Throws nothing but std::bad_alloc. After an error the object holds nothing useful.
  int read(const void* bytes, std::size_t size);

  int lookahead() const noexcept { return lookahead_; }     // hops
  std::string_view card() const noexcept { return card_; }  // UTF-8 JSON, not interpreted here
  const Tensor* find(std::string_view name) const noexcept;  // null if there is none

 private:
  int read_tensors(const unsigned char* bytes, std::size_t size);

  int lookahead_ = 0;
  std::string_view card_;
  std::vector<Tensor> tensors_;
};

}  // namespace percepnet
