#include "weights/safetensors_writer.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <cstring>
#include <tuple>

#include "base/check.h"
#include "base/text_file.h"

namespace glyph {

void SafetensorsWriter::add(std::string name, StoredType type, std::vector<int64_t> shape,
                            std::span<const uint8_t> bytes) {
  size_t size = size_of(type);
  for (const int64_t side : shape) size *= static_cast<size_t>(side);
  GLYPH_CHECK(size == bytes.size());
  entries_.push_back({std::move(name), type, std::move(shape),
                      std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size())});
}

void SafetensorsWriter::add_f32(std::string name, std::vector<int64_t> shape, std::span<const float> values) {
  add(std::move(name), StoredType::kF32, std::move(shape),
      {reinterpret_cast<const uint8_t*>(values.data()), values.size_bytes()});
}

std::string SafetensorsWriter::encode() const {
  std::vector<const Entry*> order;
  for (const Entry& entry : entries_) order.push_back(&entry);
  std::sort(order.begin(), order.end(), [](const Entry* a, const Entry* b) {
    const size_t size_a = size_of(a->type), size_b = size_of(b->type);
    return std::tie(size_b, a->name) < std::tie(size_a, b->name);
  });
  boost::json::object header;
  uint64_t offset = 0;
  for (const Entry* entry : order) {
    header[entry->name] = {{"dtype", std::string(name_of(entry->type))},
                           {"shape", boost::json::array(entry->shape.begin(), entry->shape.end())},
                           {"data_offsets", {offset, offset + entry->bytes.size()}}};
    offset += entry->bytes.size();
  }
  std::string json = boost::json::serialize(header);
  json.append((8 - json.size() % 8) % 8, ' ');
  std::string out(8, '\0');
  for (size_t i = 0; i < 8; ++i) out[i] = static_cast<char>(json.size() >> (8 * i));
  out += json;
  for (const Entry* entry : order) out += entry->bytes;
  return out;
}

Status SafetensorsWriter::write(const std::filesystem::path& file) const {
  return write_file_atomically(file, encode());
}

}  // namespace glyph
