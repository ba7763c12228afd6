#include "server/list_page.h"

#include <fmt/format.h>

#include <charconv>

namespace glyph {

std::variant<ListQuery, ApiError> read_list_query(const HttpRequest& request, size_t default_limit, size_t max_limit) {
  ListQuery query;
  query.limit = default_limit;
  if (const auto limit = request.parameter("limit")) {
    const auto [end, error] = std::from_chars(limit->data(), limit->data() + limit->size(), query.limit);
    if (error != std::errc() || end != limit->data() + limit->size() || query.limit < 1 || query.limit > max_limit) {
      return ApiError{400, fmt::format("limit must be a whole number from 1 to {}", max_limit), "limit", "invalid_value"};
    }
  }
  query.after = request.parameter("after").value_or("");
  const std::string order = request.parameter("order").value_or("desc");
  if (order != "asc" && order != "desc") return ApiError{400, "order must be asc or desc", "order", "invalid_value"};
  query.oldest_first = order == "asc";
  return query;
}

}  // namespace glyph
