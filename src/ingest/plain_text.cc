#include "ingest/plain_text.h"

#include "base/utf8.h"

namespace glyph {
namespace {

bool is_noncharacter(uint32_t c) { return (c & 0xFFFE) == 0xFFFE || (c >= 0xFDD0 && c <= 0xFDEF); }

bool is_dropped(uint32_t c) {
  return (c < 0x20 && c != '\t' && c != '\n') || (c >= 0x7F && c < 0xA0) || c == 0xFEFF || is_noncharacter(c);
}

// True for the bytes that stand for themselves whatever surrounds them.
bool is_plain_ascii(char c) { return (c >= 0x20 && c < 0x7F) || c == '\n' || c == '\t'; }

void append_clean(std::string& out, uint32_t c) {
  if (c == 0x85 || c == 0x2028) {
    out += '\n';
  } else if (c == '\f' || c == 0x2029) {
    out += "\n\n";
  } else if (!is_dropped(c)) {
    append_utf8(out, c);
  }
}

}  // namespace

std::string clean_text(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    if (is_plain_ascii(text[i])) {
      const size_t begin = i;
      while (i < text.size() && is_plain_ascii(text[i])) ++i;
      out.append(text, begin, i - begin);
    } else if (text[i] == '\r') {
      out += '\n';
      i += i + 1 < text.size() && text[i + 1] == '\n' ? 2 : 1;
    } else {
      const CodePoint step = decode_utf8(text, i);
      append_clean(out, step.value);
      i += step.length;
    }
  }
  return out;
}

std::string tidy_lines(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 1);
  int blank = 0;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    const size_t last = line.find_last_not_of(" \t");
    line = line.substr(0, last == std::string_view::npos ? 0 : last + 1);
    if (line.empty()) {
      ++blank;
    } else {
      if (blank > 0 && !out.empty()) out += '\n';
      blank = 0;
      out.append(line) += '\n';
    }
    begin = end + 1;
  }
  return out;
}

std::string on_one_line(std::string_view text, std::string_view separator) {
  std::string out;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const size_t first = text.find_first_not_of(' ', begin);
    if (first < end) {
      if (!out.empty()) out += separator;
      out.append(text.substr(first, end - first));
    }
    begin = end + 1;
  }
  return out;
}

bool is_unspaced(uint32_t c) {
  return (c >= 0x2E80 && c <= 0x30FF) || (c >= 0x3105 && c <= 0x312F) || (c >= 0x31A0 && c <= 0x9FFF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0xFE30 && c <= 0xFE4F) || (c >= 0xFF00 && c <= 0xFFEF) ||
         (c >= 0x20000 && c <= 0x3FFFF);
}

uint32_t last_code_point(std::string_view text) {
  if (text.empty()) return 0;
  size_t i = text.size() - 1;
  while (i > 0 && text.size() - i < 4 && (static_cast<uint8_t>(text[i]) & 0xC0) == 0x80) --i;
  return decode_utf8(text, i).value;
}

void join_line(std::string& paragraph, std::string_view line) {
  if (line.empty()) return;
  if (!paragraph.empty()) {
    const uint32_t before = last_code_point(paragraph);
    const uint32_t after = decode_utf8(line, 0).value;
    const bool has_space = before == ' ' || before == '\n' || before == '\t';
    if (!has_space && !(is_unspaced(before) && is_unspaced(after))) paragraph += ' ';
  }
  paragraph += line;
}

}  // namespace glyph
