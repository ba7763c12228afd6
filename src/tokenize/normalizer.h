// Unicode normalization before tokenization: none, NFC, NFD, NFKC, NFKD, or several in a row.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "glyph/status.h"

namespace glyph {

enum class NormalForm { kNfc, kNfd, kNfkc, kNfkd };

class Normalizer {
 public:
  explicit Normalizer(std::vector<NormalForm> forms = {}) : forms_(std::move(forms)) {}

  bool is_identity() const { return forms_.empty(); }
  // `text` is well-formed UTF-8. Text that has the form already is copied unchanged.
  std::string apply(std::string_view text) const;

 private:
  std::vector<NormalForm> forms_;
};

}  // namespace glyph
