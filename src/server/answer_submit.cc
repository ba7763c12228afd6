#include "server/answer_submit.h"

#include <utility>

#include "server/api_error.h"

namespace glyph {

std::stop_token stop_with_client(Replicas& replicas, const ResponderPtr& responder) {
  auto stop = std::make_shared<std::stop_source>();
  responder->on_gone([stop, &replicas] {
    stop->request_stop();
    replicas.notify();
  });
  return stop->get_token();
}

void submit_answer(const ApiContext& context, const GenerationRequest& request, JobRequest job, AnswerWriter::Setup setup,
                   const ResponderPtr& responder, const std::stop_token& stop) {
  apply_generation(request, job);
  if (request.format) job.format = context.formats.make(*request.format);
  job.background = context.background;
  auto writer = std::make_shared<AnswerWriter>(std::move(setup), request, responder);
  const Status status = context.replicas.submit(std::move(job), AnswerWriter::listener(std::move(writer)), stop);
  if (!status.ok()) responder->respond(error_response(status));
}

}  // namespace glyph
