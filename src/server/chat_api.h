// POST /v1/chat/completions.
#pragma once

#include "server/api_context.h"
#include "server/http_message.h"

namespace glyph {

// On a worker thread: reads the request and its files, then leaves the answer to the engine. A client that goes away stops it.
void answer_chat(const ApiContext& context, HttpRequest request, ResponderPtr responder);

}  // namespace glyph
