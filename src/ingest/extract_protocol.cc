#include "ingest/extract_protocol.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>

#include "base/utf8.h"
#include "ingest/plain_text.h"

namespace glyph {
namespace {

constexpr size_t kImageHeaderBytes = 9;

uint32_t read_u32(std::string_view bytes, size_t offset) {
  uint32_t value = 0;
  for (int i = 3; i >= 0; --i) value = value << 8 | static_cast<uint8_t>(bytes[offset + i]);
  return value;
}

void append_u32(std::string& out, uint32_t value) {
  for (int i = 0; i < 4; ++i) out += static_cast<char>(value >> (8 * i) & 0xFF);
}

Status broken(std::string_view what) { return internal_error(fmt::format("glyph-extract sent {}", what)); }

// One row per argument: its name and how to reach its number in a request.
struct Argument {
  std::string_view name;
  double (*get)(const ExtractRequest&);
  void (*set)(ExtractRequest&, double);
};

#define GLYPH_EXTRACT_ARGUMENT(name, field)                           \
  {name, [](const ExtractRequest& r) -> double { return r.field; },   \
   [](ExtractRequest& r, double v) { r.field = static_cast<decltype(r.field)>(v); }}

constexpr Argument kArguments[] = {
    GLYPH_EXTRACT_ARGUMENT("part", part),
    GLYPH_EXTRACT_ARGUMENT("num-parts", num_parts),
    GLYPH_EXTRACT_ARGUMENT("parent", parent),
    GLYPH_EXTRACT_ARGUMENT("file-bytes", limits.file_bytes),
    GLYPH_EXTRACT_ARGUMENT("inflated-bytes", limits.inflated_bytes),
    GLYPH_EXTRACT_ARGUMENT("inflate-ratio", limits.inflate_ratio),
    GLYPH_EXTRACT_ARGUMENT("zip-entries", limits.zip_entries),
    GLYPH_EXTRACT_ARGUMENT("pages", limits.pages),
    GLYPH_EXTRACT_ARGUMENT("image-side", limits.image_side),
    GLYPH_EXTRACT_ARGUMENT("image-pixels", limits.image_pixels),
    GLYPH_EXTRACT_ARGUMENT("image-bytes", limits.image_bytes),
    GLYPH_EXTRACT_ARGUMENT("page-image-dpi", limits.page_image_dpi),
    GLYPH_EXTRACT_ARGUMENT("nesting", limits.nesting),
    GLYPH_EXTRACT_ARGUMENT("helper-seconds", limits.helper_seconds),
    GLYPH_EXTRACT_ARGUMENT("helper-memory", limits.helper_memory),
};
#undef GLYPH_EXTRACT_ARGUMENT

Status set_argument(ExtractRequest& request, std::string_view argument) {
  const size_t equals = argument.find('=');
  const std::string_view name = argument.substr(0, equals);
  const std::string_view text = equals == std::string_view::npos ? "" : argument.substr(equals + 1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool is_number = error == std::errc() && end == text.data() + text.size() && value >= 0 && value <= 1e15;
  for (const Argument& known : kArguments) {
    if (known.name != name) continue;
    if (!is_number) return usage_error(fmt::format("argument {} needs a number, not '{}'", name, text));
    known.set(request, value);
    return {};
  }
  return usage_error(fmt::format("unknown argument '{}'", name));
}

}  // namespace

std::vector<std::string> ExtractRequest::to_arguments() const {
  std::vector<std::string> arguments{format};
  for (const Argument& known : kArguments) arguments.push_back(fmt::format("{}={}", known.name, known.get(*this)));
  return arguments;
}

Result<ExtractRequest> ExtractRequest::from_arguments(std::span<const std::string> arguments) {
  ExtractRequest request;
  if (arguments.empty()) return usage_error("the first argument must be pdf or docx");
  request.format = arguments[0];
  if (request.format != "pdf" && request.format != "docx") {
    return usage_error(fmt::format("'{}' is neither pdf nor docx", request.format));
  }
  for (const std::string& argument : arguments.subspan(1)) GLYPH_RETURN_IF_ERROR(set_argument(request, argument));
  if (request.num_parts < 1 || request.part >= request.num_parts) {
    return usage_error(fmt::format("part {} of {} does not exist", request.part, request.num_parts));
  }
  return request;
}

std::string encode_frame(FrameType type, std::string_view payload) {
  std::string frame(1, static_cast<char>(type));
  frame.reserve(kFrameHeaderBytes + payload.size());
  append_u32(frame, static_cast<uint32_t>(payload.size()));
  frame += payload;
  return frame;
}

std::string encode_pages(uint32_t num_pages, uint32_t num_here) {
  std::string payload;
  append_u32(payload, num_pages);
  append_u32(payload, num_here);
  return encode_frame(FrameType::kPages, payload);
}

std::string encode_image(const Image& image) {
  std::string payload;
  payload.reserve(kImageHeaderBytes + image.pixels.size());
  append_u32(payload, static_cast<uint32_t>(image.width));
  append_u32(payload, static_cast<uint32_t>(image.height));
  payload += static_cast<char>(image.channels);
  payload.append(reinterpret_cast<const char*>(image.pixels.data()), image.pixels.size());
  return encode_frame(FrameType::kImage, payload);
}

std::string encode_error(const Status& status) {
  std::string payload(1, static_cast<char>(status.code()));
  payload += std::string_view(status.message()).substr(0, kMaxMessage);
  return encode_frame(FrameType::kError, payload);
}

Status FrameParser::check_header(uint8_t type, size_t length) const {
  const auto within = [&](size_t least, size_t most) {
    return length >= least && length <= most ? Status() : broken(fmt::format("a frame '{}' of {} bytes", char(type), length));
  };
  switch (static_cast<FrameType>(type)) {
    case FrameType::kPages: return within(8, 8);
    case FrameType::kText: return within(0, kMaxTextFrame);
    case FrameType::kPageEnd:
    case FrameType::kDone: return within(0, 0);
    case FrameType::kImage: return within(kImageHeaderBytes + 1, kImageHeaderBytes + 3 * limits_.image_pixels);
    case FrameType::kWarning: return within(1, kMaxMessage);
    case FrameType::kError: return within(2, kMaxMessage + 1);
  }
  return broken(fmt::format("a frame of the unknown type {}", type));
}

void FrameParser::close_page() {
  if (!page_.empty()) output_.blocks.push_back({.text = clean_text(page_), .image = {}});
  page_.clear();
}

Status FrameParser::accept_text(std::string_view payload) {
  text_bytes_ += payload.size();
  if (text_bytes_ > limits_.inflated_bytes) {
    return refused(fmt::format("its text is larger than the limit of {} bytes", limits_.inflated_bytes));
  }
  page_ += payload;
  return {};
}

Status FrameParser::accept_image(std::string_view payload) {
  const int64_t width = read_u32(payload, 0);
  const int64_t height = read_u32(payload, 4);
  const int64_t channels = static_cast<uint8_t>(payload[8]);
  const std::string_view pixels = payload.substr(kImageHeaderBytes);
  const bool fits = width >= 1 && height >= 1 && width <= limits_.image_side && height <= limits_.image_side;
  if (!fits || (channels != 1 && channels != 3) || width * height * channels != static_cast<int64_t>(pixels.size())) {
    return broken(fmt::format("a picture of {} x {} x {} with {} bytes", width, height, channels, pixels.size()));
  }
  image_bytes_ += pixels.size();
  if (image_bytes_ > limits_.image_bytes) {
    return refused(fmt::format("its page images need more than the limit of {} bytes", limits_.image_bytes));
  }
  close_page();
  Block block{.kind = Block::Kind::kImage, .text = {}, .image = {}};
  block.image = {static_cast<int>(width), static_cast<int>(height), static_cast<int>(channels), {}};
  block.image.pixels.assign(pixels.begin(), pixels.end());
  output_.blocks.push_back(std::move(block));
  return {};
}

Status FrameParser::accept(FrameType type, std::string_view payload) {
  if (output_.complete) return broken("a frame after the last one");
  switch (type) {
    case FrameType::kPages: output_.num_pages = read_u32(payload, 0); break;
    case FrameType::kText: return accept_text(payload);
    case FrameType::kImage: return accept_image(payload);
    case FrameType::kPageEnd:
      close_page();
      if (++output_.pages_read > limits_.pages) return broken("more pages than the limit allows");
      break;
    case FrameType::kWarning:
      if (output_.warnings.size() < kMaxWarnings) output_.warnings.push_back(clean_text(payload));
      break;
    case FrameType::kError: {
      const uint8_t code = static_cast<uint8_t>(payload[0]);
      if (code == 0 || code > static_cast<uint8_t>(StatusCode::kInternal)) return broken("an error without a code");
      output_.error = Status(static_cast<StatusCode>(code), clean_text(payload.substr(1)));
      output_.complete = true;
      break;
    }
    case FrameType::kDone:
      close_page();
      output_.complete = true;
      break;
  }
  return {};
}

Status FrameParser::feed(std::span<const uint8_t> bytes) {
  buffer_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::string_view rest = buffer_;
  while (rest.size() >= kFrameHeaderBytes) {
    const uint8_t type = static_cast<uint8_t>(rest[0]);
    const size_t length = read_u32(rest, 1);
    GLYPH_RETURN_IF_ERROR(check_header(type, length));
    if (rest.size() < kFrameHeaderBytes + length) break;
    GLYPH_RETURN_IF_ERROR(accept(static_cast<FrameType>(type), rest.substr(kFrameHeaderBytes, length)));
    rest.remove_prefix(kFrameHeaderBytes + length);
  }
  buffer_.erase(0, buffer_.size() - rest.size());
  return {};
}

}  // namespace glyph
