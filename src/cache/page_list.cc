#include "cache/page_list.h"

#include <fmt/format.h>

#include "cache/checksum.h"

namespace glyph {
namespace {

constexpr std::string_view kFirstLine = "glyph pages 1\n";

std::string last_line(std::string_view before, size_t num_pages) {
  const uint64_t checksum = checksum64({reinterpret_cast<const uint8_t*>(before.data()), before.size()});
  return fmt::format("end {} {:016x}\n", num_pages, checksum);
}

int value_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

}  // namespace

bool parse_hex(std::string_view text, Digest& digest) {
  if (text.size() != 2 * digest.size()) return false;
  for (size_t i = 0; i < digest.size(); ++i) {
    const int high = value_of(text[2 * i]), low = value_of(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    digest[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return true;
}

std::string page_list_text(const std::vector<Digest>& pages) {
  std::string text(kFirstLine);
  for (const Digest& page : pages) text += hex(page) + "\n";
  return text + last_line(text, pages.size());
}

Result<std::vector<Digest>> parse_page_list(std::string_view text) {
  constexpr size_t kLine = 2 * sizeof(Digest) + 1;
  if (!text.starts_with(kFirstLine)) return refused("is not a list of pages of this version");
  std::vector<Digest> pages;
  size_t at = kFirstLine.size();
  for (Digest page; text.size() - at >= kLine && text[at + kLine - 1] == '\n' && parse_hex(text.substr(at, kLine - 1), page); at += kLine) {
    if (pages.size() == kMaxListedPages) return refused(fmt::format("lists more than {} pages", kMaxListedPages));
    pages.push_back(page);
  }
  if (text.substr(at) != last_line(text.substr(0, at), pages.size())) return refused("is damaged");
  return pages;
}

}  // namespace glyph
