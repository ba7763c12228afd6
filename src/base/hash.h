// SHA-256: the key of everything cached (pages, features, documents).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace glyph {

using Digest = std::array<uint8_t, 32>;

// Incremental SHA-256. Not thread safe; one object, one thread.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  Sha256& update(std::span<const uint8_t> bytes);
  Sha256& update(std::string_view text);
  // Feeds the length before the bytes, so that fields of variable size cannot run into each other.
  Sha256& field(std::string_view text);
  Digest finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

Digest sha256(std::string_view text);
std::string hex(const Digest& digest);

}  // namespace glyph
