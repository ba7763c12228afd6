// /v1/batches.
#pragma once

#include <string>

#include "server/batches.h"
#include "server/http_message.h"

namespace glyph {

// All on a worker thread.
HttpResponse create_batch(Batches& batches, const std::string& body);
HttpResponse list_batches(const Batches& batches, const HttpRequest& request);
HttpResponse get_batch(const Batches& batches, const std::string& id);
HttpResponse cancel_batch(Batches& batches, const std::string& id);

}  // namespace glyph
