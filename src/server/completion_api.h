// POST /v1/completions: the model goes on with a text, without a chat around it.
#pragma once

#include "server/api_context.h"
#include "server/http_message.h"

namespace glyph {

// On a worker thread; then the engine's. A client that goes away stops it.
void answer_completion(const ApiContext& context, HttpRequest request, ResponderPtr responder);

}  // namespace glyph
