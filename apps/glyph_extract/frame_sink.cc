#include "glyph_extract/frame_sink.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "ingest/extract_protocol.h"

namespace glyph {

namespace {
constexpr size_t kFlushBytes = 64 << 10;
}

void FrameSink::pages(uint32_t num_pages, uint32_t num_here) { put(encode_pages(num_pages, num_here)); }

void FrameSink::text(std::string_view utf8) {
  for (size_t begin = 0; begin < utf8.size(); begin += kMaxTextFrame) {
    put(encode_frame(FrameType::kText, utf8.substr(begin, kMaxTextFrame)));
  }
}

void FrameSink::page_end() { put(encode_frame(FrameType::kPageEnd, "")); }

void FrameSink::image(const Image& image) { put(encode_image(image)); }

void FrameSink::warning(std::string_view sentence) {
  put(encode_frame(FrameType::kWarning, sentence.substr(0, kMaxMessage)));
}

void FrameSink::finish(const Status& status) {
  put(status.ok() ? encode_frame(FrameType::kDone, "") : encode_error(status));
  flush();
}

void FrameSink::put(std::string_view frame) {
  pending_ += frame;
  if (pending_.size() >= kFlushBytes) flush();
}

void FrameSink::flush() {
  for (size_t begin = 0; begin < pending_.size();) {
    const ssize_t count = ::write(fd_, pending_.data() + begin, pending_.size() - begin);
    if (count >= 0) {
      begin += static_cast<size_t>(count);
    } else if (errno != EINTR) {
      ::_exit(1);
    }
  }
  pending_.clear();
}

}  // namespace glyph
