#include "render/story.h"

#include <algorithm>
#include <cstring>

#include "base/utf8.h"

namespace glyph {

namespace {

enum ByteClass : uint8_t { kPlain, kSpace, kOtherWhite, kMarked, kWide };

constexpr std::array<ByteClass, 256> make_byte_classes() {
  std::array<ByteClass, 256> classes{};
  for (int byte = 0x80; byte < 256; ++byte) classes[byte] = kWide;
  for (int byte : {9, 10, 11, 12, 13, 28, 29, 30, 31}) classes[byte] = kOtherWhite;
  classes[' '] = kSpace;
  for (char c : {'&', '<', '>'}) classes[static_cast<uint8_t>(c)] = kMarked;
  return classes;
}

constexpr std::array<ByteClass, 256> kByteClasses = make_byte_classes();

// White space beyond ASCII in the sense of Python's str.split(), without the no-break space.
bool is_wide_space(uint32_t code) {
  if (code > 0x3000) return false;
  return code == 0x85 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 ||
         code == 0x202F || code == 0x205F || code == 0x3000;
}

// decode_utf8() with the usual CJK sequences, of three bytes, decoded in place.
inline CodePoint decode(std::string_view text, size_t i) {
  const uint8_t* bytes = reinterpret_cast<const uint8_t*>(text.data()) + i;
  if (i + 2 < text.size() && bytes[0] > 0xE0 && bytes[0] < 0xED && (bytes[1] & 0xC0) == 0x80 && (bytes[2] & 0xC0) == 0x80) {
    const uint32_t value = (bytes[0] & 0x0Fu) << 12 | (bytes[1] & 0x3Fu) << 6 | (bytes[2] & 0x3Fu);
    return {value, 3, true};
  }
  return decode_utf8(text, i);
}

bool is_dropped(uint32_t code) { return code == 0xAD || code == 0x200B; }

bool is_white(uint32_t code) {
  if (code < 0x80) return kByteClasses[code] == kSpace || kByteClasses[code] == kOtherWhite;
  return is_wide_space(code);
}

}  // namespace

void CharBuffer::grow(size_t size) {
  capacity_ = std::max({size, capacity_ * 2, size_t{1024}});
  std::unique_ptr<TextChar[]> larger = std::make_unique_for_overwrite<TextChar[]>(capacity_);
  std::copy_n(data_.get(), size_, larger.get());
  data_ = std::move(larger);
}

Story::Story(std::string_view text, const PageStyle& style, const std::vector<MarkupPiece>& markup, CharTable& chars)
    : text_(text), table_(chars) {
  colors_.push_back(style.font_color);
  for (const MarkupPiece& piece : markup) {
    uint8_t color = 0;
    if (piece.has_color) {
      const auto known = std::find(colors_.begin(), colors_.end(), piece.color);
      color = static_cast<uint8_t>(known - colors_.begin());
      if (known == colors_.end()) colors_.push_back(piece.color);
    }
    markup_.push_back({piece.kind, {piece.text.begin(), piece.text.end()}, color});
  }
}

bool Story::next(ParagraphText& out) {
  out.chars.clear();
  out.fragments.clear();
  if (done_) return false;
  out_ = &out;
  open_ = 0;
  color_ = 0;
  started_ = space_pending_ = has_nbsp_ = false;
  for (int line = 0; line < kLinesAParagraph; ++line) {
    const char* begin = text_.data() + position_;
    const size_t left = text_.size() - position_;
    const void* newline = left == 0 ? nullptr : std::memchr(begin, '\n', left);
    const size_t size = newline ? static_cast<const char*>(newline) - begin : left;
    add_line(text_.substr(position_, size), position_);
    position_ += size;
    if (!newline) {
      done_ = true;
      break;
    }
    if (line + 1 < kLinesAParagraph) add_markup(position_);
    ++position_;
  }
  end_fragment();
  return true;
}

void Story::add_line(std::string_view line, size_t offset) {
  const char* data = line.data();
  const size_t size = line.size();
  size_t i = 0;
  while (i < size) {
    const uint8_t byte = static_cast<uint8_t>(data[i]);
    switch (kByteClasses[byte]) {
      case kPlain: {
        size_t end = i + 1;
        while (end < size && kByteClasses[static_cast<uint8_t>(data[end])] == kPlain) ++end;
        put_plain(data + i, end - i, offset + i);
        i = end;
        break;
      }
      case kSpace: {
        if (i + 1 < size && kByteClasses[static_cast<uint8_t>(data[i + 1])] == kPlain) {
          put_space(offset + i);
          ++i;
          break;
        }
        // Dropped characters do not interrupt a run of spaces: they go before the runs are counted.
        size_t end = i;
        spaces_.clear();
        while (end < size) {
          if (data[end] == ' ') {
            spaces_.push_back(offset + end);
            ++end;
            continue;
          }
          if (kByteClasses[static_cast<uint8_t>(data[end])] != kWide) break;
          const CodePoint point = decode_utf8(line, end);
          if (!is_dropped(point.value)) break;
          end += point.length;
        }
        add_spaces();
        i = end;
        break;
      }
      case kOtherWhite:
        put_space(offset + i);
        ++i;
        break;
      case kMarked:
        put_fragment_char(table_.slot(byte), offset + i, 0);
        ++i;
        break;
      case kWide: {
        const CodePoint point = decode(line, i);
        if (is_wide_space(point.value)) {
          put_space(offset + i);
        } else if (!is_dropped(point.value)) {
          put_char(table_.slot(point.value), offset + i);
        }
        i += point.length;
        break;
      }
    }
  }
}

void Story::add_spaces() {
  if (spaces_.size() == 1) return put_space(spaces_[0]);
  // Two or more become &nbsp; entities.
  for (size_t offset : spaces_) put_fragment_char(kNbspSlot, offset, 0);
}

void Story::add_markup(size_t offset) {
  for (const Piece& piece : markup_) {
    switch (piece.kind) {
      case MarkupPiece::Kind::kText:
        for (uint32_t code : piece.code_points) {
          if (is_white(code)) {
            put_space(offset);
          } else {
            put_char(table_.slot(code), offset);
          }
        }
        break;
      case MarkupPiece::Kind::kEntity:
        put_fragment_char(table_.slot(piece.code_points[0]), offset, piece.color);
        break;
      case MarkupPiece::Kind::kBreak: {
        flush_space();
        end_fragment();
        started_ = true;
        Fragment fragment;
        fragment.begin = fragment.end = open_;
        fragment.color = piece.color;
        fragment.is_break = true;
        out_->fragments.push_back(fragment);
        break;
      }
      case MarkupPiece::Kind::kTag:
        flush_space();
        end_fragment();
        started_ = true;
        color_ = piece.color;
        break;
    }
  }
  color_ = 0;
}

void Story::put_plain(const char* data, size_t size, size_t offset) {
  if (space_pending_) flush_space();
  started_ = true;
  TextChar* const to = out_->chars.extend(size);
  for (size_t i = 0; i < size; ++i) to[i] = {table_.slot(static_cast<uint8_t>(data[i])), static_cast<uint32_t>(offset + i)};
}

inline void Story::put_char(uint32_t slot, size_t offset) {
  if (space_pending_) flush_space();
  started_ = true;
  has_nbsp_ = has_nbsp_ || slot == kNbspSlot;
  out_->chars.push_back({slot, static_cast<uint32_t>(offset)});
}

void Story::put_fragment_char(uint32_t slot, size_t offset, uint8_t color) {
  flush_space();
  end_fragment();
  const uint8_t kept = color_;
  color_ = color;
  put_char(slot, offset);
  end_fragment();
  color_ = kept;
}

void Story::put_space(size_t offset) {
  if (space_pending_) return;
  space_pending_ = true;
  space_source_ = static_cast<uint32_t>(offset);
}

void Story::flush_space() {
  if (!space_pending_) return;
  space_pending_ = false;
  // White space at the very start of a paragraph is dropped, at its end it is never flushed.
  if (started_) out_->chars.push_back({kSpaceSlot, space_source_});
}

void Story::end_fragment() {
  const uint32_t end = static_cast<uint32_t>(out_->chars.size());
  if (end > open_) {
    Fragment fragment;
    fragment.begin = open_;
    fragment.end = end;
    fragment.color = color_;
    fragment.has_nbsp = has_nbsp_;
    out_->fragments.push_back(fragment);
  }
  open_ = end;
  has_nbsp_ = false;
}

bool has_cjk(std::string_view text) {
  // U+4E00..U+9FFF are the three-byte sequences E4 B8 80 .. E9 BF BF.
  for (size_t i = 0; i + 2 < text.size(); ++i) {
    const uint8_t lead = static_cast<uint8_t>(text[i]);
    if (lead < 0xE4 || lead > 0xE9) continue;
    if (lead > 0xE4 || static_cast<uint8_t>(text[i + 1]) >= 0xB8) return true;
  }
  return false;
}

}  // namespace glyph
