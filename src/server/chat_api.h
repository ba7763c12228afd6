// POST /v1/chat/completions.
#pragma once

#include <string>

#include "engine/model.h"
#include "schedule/scheduler.h"
#include "server/document_store.h"
#include "server/http_message.h"

namespace glyph {

struct ChatContext {
  const Model& model;
  Scheduler& scheduler;
  DocumentStore& documents;
  const IngestOptions& ingest;
};

// On a worker thread: reads the request and its files, then leaves the answer to the engine. A client that goes away stops it.
// The context must outlive the scheduler's jobs.
void answer_chat(const ChatContext& context, HttpRequest request, ResponderPtr responder);

}  // namespace glyph
