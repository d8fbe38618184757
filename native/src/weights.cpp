#include "weights.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "constants.h"

namespace percepnet {

namespace {

constexpr char MAGIC[] = {'P', 'E', 'R', 'C', 'E', 'P', 'N', 'T'};
constexpr std::uint32_t VERSION_MIN = 2, VERSION_MAX = 4;  // 3: a pitch tracker; 4: the network hears its cues; 1: other features
constexpr std::size_t CHECKED_FROM = 16;  // the checksum covers the file from here
constexpr std::size_t HEADER_SIZE = 256;
constexpr std::size_t CENTRES_OFFSET = 64;
constexpr std::size_t RESERVED_OFFSET = CENTRES_OFFSET + 4 * BANDS;
constexpr std::size_t ENTRY_SIZE = 96;
constexpr std::size_t NAME_SIZE = 40;
constexpr std::size_t ALIGNMENT = 64;
constexpr std::uint32_t N_TENSORS_MAX = 1024;
constexpr std::uint32_t DIMENSION_MAX = 1 << 16;  // so that rows * columns * 4 cannot overflow
constexpr std::uint32_t SCALARS_MAX = 1;  // dereverb
constexpr std::uint32_t FLOAT32 = 0, INT8 = 1;
constexpr std::uint32_t DENSE = 0, BLOCK_SPARSE = 1;
constexpr std::uint32_t BLOCK_ROWS = 16, BLOCK_COLUMNS = 4;

std::uint32_t read_u32(const unsigned char* p) noexcept {
  return static_cast<std::uint32_t>(p[0]) | static_cast<std::uint32_t>(p[1]) << 8 |
         static_cast<std::uint32_t>(p[2]) << 16 | static_cast<std::uint32_t>(p[3]) << 24;
}

std::uint16_t read_u16(const unsigned char* p) noexcept { return static_cast<std::uint16_t>(p[0] | p[1] << 8); }

std::uint64_t read_u64(const unsigned char* p) noexcept {
  return static_cast<std::uint64_t>(read_u32(p + 4)) << 32 | read_u32(p);
}

// CRC-32 as in zlib: reflected polynomial 0xedb88320.
std::uint32_t crc32(const unsigned char* bytes, std::size_t size) noexcept {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t remainder = i;
    for (int bit = 0; bit < 8; ++bit) remainder = (remainder >> 1) ^ ((remainder & 1u) != 0 ? 0xedb88320u : 0u);
    table[i] = remainder;
  }
  std::uint32_t crc = 0xffffffffu;
  for (std::size_t i = 0; i < size; ++i) crc = (crc >> 8) ^ table[(crc ^ bytes[i]) & 0xffu];
  return crc ^ 0xffffffffu;
}

bool inside(std::uint64_t offset, std::uint64_t length, std::size_t size) noexcept {
  return offset <= size && length <= size - offset;
}

// What this library computes must be what the model was trained on.
bool facts_match(const unsigned char* header) noexcept {
  bool match = read_u32(header + 24) <= LOOKAHEAD_MAX && read_u32(header + 28) == FEATURES &&
               read_u32(header + 32) <= SCALARS_MAX && read_u32(header + 56) == BANDS && read_u32(header + 60) == COMB_HALF_ORDER;
  for (std::size_t b = 0; b < BANDS; ++b) {
    match = match && read_u32(header + CENTRES_OFFSET + 4 * b) == static_cast<std::uint32_t>(BAND_CENTRES[b]);
  }
  for (std::size_t i = RESERVED_OFFSET; i < HEADER_SIZE; ++i) match = match && header[i] == 0;
  return match;
}

// Printable ASCII, at least one character, zeros to the end of the field. Empty: not a name.
std::string_view read_name(const unsigned char* field) noexcept {
  std::size_t length = 0;
  while (length < NAME_SIZE && field[length] > 0x20 && field[length] < 0x7f) ++length;
  for (std::size_t i = length; i < NAME_SIZE; ++i) {
    if (field[i] != 0) return {};
  }
  return {reinterpret_cast<const char*>(field), length};
}

// Finite, and below 2^40, where no trained weight lies: then no sum in a layer can overflow, and none becomes NaN.
bool all_sane(const unsigned char* values, std::uint64_t n) noexcept {
  constexpr std::uint32_t MAGNITUDE = 0x7fffffffu, LIMIT = (127u + 40u) << 23;
  for (std::uint64_t i = 0; i < n; ++i) {
    if ((read_u32(values + 4 * i) & MAGNITUDE) >= LIMIT) return false;
  }
  return true;
}

bool none_negative(const unsigned char* values, std::uint64_t n) noexcept {
  for (std::uint64_t i = 0; i < n; ++i) {
    if (read_u32(values + 4 * i) >> 31 != 0) return false;
  }
  return true;
}

// Kernels multiply magnitudes of 127 at most.
bool all_symmetric(const unsigned char* integers, std::uint64_t n) noexcept {
  for (std::uint64_t i = 0; i < n; ++i) {
    if (integers[i] == 0x80) return false;
  }
  return true;
}

// The index tells as many blocks as there are values for, inside the matrix, in order.
bool index_fits(const unsigned char* index, std::uint64_t n_bytes, std::uint32_t rows, std::uint32_t columns,
                std::uint64_t value_bytes) noexcept {
  const std::uint64_t n_strips = (rows + BLOCK_ROWS - 1) / BLOCK_ROWS, n_columns = (columns + BLOCK_COLUMNS - 1) / BLOCK_COLUMNS;
  std::uint64_t at = 0, n_blocks = 0;
  for (std::uint64_t strip = 0; strip < n_strips; ++strip) {
    if (n_bytes - at < 2) return false;
    const std::uint64_t n = read_u16(index + at);
    at += 2;
    if (n_bytes - at < 2 * n) return false;
    for (std::uint64_t i = 0; i < n; ++i, at += 2) {
      const std::uint16_t column = read_u16(index + at);
      if (column >= n_columns || (i > 0 && column <= read_u16(index + at - 2))) return false;
    }
    n_blocks += n;
  }
  return at == n_bytes && value_bytes == n_blocks * BLOCK_ROWS * BLOCK_COLUMNS;
}

std::vector<float> read_floats(const unsigned char* bytes, std::size_t n) {
  std::vector<float> values(n);
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint32_t bits = read_u32(bytes + 4 * i);
    std::memcpy(&values[i], &bits, sizeof bits);
  }
  return values;
}

}  // namespace

std::vector<float> Tensor::values() const {
  return read_floats(bytes_, static_cast<std::size_t>(rows_) * static_cast<std::size_t>(columns_));
}

std::vector<float> Tensor::scales() const { return read_floats(scales_, static_cast<std::size_t>(rows_)); }

std::vector<std::uint16_t> Tensor::index() const {
  std::vector<std::uint16_t> values(static_cast<std::size_t>(index_bytes_ / 2));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = read_u16(index_ + 2 * i);
  return values;
}

const Tensor* Weights::find(std::string_view name) const noexcept {
  for (const Tensor& tensor : tensors_) {
    if (tensor.name() == name) return &tensor;
  }
  return nullptr;
}

int Weights::read(const void* bytes, std::size_t size) {
  if (bytes == nullptr) return PERCEPNET_ERROR_ARGUMENT;
  const auto* file = static_cast<const unsigned char*>(bytes);
  if (std::memcmp(file, MAGIC, std::min(size, sizeof MAGIC)) != 0) return PERCEPNET_ERROR_MAGIC;
  if (size < CHECKED_FROM) return PERCEPNET_ERROR_SIZE;
  const std::uint32_t version = read_u32(file + 8);
  if (version < VERSION_MIN || version > VERSION_MAX) return PERCEPNET_ERROR_VERSION;
  if (size < HEADER_SIZE || read_u64(file + 16) != size) return PERCEPNET_ERROR_SIZE;
  if (read_u32(file + 12) != crc32(file + CHECKED_FROM, size - CHECKED_FROM)) return PERCEPNET_ERROR_CHECKSUM;
  if (!facts_match(file)) return PERCEPNET_ERROR_VERSION;
  const std::uint64_t card_offset = read_u64(file + 40), card_size = read_u64(file + 48);
  if (!inside(card_offset, card_size, size)) return PERCEPNET_ERROR_SIZE;
  lookahead_ = static_cast<int>(read_u32(file + 24));
  scalars_ = static_cast<int>(read_u32(file + 32));
  card_ = {reinterpret_cast<const char*>(file) + card_offset, static_cast<std::size_t>(card_size)};
  return read_tensors(file, size);
}

int Weights::read_tensors(const unsigned char* file, std::size_t size) {
  const std::uint32_t n_tensors = read_u32(file + 36);
  if (n_tensors > N_TENSORS_MAX) return PERCEPNET_ERROR_TENSORS;
  if (!inside(HEADER_SIZE, n_tensors * ENTRY_SIZE, size)) return PERCEPNET_ERROR_SIZE;
  std::vector<std::string_view> names;
  std::uint64_t total = 0;
  for (std::size_t t = 0; t < n_tensors; ++t) {
    const unsigned char* entry = file + HEADER_SIZE + t * ENTRY_SIZE;
    const std::string_view name = read_name(entry);
    if (name.empty() || std::find(names.begin(), names.end(), name) != names.end()) return PERCEPNET_ERROR_TENSORS;
    names.push_back(name);
    const int status = read_tensor(file, size, entry, total);
    if (status != PERCEPNET_OK) return status;
  }
  return PERCEPNET_OK;
}

// total: bytes that tensors have claimed so far.
int Weights::read_tensor(const unsigned char* file, std::size_t size, const unsigned char* entry, std::uint64_t& total) {
  const std::uint64_t offset = read_u64(entry + 56), n_bytes = read_u64(entry + 64);
  if (offset % ALIGNMENT != 0 || !inside(offset, n_bytes, size)) return PERCEPNET_ERROR_TENSORS;
  // Tensors that share bytes would let a small file ask for much memory.
  total += n_bytes;
  if (total > size) return PERCEPNET_ERROR_TENSORS;
  const std::uint32_t type = read_u32(entry + 40), storage = read_u32(entry + 44);
  // Of a kind to come: harmless if nothing asks for it, missing otherwise.
  if (type > INT8 || storage > BLOCK_SPARSE || (storage == BLOCK_SPARSE && type != INT8)) return PERCEPNET_OK;
  const std::uint32_t rows = read_u32(entry + 48), columns = read_u32(entry + 52);
  if (rows - 1 >= DIMENSION_MAX || columns - 1 >= DIMENSION_MAX) return PERCEPNET_ERROR_TENSORS;
  const std::uint64_t n = std::uint64_t{rows} * columns;
  const unsigned char *scales = nullptr, *index = nullptr;
  const std::uint64_t index_bytes = storage == BLOCK_SPARSE ? read_u64(entry + 88) : 0;
  if (type == FLOAT32) {
    if (n_bytes != 4 * n || !all_sane(file + offset, n)) return PERCEPNET_ERROR_TENSORS;
  } else {
    const std::uint64_t scales_offset = read_u64(entry + 72), scales_bytes = std::uint64_t{4} * rows;
    if (scales_offset % ALIGNMENT != 0 || !inside(scales_offset, scales_bytes, size)) return PERCEPNET_ERROR_TENSORS;
    total += scales_bytes;
    scales = file + scales_offset;
    if (total > size || !all_sane(scales, rows) || !none_negative(scales, rows)) return PERCEPNET_ERROR_TENSORS;
    if (storage == BLOCK_SPARSE) {
      const std::uint64_t index_offset = read_u64(entry + 80);
      if (index_offset % ALIGNMENT != 0 || !inside(index_offset, index_bytes, size)) return PERCEPNET_ERROR_TENSORS;
      total += index_bytes;
      index = file + index_offset;
      if (total > size || !index_fits(index, index_bytes, rows, columns, n_bytes)) return PERCEPNET_ERROR_TENSORS;
    } else if (n_bytes != n) {
      return PERCEPNET_ERROR_TENSORS;
    }
    if (!all_symmetric(file + offset, n_bytes)) return PERCEPNET_ERROR_TENSORS;
  }
  tensors_.emplace_back(read_name(entry), static_cast<int>(rows), static_cast<int>(columns), file + offset, n_bytes, scales,
                        index, index_bytes);
  return PERCEPNET_OK;
}

}  // namespace percepnet
