// A page of a list, as OpenAI's clients turn them: ?limit=N&after=ID&order=asc|desc.
#pragma once

#include <algorithm>
#include <boost/json/array.hpp>
#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "server/api_error.h"
#include "server/api_json.h"
#include "server/http_message.h"

namespace glyph {

struct ListQuery {
  size_t limit = 20;
  std::string after;  // id of the last one seen, "" for the beginning
  bool oldest_first = false;
};

// 400 naming the parameter: no number from 1 to `max_limit`, another order.
std::variant<ListQuery, ApiError> read_list_query(const HttpRequest& request, size_t default_limit, size_t max_limit);

// `all` newest first; items have an `id`.
template <typename Item>
HttpResponse list_page(std::vector<Item> all, const ListQuery& query, const std::function<boost::json::object(const Item&)>& to_json) {
  if (query.oldest_first) std::reverse(all.begin(), all.end());
  auto begin = all.begin();
  if (!query.after.empty()) {
    begin = std::find_if(all.begin(), all.end(), [&](const Item& item) { return item.id == query.after; });
    if (begin == all.end()) return error_response(ApiError{400, "after: there is no '" + query.after + "' in the list", "after", "invalid_value"});
    ++begin;
  }
  const auto end = begin + std::min<std::ptrdiff_t>(all.end() - begin, static_cast<std::ptrdiff_t>(query.limit));
  boost::json::array data;
  for (auto it = begin; it != end; ++it) data.push_back(to_json(*it));
  boost::json::object page{{"object", "list"}, {"has_more", end != all.end()}};
  page["first_id"] = begin == end ? boost::json::value(nullptr) : boost::json::value(begin->id);
  page["last_id"] = begin == end ? boost::json::value(nullptr) : boost::json::value((end - 1)->id);
  page["data"] = std::move(data);
  return json_response(page);
}

}  // namespace glyph
