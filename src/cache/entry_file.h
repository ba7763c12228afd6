// One entry as a file: header, payload. A file is complete under its name or not there.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

#include "cache/entry_header.h"
#include "glyph/status.h"

namespace glyph {

// An entry in memory, header and payload in one piece. Moves.
class EntryBuffer {
 public:
  // For header.payload_bytes of payload, not initialised.
  explicit EntryBuffer(const EntryHeader& header);

  const EntryHeader& header() const { return header_; }
  std::span<uint8_t> payload() { return {bytes_.get() + kEntryHeaderBytes, header_.payload_bytes}; }
  std::span<const uint8_t> payload() const { return {bytes_.get() + kEntryHeaderBytes, header_.payload_bytes}; }
  uint64_t num_bytes() const { return kEntryHeaderBytes + header_.payload_bytes; }

 private:
  friend Status write_entry(const std::filesystem::path& path, EntryBuffer& entry);

  EntryHeader header_;
  std::unique_ptr<uint8_t[]> bytes_;
};

// Fills in the checksums, writes and syncs. kInternal with the system's reason; nothing is left behind then.
Status write_entry(const std::filesystem::path& path, EntryBuffer& entry);

// kNotFound; kRefused: the file is not a whole entry of this version; kInternal: it cannot be read.
Result<EntryHeader> read_entry_header(const std::filesystem::path& path);
// The payload, too, compared with its checksum. Memory is taken only for what the file really has.
Result<EntryBuffer> read_entry(const std::filesystem::path& path);

}  // namespace glyph
