// The weights of a model directory: model.safetensors, or the shards that model.safetensors.index.json names,
// mapped into memory.
//
// Opening reads headers only. Refused with a sentence: a header longer than its file or than 100 MB,
// overlapping tensors, bytes that belong to no tensor, a span that is not dtype * shape, a name twice, an
// unknown dtype, data not aligned to its elements, a shard outside the directory. Format: the README of
// huggingface/safetensors. Names are those transformers 5 saves for Glm4vForConditionalGeneration
// (model.visual.*, model.language_model.*, lm_head.weight); the older published spellings (visual.*,
// model.layers.*) are read as these. A Checkpoint is immutable: any thread may read it while it lives.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/mapped_file.h"
#include "glyph/status.h"

namespace glyph {

// How elements are stored in the file.
enum class StoredType : uint8_t {
  kF64,
  kF32,
  kF16,
  kBF16,
  kF8E4M3,
  kF8E5M2,
  kI64,
  kI32,
  kI16,
  kI8,
  kU64,
  kU32,
  kU16,
  kU8,
  kBool
};

// Bytes of one element.
size_t size_of(StoredType type);
// The format's own word: "F32", "BF16", ...
std::string_view name_of(StoredType type);

// One tensor inside a mapped file: row-major, little-endian, aligned to its element size. Lives as long as
// its Checkpoint.
struct TensorRef {
  StoredType type = StoredType::kF32;
  std::vector<int64_t> shape;
  std::span<const uint8_t> bytes;

  int64_t num_elements() const;
};

// A name and the shape it must have.
struct ExpectedTensor {
  std::string name;
  std::vector<int64_t> shape;
};

// "(4, 8)"
std::string shape_text(std::span<const int64_t> shape);

class Checkpoint {
 public:
  // kNotFound when the directory has neither file, kRefused for anything wrong inside.
  static Result<Checkpoint> open(const std::filesystem::path& dir);
  // One file, whatever its name.
  static Result<Checkpoint> open_file(const std::filesystem::path& file);

  // No file: every tensor exists and its values follow from its name and the seed (WeightLoader makes them), for
  // measurements at sizes whose weights are not at hand. tensor() and expect() give none; num_bytes() and identity() are those
  // of `tensors` in bf16.
  static Checkpoint random(uint64_t seed, std::span<const ExpectedTensor> tensors = {});
  std::optional<uint64_t> random_seed() const { return random_seed_; }

  bool contains(std::string_view name) const;
  // kRefused naming the tensor and the directory when there is none.
  Result<TensorRef> tensor(std::string_view name) const;
  // tensor(), and its shape must be `shape`; only f32, f16 and bf16 are accepted.
  Result<TensorRef> expect(std::string_view name, std::span<const int64_t> shape) const;
  // One sentence that lists what is missing, mis-shaped and extra (the first few of each, and how many more).
  // Extra rotary tables (*.inv_freq) and names in `optional` are not counted.
  Status check(std::span<const ExpectedTensor> expected, std::span<const std::string> optional = {}) const;

  std::vector<std::string> names() const;            // sorted
  uint64_t num_bytes() const { return num_bytes_; }  // of all tensors
  // SHA-256 (hex) of all headers and file sizes: a cheap identity of the checkpoint for cache keys. Not of
  // the data.
  const std::string& identity() const { return identity_; }

 private:
  struct NameHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };

  Status add_file(const std::filesystem::path& file);
  Status check_index(const std::filesystem::path& index_path,
                     const std::unordered_map<std::string, std::string>& weight_map) const;

  std::string where_;
  std::optional<uint64_t> random_seed_;
  std::vector<MappedFile> files_;
  std::unordered_map<std::string, TensorRef, NameHash, std::equal_to<>> tensors_;
  std::unordered_map<std::string, std::string> shard_of_;  // tensor -> file name
  uint64_t num_bytes_ = 0;
  std::string identity_;
};

}  // namespace glyph
