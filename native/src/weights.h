// The weight file (docs/weight-file.md), read from memory. Trusts nothing: every offset, size and value is checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace percepnet {

// A matrix inside the file, dense, row-major: float32, finite, of magnitude below 2^40; or int8, -127..127, each row to be
// multiplied by its scale, which is such a float and not negative. An int8 matrix may be block-sparse: then it is cut into
// blocks of 16 rows by 4 columns, and those that are there follow each other, a strip of 16 rows after the other.
class Tensor {
 public:
  // scales: null means float32; index: null means dense.
  Tensor(std::string_view name, int rows, int columns, const unsigned char* bytes, std::uint64_t n_bytes,
         const unsigned char* scales, const unsigned char* index, std::uint64_t index_bytes) noexcept
      : name_(name),
        rows_(rows),
        columns_(columns),
        bytes_(bytes),
        n_bytes_(n_bytes),
        scales_(scales),
        index_(index),
        index_bytes_(index_bytes) {}

  std::string_view name() const noexcept { return name_; }
  int rows() const noexcept { return rows_; }
  int columns() const noexcept { return columns_; }
  bool is_int8() const noexcept { return scales_ != nullptr; }
  bool is_sparse() const noexcept { return index_ != nullptr; }
  std::int64_t n_values() const noexcept { return static_cast<std::int64_t>(is_int8() ? n_bytes_ : n_bytes_ / 4); }  // kept
  std::vector<float> values() const;  // of a float32 tensor
  const std::int8_t* integers() const noexcept { return reinterpret_cast<const std::int8_t*>(bytes_); }  // of an int8 one
  std::vector<float> scales() const;                                                                     // likewise: [rows]
  // Of a sparse one, strip after strip: the number of its blocks, then each block's first column / 4, ascending.
  std::vector<std::uint16_t> index() const;

 private:
  std::string_view name_;
  int rows_;
  int columns_;
  const unsigned char* bytes_;  // little-endian
  std::uint64_t n_bytes_;
  const unsigned char* scales_;
  const unsigned char* index_;
  std::uint64_t index_bytes_;
};

// A verified view of the file; valid as long as the bytes it was read from.
class Weights {
 public:
  // A percepnet_status. Throws nothing but std::bad_alloc. After an error the object holds nothing useful.
  int read(const void* bytes, std::size_t size);

  int lookahead() const noexcept { return lookahead_; }     // hops
  int scalars() const noexcept { return scalars_; }         // inputs behind the features
  std::string_view card() const noexcept { return card_; }  // UTF-8 JSON, not interpreted here
  const Tensor* find(std::string_view name) const noexcept;  // null if there is none

 private:
  int read_tensors(const unsigned char* file, std::size_t size);
  int read_tensor(const unsigned char* file, std::size_t size, const unsigned char* entry, std::uint64_t& total);

  int lookahead_ = 0, scalars_ = 0;
  std::string_view card_;
  std::vector<Tensor> tensors_;
};

}  // namespace percepnet
