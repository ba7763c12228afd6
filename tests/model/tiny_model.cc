#include "tiny_model.h"

#include <cmath>
#include <cstring>

#include "tensor/dtype.h"
#include "weights/safetensors_writer.h"
#include "weights/tensor_list.h"

namespace glyph::testing {
namespace {

uint64_t splitmix64(uint64_t x) {
  uint64_t z = x + 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

uint64_t fnv1a64(const std::string& text) {
  uint64_t value = 0xCBF29CE484222325u;
  for (const char c : text) value = (value ^ static_cast<uint8_t>(c)) * 0x100000001B3u;
  return value;
}

int64_t product(const std::vector<int64_t>& shape, size_t from = 0) {
  int64_t result = 1;
  for (size_t i = from; i < shape.size(); ++i) result *= shape[i];
  return result;
}

bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

template <typename T>
std::string bytes_of(const std::vector<float>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  for (size_t i = 0; i < values.size(); ++i) {
    const T element = from_float<T>(values[i]);
    std::memcpy(bytes.data() + i * sizeof(T), &element, sizeof(T));
  }
  return bytes;
}

}  // namespace

std::vector<float> tiny_weight(const std::string& name, const std::vector<int64_t>& shape, uint64_t seed) {
  const uint64_t start = fnv1a64(name) + seed;
  const bool is_weight = name.ends_with(".weight");
  std::vector<float> values(static_cast<size_t>(product(shape)));
  const auto scale = static_cast<float>(std::sqrt(3.0 / static_cast<double>(product(shape, 1))));
  for (size_t i = 0; i < values.size(); ++i) {
    const float u = static_cast<float>(splitmix64(start + i) >> 40) * 0x1p-23f - 1.0f;
    if (contains(name, "norm") && is_weight) {
      values[i] = 1.0f + u * 0.25f;
    } else if (name.ends_with(".bias")) {
      values[i] = u * 0.25f;
    } else {
      values[i] = contains(name, "embed_tokens") ? u : u * scale;
    }
  }
  return values;
}

Image tiny_page(const std::string& name, uint64_t seed, int height, int width, int channels) {
  Image image{.width = width, .height = height, .channels = channels, .pixels = {}};
  const size_t row = static_cast<size_t>(width) * static_cast<size_t>(channels);
  const uint64_t start = fnv1a64(name) + seed;
  for (size_t i = 0; i < row * static_cast<size_t>(height); ++i) {
    const auto byte = static_cast<uint8_t>(splitmix64(start + i) >> 56);
    image.pixels.push_back(i / row % 3 == 0 ? byte : byte | 0xC0u);
  }
  return image;
}

Status write_tiny_checkpoint(const ModelConfig& config, uint64_t seed, StoredType type,
                             const std::filesystem::path& file) {
  SafetensorsWriter writer;
  for (const ExpectedTensor& tensor : expected_tensors(config)) {
    const std::vector<float> values = tiny_weight(tensor.name, tensor.shape, seed);
    const std::string bytes = type == StoredType::kBF16  ? bytes_of<BF16>(values)
                              : type == StoredType::kF16 ? bytes_of<F16>(values)
                                                         : bytes_of<float>(values);
    writer.add(tensor.name, type, tensor.shape,
               std::span(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()));
  }
  return writer.write(file);
}

}  // namespace glyph::testing
