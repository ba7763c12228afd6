// The last step of every question: job and writer go to a replica.
#pragma once

#include <memory>
#include <stop_token>

#include "server/answer_writer.h"
#include "server/api_context.h"

namespace glyph {

// A token that is stopped when the client goes away; the engines then look.
std::stop_token stop_with_client(Replicas& replicas, const ResponderPtr& responder);

// Adds what `request` says about the answer, and submits.
void submit_answer(const ApiContext& context, const GenerationRequest& request, JobRequest job, AnswerWriter::Setup setup,
                   const ResponderPtr& responder, const std::stop_token& stop);

}  // namespace glyph
