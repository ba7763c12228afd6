#include "ingest/ingest.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

#include "ingest/charset.h"
#include "ingest/detect.h"
#include "ingest/extract_client.h"
#include "ingest/helper_process.h"
#include "ingest/html.h"
#include "ingest/markdown.h"
#include "ingest/plain_text.h"
#include "render/image_decode.h"

namespace glyph {
namespace {

constexpr size_t kHeadBytes = 4096;  // what detection looks at

Status named(std::string_view name, const Status& status) {
  return {status.code(), fmt::format("{}: {}", name, status.message())};
}

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\n") == std::string_view::npos; }

Result<std::string> text_of(Format format, std::string_view bytes, const IngestLimits& limits, DecodedText& decoded) {
  const std::string declared = format == Format::kHtml ? html_declared_charset(bytes) : "";
  GLYPH_ASSIGN_OR_RETURN(decoded, decode_text(bytes, declared));
  if (format == Format::kHtml) return html_to_text(decoded.text, limits);
  if (format == Format::kMarkdown) return markdown_to_text(clean_text(decoded.text));
  return clean_text(decoded.text);
}

Document document_of(std::string_view name, Format format) {
  Document document;
  document.name = name;
  document.format = format_name(format);
  return document;
}

Result<Document> read_text(std::string_view name, Format format, std::string_view bytes, const IngestLimits& limits) {
  DecodedText decoded;
  auto text = text_of(format, bytes, limits, decoded);
  if (!text) return named(name, text.status());
  if (is_blank(*text)) return named(name, refused("it has no text"));
  Document document = document_of(name, format);
  document.encoding = decoded.encoding;
  document.blocks.push_back({.text = *std::move(text), .image = {}});
  if (!decoded.warning.empty()) document.warnings.push_back(fmt::format("{}: {}", name, decoded.warning));
  return document;
}

Result<Document> read_picture(std::string_view name, std::string_view bytes, const IngestLimits& limits) {
  const ImageLimits image_limits{.max_side = limits.image_side, .max_pixels = limits.image_pixels};
  auto image = decode_image({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, name, image_limits);
  if (!image) return image.status();
  Document document = document_of(name, Format::kImage);
  document.blocks.push_back({.kind = Block::Kind::kImage, .text = {}, .image = *std::move(image)});
  return document;
}

bool needs_helper(Format format) { return format == Format::kPdf || format == Format::kDocx; }

Result<Document> read_here(std::string_view name, Format format, std::string_view bytes, const IngestOptions& options) {
  if (options.stop.stop_requested()) return named(name, cancelled("reading was stopped"));
  return format == Format::kImage ? read_picture(name, bytes, options.limits) : read_text(name, format, bytes, options.limits);
}

Status check_size(std::string_view name, size_t bytes, const IngestLimits& limits) {
  if (bytes == 0) return named(name, refused("the file is empty"));
  if (bytes > limits.file_bytes) {
    return named(name, refused(fmt::format("the file has {} bytes, the limit is {}", bytes, limits.file_bytes)));
  }
  return {};
}

// Opens a regular file; O_NONBLOCK so that a FIFO is refused rather than waited for.
Result<OwnedFd> open_file(const std::string& name, const std::filesystem::path& path, size_t& size) {
  OwnedFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) {
    if (errno == ENOENT || errno == ENOTDIR) return not_found(name + ": there is no such file");
    return refused(fmt::format("{}: the file cannot be opened: {}", name, std::strerror(errno)));
  }
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return internal_error(fmt::format("{}: {}", name, std::strerror(errno)));
  if (S_ISDIR(info.st_mode)) return refused(name + ": it is a directory, not a file");
  if (!S_ISREG(info.st_mode)) return refused(name + ": it is not a regular file");
  size = static_cast<size_t>(info.st_size);
  return fd;
}

Result<std::string> read_up_to(const std::string& name, int fd, size_t most) {
  std::string bytes(most, '\0');
  size_t have = 0;
  while (have < most) {
    const ssize_t count = ::pread(fd, bytes.data() + have, most - have, static_cast<off_t>(have));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return internal_error(fmt::format("{}: the file cannot be read: {}", name, std::strerror(errno)));
    if (count == 0) break;
    have += static_cast<size_t>(count);
  }
  bytes.resize(have);
  return bytes;
}

// The bytes as an open file of their own, for the helper.
Result<OwnedFd> file_in_memory(std::string_view name, std::string_view bytes) {
  OwnedFd fd(::memfd_create("glyph-upload", MFD_CLOEXEC));
  for (size_t done = 0; fd.valid() && done < bytes.size();) {
    const ssize_t count = ::write(fd.get(), bytes.data() + done, bytes.size() - done);
    if (count > 0) done += static_cast<size_t>(count);
    if (count < 0 && errno != EINTR) fd.reset();
  }
  if (!fd.valid()) return internal_error(fmt::format("{}: no memory for {} bytes", name, bytes.size()));
  return fd;
}

std::string base_name(std::string_view name) {
  const size_t slash = name.find_last_of("/\\");
  std::string base = clean_text(slash == std::string_view::npos ? name : name.substr(slash + 1));
  std::replace(base.begin(), base.end(), '\n', ' ');
  return base;
}

// Joins a document to the end of another, under a line with its name.
void append_document(Document& whole, Document part) {
  if (whole.format != part.format) whole.format = "mixed";
  if (whole.encoding != part.encoding) whole.encoding.clear();
  const std::string heading = part.name + "\n\n";
  if (part.blocks.front().kind == Block::Kind::kText) {
    part.blocks.front().text.insert(0, heading);
  } else {
    part.blocks.insert(part.blocks.begin(), Block{.text = heading, .image = {}});
  }
  const bool follows_text = !whole.blocks.empty() && whole.blocks.back().kind == Block::Kind::kText;
  if (follows_text) whole.blocks.back().text += whole.blocks.back().text.ends_with('\n') ? "\n" : "\n\n";
  std::move(part.blocks.begin(), part.blocks.end(), std::back_inserter(whole.blocks));
  std::move(part.warnings.begin(), part.warnings.end(), std::back_inserter(whole.warnings));
}

}  // namespace

std::filesystem::path find_extract_helper(const IngestOptions& options) {
  if (!options.helper.empty()) return options.helper;
  if (const char* named = std::getenv("GLYPH_EXTRACT"); named != nullptr && *named != '\0') return named;
  std::error_code ignored;
  return std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path() / "glyph-extract";
}

Result<Document> read_document(const std::filesystem::path& path, const IngestOptions& options) {
  const std::string name = path.string();
  size_t size = 0;
  GLYPH_ASSIGN_OR_RETURN(const OwnedFd fd, open_file(name, path, size));
  GLYPH_RETURN_IF_ERROR(check_size(name, size, options.limits));
  GLYPH_ASSIGN_OR_RETURN(const std::string head, read_up_to(name, fd.get(), std::min(size, kHeadBytes)));
  const auto format = detect_format(name, head);
  if (!format) return named(name, format.status());
  auto document = [&]() -> Result<Document> {
    if (needs_helper(*format)) return extract_document(name, *format, fd.get(), size, options);
    GLYPH_ASSIGN_OR_RETURN(const std::string bytes, read_up_to(name, fd.get(), size));
    return read_here(name, *format, bytes, options);
  }();
  if (document) document->name = base_name(name);
  return document;
}

Result<Document> read_bytes(std::string_view name, std::string_view bytes, const IngestOptions& options) {
  const std::string base = base_name(name);
  GLYPH_RETURN_IF_ERROR(check_size(base, bytes.size(), options.limits));
  const auto format = detect_format(base, bytes.substr(0, kHeadBytes));
  if (!format) return named(base, format.status());
  if (!needs_helper(*format)) return read_here(base, *format, bytes, options);
  GLYPH_ASSIGN_OR_RETURN(const OwnedFd fd, file_in_memory(base, bytes));
  return extract_document(base, *format, fd.get(), bytes.size(), options);
}

Result<Document> read_documents(std::span<const std::filesystem::path> paths, const IngestOptions& options) {
  if (paths.empty()) return usage_error("no file was named");
  if (paths.size() == 1) return read_document(paths[0], options);
  Document whole;
  for (const std::filesystem::path& path : paths) {
    GLYPH_ASSIGN_OR_RETURN(Document part, read_document(path, options));
    if (whole.blocks.empty()) {
      whole.name = part.name;
      whole.format = part.format;
      whole.encoding = part.encoding;
    }
    append_document(whole, std::move(part));
  }
  return whole;
}

}  // namespace glyph
