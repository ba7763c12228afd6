// What kind of body a request says it has: checked before any of it is read.
#pragma once

#include <optional>

#include "server/api_error.h"
#include "server/http_message.h"

namespace glyph {

enum class BodyKind { kJson, kForm };

// 415 when the body is said to be something else, packed, or text of another encoding than UTF-8. A form must say that it is one; JSON may
// say nothing, or what curl and browsers say of a text by themselves. A request without a body is fine.
std::optional<ApiError> check_content_type(const HttpRequest& request, BodyKind kind);

}  // namespace glyph
