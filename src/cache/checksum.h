// A fast 64-bit checksum of large pieces of bytes: XXH64 with seed 0, as its published specification defines it. It finds damage,
// not malice; keys are SHA-256 (base/hash.h).
#pragma once

#include <cstdint>
#include <span>

namespace glyph {

uint64_t checksum64(std::span<const uint8_t> bytes);

}  // namespace glyph
