#include "tokenize/normalizer.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uniset.h>

#include "base/check.h"

namespace glyph {
namespace {

const icu::Normalizer2& icu_instance(NormalForm form) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* normalizer = nullptr;
  switch (form) {
    case NormalForm::kNfc:
      normalizer = icu::Normalizer2::getNFCInstance(error);
      break;
    case NormalForm::kNfd:
      normalizer = icu::Normalizer2::getNFDInstance(error);
      break;
    case NormalForm::kNfkc:
      normalizer = icu::Normalizer2::getNFKCInstance(error);
      break;
    case NormalForm::kNfkd:
      normalizer = icu::Normalizer2::getNFKDInstance(error);
      break;
  }
  GLYPH_CHECK(U_SUCCESS(error) && normalizer != nullptr);
  return *normalizer;
}

// The reference normalizes by the tables of Unicode 9: characters added later pass through and separate their
// neighbours.
const icu::UnicodeSet& characters_of_the_reference() {
  static const icu::UnicodeSet set = [] {
    UErrorCode error = U_ZERO_ERROR;
    icu::UnicodeSet built(u"[:age=9.0:]", error);
    GLYPH_CHECK(U_SUCCESS(error));
    built.freeze();
    return built;
  }();
  return set;
}

// ICU takes 32-bit sizes: longer text is cut before an ASCII character, which never combines with what stands
// before it.
constexpr size_t kMaxPart = 256 << 20;

size_t part_size(std::string_view text) {
  if (text.size() <= kMaxPart) return text.size();
  size_t size = kMaxPart;
  while (size > 1 && static_cast<unsigned char>(text[size]) >= 0x80) --size;
  return size;
}

}  // namespace

std::string Normalizer::apply(std::string_view text) const {
  std::string current(text);
  for (const NormalForm form : forms_) {
    const icu::FilteredNormalizer2 normalizer(icu_instance(form), characters_of_the_reference());
    std::string out;
    out.reserve(current.size());
    icu::StringByteSink<std::string> sink(&out);
    for (std::string_view rest = current; !rest.empty();) {
      const size_t size = part_size(rest);
      UErrorCode error = U_ZERO_ERROR;
      normalizer.normalizeUTF8(0, {rest.data(), static_cast<int32_t>(size)}, sink, nullptr, error);
      GLYPH_CHECK(U_SUCCESS(error));
      rest.remove_prefix(size);
    }
    current = std::move(out);
  }
  return current;
}

}  // namespace glyph
