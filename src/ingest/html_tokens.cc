#include "ingest/html_tokens.h"

#include <algorithm>

#include "base/utf8.h"
#include "ingest/html_entities.h"

namespace glyph {
namespace {

constexpr size_t kMaxAttributes = 64;
constexpr std::string_view kRawText[] = {"script", "style", "textarea", "title", "xmp", "noembed", "noframes", "iframe"};

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }
bool is_letter(char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

// The place of "</name" followed by the end of a tag name, or the end.
size_t find_end_tag(std::string_view html, size_t from, std::string_view name) {
  for (size_t i = html.find("</", from); i != std::string_view::npos; i = html.find("</", i + 2)) {
    const size_t after = i + 2 + name.size();
    if (!equals_ignoring_case(html.substr(i + 2, name.size()), name)) continue;
    if (after >= html.size() || is_space(html[after]) || html[after] == '>' || html[after] == '/') return i;
  }
  return html.size();
}

}  // namespace

std::string_view HtmlToken::attribute(std::string_view wanted) const {
  for (const HtmlAttribute& known : attributes) {
    if (known.name == wanted) return known.value;
  }
  return "";
}

bool HtmlToken::has_attribute(std::string_view wanted) const {
  return std::any_of(attributes.begin(), attributes.end(), [&](const HtmlAttribute& known) { return known.name == wanted; });
}

void HtmlTokenizer::skip_spaces() {
  while (is_space(at(i_))) ++i_;
}

HtmlToken HtmlTokenizer::text_until(size_t end, bool resolve) {
  HtmlToken token;
  token.kind = HtmlToken::Kind::kText;
  const std::string_view text = html_.substr(i_, end - i_);
  if (resolve) {
    append_resolved(token.text, text);
  } else {
    token.text = text;
  }
  i_ = end;
  return token;
}

bool HtmlTokenizer::skip_markup() {
  const std::string_view rest = html_.substr(i_);
  size_t end = std::string_view::npos;
  size_t length = 1;
  if (rest.starts_with("<!-->") || rest.starts_with("<!--->")) {
    end = rest.find('>');
  } else if (rest.starts_with("<!--")) {
    end = rest.find("-->", 4);
    length = 3;
  } else if (rest.starts_with("<![CDATA[")) {
    end = rest.find("]]>");
    length = 3;
  } else if (rest.starts_with("<!") || rest.starts_with("<?") || (rest.starts_with("</") && !is_letter(at(i_ + 2)))) {
    end = rest.find('>');
  } else {
    return false;
  }
  i_ = end == std::string_view::npos ? html_.size() : i_ + end + length;
  return true;
}

HtmlToken HtmlTokenizer::next() {
  if (!raw_.empty()) {
    const size_t end = find_end_tag(html_, i_, raw_);
    const bool resolve = raw_ == "textarea" || raw_ == "title";
    raw_.clear();
    if (end > i_) return text_until(end, resolve);
  }
  while (i_ < html_.size()) {
    if (at(i_) == '<') {
      if (skip_markup()) continue;
      if (is_letter(at(i_ + 1)) || at(i_ + 1) == '/') return tag();
    }
    // A '<' that begins no tag is text.
    return text_until(std::min(html_.find('<', i_ + 1), html_.size()), true);
  }
  return {};
}

HtmlToken HtmlTokenizer::tag() {
  HtmlToken token;
  const bool is_end = at(i_ + 1) == '/';
  token.kind = is_end ? HtmlToken::Kind::kEnd : HtmlToken::Kind::kStart;
  i_ += is_end ? 2 : 1;
  while (i_ < html_.size() && !is_space(at(i_)) && at(i_) != '>' && at(i_) != '/') token.name += lower(html_[i_++]);
  read_attributes(token);
  const bool is_raw = std::find(std::begin(kRawText), std::end(kRawText), token.name) != std::end(kRawText);
  if (!is_end && is_raw) raw_ = token.name;
  return token;
}

void HtmlTokenizer::read_attributes(HtmlToken& token) {
  while (true) {
    skip_spaces();
    if (i_ >= html_.size()) return;
    if (at(i_) == '>') {
      ++i_;
      return;
    }
    if (at(i_) == '/') {
      token.is_self_closing = at(i_ + 1) == '>';
      ++i_;
      continue;
    }
    HtmlAttribute attribute;
    do {
      attribute.name += lower(html_[i_++]);  // at least one character, so that this loop always moves on
    } while (i_ < html_.size() && !is_space(at(i_)) && at(i_) != '>' && at(i_) != '/' && at(i_) != '=');
    skip_spaces();
    if (at(i_) == '=') {
      ++i_;
      attribute.value = attribute_value();
    }
    if (token.attributes.size() < kMaxAttributes) token.attributes.push_back(std::move(attribute));
  }
}

std::string HtmlTokenizer::attribute_value() {
  skip_spaces();
  std::string value;
  const char quote = at(i_);
  size_t end;
  if (quote == '"' || quote == '\'') {
    end = std::min(html_.find(quote, ++i_), html_.size());
    append_resolved(value, html_.substr(i_, end - i_));
    i_ = std::min(end + 1, html_.size());
    return value;
  }
  for (end = i_; end < html_.size() && !is_space(html_[end]) && html_[end] != '>'; ++end) {
  }
  append_resolved(value, html_.substr(i_, end - i_));
  i_ = end;
  return value;
}

void append_resolved(std::string& out, std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const size_t ampersand = std::min(text.find('&', i), text.size());
    out.append(text, i, ampersand - i);
    i = ampersand;
    if (i == text.size()) return;
    const CharacterReference reference = resolve_reference(text.substr(i));
    if (reference.length == 0) {
      out += text[i++];
      continue;
    }
    append_utf8(out, reference.value);
    i += reference.length;
  }
}

}  // namespace glyph
