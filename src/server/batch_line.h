// One line of a batch's input file, and the lines of its output and error files.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>

#include "server/api_error.h"
#include "server/http_message.h"

namespace glyph {

struct BatchLine {
  std::string custom_id;
  std::string body;  // of the request, JSON
};

// What is wrong with a line; its custom_id if it has one.
struct BadBatchLine {
  std::string custom_id;
  ApiError error;
};

// {"custom_id","method":"POST","url","body":{...}}; the url must be the batch's endpoint, the body must not ask for a stream.
std::variant<BatchLine, BadBatchLine> parse_batch_line(std::string_view line, const std::string& endpoint);

// {"id","custom_id","response":{"status_code","request_id","body"},"error":null}, with a line end. The id ends with the line's number.
std::string answered_line(const std::string& id, const std::string& custom_id, const std::string& request_id, const HttpResponse& response);
// {"id","custom_id","response":null,"error":{"code","message"}}, with a line end.
std::string refused_line(const std::string& id, const BadBatchLine& bad);

std::string line_id(const std::string& batch_id, size_t number);
// The number in the id of a line that was written whole.
std::optional<size_t> number_of_line(std::string_view line);

}  // namespace glyph
