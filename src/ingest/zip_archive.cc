#include "ingest/zip_archive.h"

#include <fmt/format.h>
#include <zip.h>

#include <algorithm>

#include "ingest/plain_text.h"

namespace glyph {
namespace {

constexpr size_t kRatioFreeBytes = 1 << 20;  // small parts may compress as well as they like

zip_t* handle(void* archive) { return static_cast<zip_t*>(archive); }

// A name as it may stand in a message: one short line of clean text.
std::string printable(std::string_view name) {
  std::string text = clean_text(name.substr(0, 100));
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

bool leaves_archive(std::string_view name) {
  if (name.empty() || name[0] == '/' || name[0] == '\\' || (name.size() > 1 && name[1] == ':')) return true;
  for (size_t begin = 0; begin <= name.size();) {
    const size_t end = std::min(name.find_first_of("/\\", begin), name.size());
    if (name.substr(begin, end - begin) == "..") return true;
    begin = end + 1;
  }
  return false;
}

}  // namespace

ZipArchive::ZipArchive(ZipArchive&&) noexcept = default;
ZipArchive& ZipArchive::operator=(ZipArchive&&) noexcept = default;
ZipArchive::~ZipArchive() = default;

void ZipArchive::Closer::operator()(void* archive) const { zip_discard(handle(archive)); }

Result<ZipArchive> ZipArchive::open(std::string_view bytes, const IngestLimits& limits) {
  zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, nullptr);
  if (source == nullptr) return internal_error("no memory for a ZIP archive");
  zip_error_t error;
  zip_error_init(&error);
  zip_t* opened = zip_open_from_source(source, ZIP_RDONLY, &error);
  zip_error_fini(&error);
  if (opened == nullptr) {
    zip_source_free(source);
    return refused("the ZIP archive is damaged or truncated");
  }
  ZipArchive archive(opened, limits);
  GLYPH_RETURN_IF_ERROR(archive.check_entries());
  return archive;
}

Status ZipArchive::check_size(std::string_view name, size_t inflated, size_t compressed) const {
  if (inflated > limits_.inflated_bytes) {
    return refused(fmt::format("the archive inflates to {} bytes or more, the limit is {}", inflated, limits_.inflated_bytes));
  }
  if (inflated > kRatioFreeBytes && inflated / limits_.inflate_ratio > compressed) {
    return refused(fmt::format("the part {} inflates from {} to {} bytes or more, the limit is {} times", printable(name),
                               compressed, inflated, limits_.inflate_ratio));
  }
  return {};
}

Status ZipArchive::check_entries() const {
  const zip_int64_t count = zip_get_num_entries(handle(archive_.get()), 0);
  if (count > static_cast<zip_int64_t>(limits_.zip_entries)) {
    return refused(fmt::format("the archive has {} entries, the limit is {}", count, limits_.zip_entries));
  }
  size_t total = 0;
  for (zip_int64_t i = 0; i < count; ++i) {
    zip_stat_t info;
    if (zip_stat_index(handle(archive_.get()), static_cast<zip_uint64_t>(i), 0, &info) != 0) {
      return refused("the ZIP archive is damaged");
    }
    if (leaves_archive(info.name)) {
      return refused(fmt::format("the archive has an entry with the forbidden path '{}'", printable(info.name)));
    }
    total += std::min<size_t>(info.size, limits_.inflated_bytes + 1);
    GLYPH_RETURN_IF_ERROR(check_size(info.name, total, SIZE_MAX));
    GLYPH_RETURN_IF_ERROR(check_size(info.name, info.size, info.comp_size));
  }
  return {};
}

bool ZipArchive::contains(const std::string& part) const {
  return zip_name_locate(handle(archive_.get()), part.c_str(), ZIP_FL_NOCASE) >= 0;
}

Result<std::string> ZipArchive::read(const std::string& part) {
  const zip_int64_t index = zip_name_locate(handle(archive_.get()), part.c_str(), ZIP_FL_NOCASE);
  if (index < 0) return refused(fmt::format("the part {} is missing", printable(part)));
  zip_stat_t info;
  zip_stat_index(handle(archive_.get()), static_cast<zip_uint64_t>(index), 0, &info);
  const std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> file(
      zip_fopen_index(handle(archive_.get()), static_cast<zip_uint64_t>(index), 0), zip_fclose);
  if (file == nullptr) return refused(fmt::format("the part {} is encrypted or damaged", printable(part)));
  std::string bytes;
  std::string chunk(64 << 10, '\0');
  while (true) {
    const zip_int64_t count = zip_fread(file.get(), chunk.data(), chunk.size());
    if (count < 0) return refused(fmt::format("the part {} is damaged", printable(part)));
    if (count == 0) return bytes;
    bytes.append(chunk, 0, static_cast<size_t>(count));
    inflated_bytes_ += static_cast<size_t>(count);
    GLYPH_RETURN_IF_ERROR(check_size(part, inflated_bytes_, SIZE_MAX));
    GLYPH_RETURN_IF_ERROR(check_size(part, bytes.size(), info.comp_size));
  }
}

}  // namespace glyph
