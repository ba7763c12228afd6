// AnswerWriter: what the engine tells of an answer -> the JSON of the OpenAI API, as events or as one object at the end.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "schedule/request.h"
#include "server/generation_request.h"
#include "server/http_message.h"
#include "server/token_logprobs.h"
#include "tokenize/tokenizer.h"

namespace glyph {

// How one kind of answer spells its choices. `logprobs` is null where none were asked for.
class AnswerShape {
 public:
  virtual ~AnswerShape() = default;
  virtual const char* id_prefix() const = 0;
  virtual const char* object_name(bool of_stream) const = 0;
  // Before the first piece of each answer; empty for none.
  virtual boost::json::object opening(int index) const = 0;
  virtual boost::json::object piece(int index, bool reasoning, std::string_view text, boost::json::value logprobs) const = 0;
  virtual boost::json::object last(int index, boost::json::value logprobs, const std::string& finish_reason) const = 0;
  virtual boost::json::object whole(int index, const JobResult::Answer& answer, boost::json::value logprobs) const = 0;
  virtual boost::json::value logprobs(std::span<const TokenLogprob> tokens) const = 0;
};
const AnswerShape& chat_shape();
const AnswerShape& completion_shape();

// Called on the engine thread.
class AnswerWriter {
 public:
  // The tokenizer and the shape must outlive it.
  struct Setup {
    const AnswerShape& shape;
    const Tokenizer& tokenizer;
    std::string model;
    std::string request_id;
    double extract_ms = 0;
  };
  AnswerWriter(Setup setup, const GenerationRequest& request, ResponderPtr responder);

  // A listener that keeps `writer` alive.
  static JobListener listener(std::shared_ptr<AnswerWriter> writer);

 private:
  struct Tokens {
    std::vector<TokenLogprob> waiting;  // not told yet
    size_t num_characters = 0;
  };

  void token(int index, const SampledToken& token);
  void write(int index, bool reasoning, std::string_view text);
  void end(Result<JobResult> result);
  void begin();
  void fail(const Status& status);
  void send_choice(boost::json::object choice, const JobResult* result = nullptr);
  boost::json::value take_logprobs(int index);
  boost::json::object head(bool of_stream) const;
  boost::json::object whole(const JobResult& result);

  const Setup setup_;
  const bool stream_, include_usage_, logprobs_;
  const int num_answers_;
  const std::string id_;
  const ResponderPtr responder_;
  const int64_t created_;
  std::vector<Tokens> tokens_;  // by answer
  bool begun_ = false;
};

}  // namespace glyph
