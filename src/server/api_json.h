// Structs -> JSON of the API.
#pragma once

#include <boost/json/object.hpp>
#include <string>

#include "schedule/request.h"
#include "server/document_store.h"
#include "server/http_message.h"

namespace glyph {

boost::json::object document_json(const DocumentInfo& info);
// "usage" of the OpenAI API with cached_tokens and image_tokens.
boost::json::object usage_json(const AskUsage& usage);
// "glyph": pages, compression, times.
boost::json::object glyph_json(const JobResult& result);
HttpResponse json_response(const boost::json::object& object, int status = 200);
// "data: ...\n\n", with an event name when there is one.
std::string event_text(std::string_view data, std::string_view event = {});

}  // namespace glyph
