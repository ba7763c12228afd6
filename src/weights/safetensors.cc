#include "weights/safetensors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "base/hash.h"
#include "weights/json_file.h"
#include "weights/safetensors_header.h"

namespace glyph {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxIndexBytes = 256 << 20;
constexpr size_t kMaxShards = 4096;
constexpr size_t kMaxListed = 4;  // names of each kind in one message

bool is_a_float(StoredType type) {
  return type == StoredType::kF32 || type == StoredType::kF16 || type == StoredType::kBF16;
}

// The spelling transformers 5 saves. Reference: the older conversion table of Qwen2-VL models, "^visual" ->
// "model.visual" and
// "^model(?!\.(language_model|visual))" -> "model.language_model".
std::string canonical_name(const std::string& name) {
  if (name.starts_with("visual.")) return "model." + name;
  if (!name.starts_with("model.") || name.starts_with("model.visual.") ||
      name.starts_with("model.language_model."))
    return name;
  return "model.language_model." + name.substr(6);
}

// A shard is a plain file name in the model directory: no folder, no "..".
bool is_plain_file_name(const std::string& name) {
  return !name.empty() && name.size() <= 255 && name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos;
}

Result<std::unordered_map<std::string, std::string>> read_weight_map(const fs::path& index_path) {
  GLYPH_ASSIGN_OR_RETURN(const boost::json::object index, read_json_object(index_path, kMaxIndexBytes));
  const boost::json::value* map = index.if_contains("weight_map");
  if (map == nullptr || !map->is_object())
    return refused(fmt::format("{}: has no \"weight_map\" object", index_path.string()));
  std::unordered_map<std::string, std::string> shard_of;
  for (const auto& [key, value] : map->get_object()) {
    const std::string tensor(key.data(), key.size());
    if (!value.is_string())
      return refused(fmt::format("{}: the file of \"{:.200}\" is not a string", index_path.string(), tensor));
    const std::string file(value.get_string().data(), value.get_string().size());
    if (!is_plain_file_name(file)) {
      return refused(fmt::format("{}: the shard \"{:.200}\" is not a file name inside the directory",
                                 index_path.string(), file));
    }
    shard_of[canonical_name(tensor)] = file;
  }
  return shard_of;
}

// "missing a, b and 3 more"; empty when there is nothing to say.
std::string summarized(std::string_view what, const std::vector<std::string>& names) {
  if (names.empty()) return {};
  const size_t shown = std::min(names.size(), kMaxListed);
  std::string text = fmt::format(
      "{} {}", what, fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
  if (names.size() > shown) text += fmt::format(" and {} more", names.size() - shown);
  return text;
}

}  // namespace

int64_t TensorRef::num_elements() const {
  int64_t count = 1;
  for (const int64_t side : shape) count *= side;
  return count;
}

std::string shape_text(std::span<const int64_t> shape) { return fmt::format("({})", fmt::join(shape, ", ")); }

Status Checkpoint::add_file(const fs::path& file) {
  GLYPH_ASSIGN_OR_RETURN(MappedFile mapped, MappedFile::open(file));
  GLYPH_ASSIGN_OR_RETURN(SafetensorsHeader header, read_safetensors_header(mapped.bytes(), file.string()));
  const auto head = mapped.bytes().first(header.data_offset);
  identity_ =
      hex(Sha256().field(identity_).field(std::to_string(mapped.bytes().size())).update(head).finish());
  for (HeaderEntry& entry : header.entries) {
    const std::string name = canonical_name(entry.name);
    TensorRef ref{entry.type, std::move(entry.shape),
                  mapped.bytes().subspan(header.data_offset + entry.begin, entry.end - entry.begin)};
    num_bytes_ += ref.bytes.size();
    if (!tensors_.emplace(name, std::move(ref)).second) {
      return refused(fmt::format("{}: tensor \"{}\" is in the checkpoint twice", file.string(), name));
    }
    shard_of_.emplace(name, file.filename().string());
  }
  files_.push_back(std::move(mapped));
  return {};
}

Status Checkpoint::check_index(const fs::path& index_path,
                               const std::unordered_map<std::string, std::string>& weight_map) const {
  for (const auto& [name, file] : weight_map) {
    const auto found = shard_of_.find(name);
    if (found != shard_of_.end() && found->second == file) continue;
    return refused(fmt::format("{}: tensor \"{}\" is not in {}", index_path.string(), name, file));
  }
  return {};
}

Result<Checkpoint> Checkpoint::open_file(const fs::path& file) {
  Checkpoint checkpoint;
  checkpoint.where_ = file.string();
  GLYPH_RETURN_IF_ERROR(checkpoint.add_file(file));
  return checkpoint;
}

Checkpoint Checkpoint::random(uint64_t seed, std::span<const ExpectedTensor> tensors) {
  Checkpoint checkpoint;
  checkpoint.where_ = "random weights";
  checkpoint.random_seed_ = seed;
  Sha256 hash;
  hash.field("random weights").field(std::to_string(seed));
  for (const ExpectedTensor& tensor : tensors) {
    hash.field(tensor.name).field(shape_text(tensor.shape));
    uint64_t count = 1;
    for (const int64_t side : tensor.shape) count *= static_cast<uint64_t>(side);
    checkpoint.num_bytes_ += count * size_of(StoredType::kBF16);
  }
  checkpoint.identity_ = hex(hash.finish());
  return checkpoint;
}

Result<Checkpoint> Checkpoint::open(const fs::path& dir) {
  std::error_code ignored;
  const fs::path single = dir / "model.safetensors";
  const fs::path index = dir / "model.safetensors.index.json";
  if (fs::exists(single, ignored)) return open_file(single);
  if (!fs::exists(index, ignored)) {
    return not_found(
        fmt::format("{}: there is neither model.safetensors nor model.safetensors.index.json", dir.string()));
  }
  GLYPH_ASSIGN_OR_RETURN(const auto weight_map, read_weight_map(index));
  std::set<std::string> shards;
  for (const auto& [name, file] : weight_map) shards.insert(file);
  if (shards.size() > kMaxShards)
    return refused(
        fmt::format("{}: names {} shards, the limit is {}", index.string(), shards.size(), kMaxShards));
  Checkpoint checkpoint;
  checkpoint.where_ = index.string();
  for (const std::string& shard : shards) GLYPH_RETURN_IF_ERROR(checkpoint.add_file(dir / shard));
  GLYPH_RETURN_IF_ERROR(checkpoint.check_index(index, weight_map));
  return checkpoint;
}

bool Checkpoint::contains(std::string_view name) const {
  return random_seed_ || tensors_.find(name) != tensors_.end();
}

Result<TensorRef> Checkpoint::tensor(std::string_view name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) return refused(fmt::format("{}: tensor \"{}\" is missing", where_, name));
  return found->second;
}

Result<TensorRef> Checkpoint::expect(std::string_view name, std::span<const int64_t> shape) const {
  GLYPH_ASSIGN_OR_RETURN(TensorRef found, tensor(name));
  if (!std::equal(found.shape.begin(), found.shape.end(), shape.begin(), shape.end())) {
    return refused(fmt::format("{}: tensor \"{}\" has the shape {}, but the configuration asks for {}",
                               where_, name, shape_text(found.shape), shape_text(shape)));
  }
  if (!is_a_float(found.type)) {
    return refused(fmt::format("{}: tensor \"{}\" is stored as {}; F32, F16 and BF16 are supported", where_,
                               name, name_of(found.type)));
  }
  return found;
}

Status Checkpoint::check(std::span<const ExpectedTensor> expected,
                         std::span<const std::string> optional) const {
  std::set<std::string_view> known(optional.begin(), optional.end());
  std::vector<std::string> missing, misshaped, extra;
  for (const ExpectedTensor& wanted : expected) {
    known.insert(wanted.name);
    const auto found = tensors_.find(std::string_view(wanted.name));
    if (found == tensors_.end()) {
      missing.push_back(wanted.name);
    } else if (found->second.shape != wanted.shape) {
      misshaped.push_back(fmt::format("{} {} instead of {}", wanted.name, shape_text(found->second.shape),
                                      shape_text(wanted.shape)));
    }
  }
  for (const std::string& name : names()) {
    if (!known.contains(name) && !name.ends_with(".inv_freq")) extra.push_back(name);
  }
  std::vector<std::string> parts;
  for (std::string part : {summarized("missing", missing), summarized("wrong shape", misshaped),
                           summarized("unexpected", extra)}) {
    if (!part.empty()) parts.push_back(std::move(part));
  }
  if (parts.empty()) return {};
  return refused(fmt::format("{}: the tensors do not fit config.json: {}", where_, fmt::join(parts, "; ")));
}

std::vector<std::string> Checkpoint::names() const {
  std::vector<std::string> names;
  names.reserve(tensors_.size());
  for (const auto& [name, tensor] : tensors_) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace glyph
