// multipart/form-data (RFC 7578): the parts of a body that is in memory or mapped.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "glyph/status.h"

namespace glyph {

constexpr size_t kMaxFormParts = 64;

struct FormPart {
  std::string name;
  std::string file_name;  // "" for a plain field
  std::string_view bytes;  // of the body
};

// kUsage: no multipart/form-data with a boundary.
Result<std::string> multipart_boundary(std::string_view content_type);
// kUsage with a sentence when the body does not keep to the form: no final boundary (cut off), a part without a name, too many parts.
Result<std::vector<FormPart>> parse_multipart(std::string_view body, std::string_view boundary);

}  // namespace glyph
