#include "server/batch.h"

#include <array>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_to.hpp>
#include <exception>

namespace glyph {
namespace json = boost::json;
namespace {

constexpr std::array<std::string_view, 8> kNames{"validating", "in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled"};

struct Moment {
  const char* name;
  int64_t Batch::*seconds;
};
constexpr std::array<Moment, 9> kMoments{{{"created_at", &Batch::created_at}, {"in_progress_at", &Batch::in_progress_at},
                                          {"expires_at", &Batch::expires_at}, {"finalizing_at", &Batch::finalizing_at},
                                          {"completed_at", &Batch::completed_at}, {"failed_at", &Batch::failed_at},
                                          {"expired_at", &Batch::expired_at}, {"cancelling_at", &Batch::cancelling_at},
                                          {"cancelled_at", &Batch::cancelled_at}}};

json::value text_or_null(const std::string& text) { return text.empty() ? json::value(nullptr) : json::value(text); }

std::string text_of(const json::object& object, std::string_view key) {
  const json::value& value = object.at(json::string_view(key.data(), key.size()));
  return value.is_null() ? "" : json::value_to<std::string>(value);
}

json::value errors_of(const Batch& batch) {
  if (batch.error.empty()) return nullptr;
  const json::object error{{"code", "invalid_input_file"}, {"message", batch.error}, {"line", nullptr}, {"param", nullptr}};
  return json::object{{"object", "list"}, {"data", json::array{error}}};
}

}  // namespace

std::string_view name_of(BatchState state) { return kNames[static_cast<size_t>(state)]; }

void Batch::enter(BatchState next, int64_t now) {
  state = next;
  switch (next) {
    case BatchState::kValidating: created_at = now; break;
    case BatchState::kInProgress: in_progress_at = now; break;
    case BatchState::kFinalizing: finalizing_at = now; break;
    case BatchState::kCompleted: completed_at = now; break;
    case BatchState::kFailed: failed_at = now; break;
    case BatchState::kExpired: expired_at = now; break;
    case BatchState::kCancelling: cancelling_at = now; break;
    case BatchState::kCancelled: cancelled_at = now; break;
  }
}

json::object batch_json(const Batch& batch) {
  boost::system::error_code damaged;
  json::object object{{"id", batch.id}, {"object", "batch"}, {"endpoint", batch.endpoint}, {"errors", errors_of(batch)},
                      {"input_file_id", batch.input_file}, {"completion_window", "24h"}, {"status", name_of(batch.state)},
                      {"output_file_id", text_or_null(batch.output_file)}, {"error_file_id", text_or_null(batch.error_file)}};
  for (const Moment& moment : kMoments) object[moment.name] = batch.*moment.seconds == 0 ? json::value(nullptr) : json::value(batch.*moment.seconds);
  object["request_counts"] = json::object{{"total", batch.total}, {"completed", batch.completed}, {"failed", batch.failed}};
  object["metadata"] = json::parse(batch.metadata, damaged);
  return object;
}

std::optional<Batch> parse_saved_batch(std::string_view text) {
  try {
    const json::object object = json::parse(json::string_view(text.data(), text.size())).as_object();
    Batch batch;
    batch.id = text_of(object, "id");
    batch.endpoint = text_of(object, "endpoint");
    batch.input_file = text_of(object, "input_file_id");
    batch.output_file = text_of(object, "output_file_id");
    batch.error_file = text_of(object, "error_file_id");
    batch.metadata = json::serialize(object.at("metadata"));
    if (object.at("errors").is_object()) batch.error = text_of(object.at("errors").at("data").at(0).as_object(), "message");
    const std::string state = text_of(object, "status");
    size_t index = 0;
    while (index < kNames.size() && kNames[index] != state) ++index;
    if (index == kNames.size()) return std::nullopt;
    batch.state = static_cast<BatchState>(index);
    const json::object& counts = object.at("request_counts").as_object();
    batch.total = counts.at("total").to_number<size_t>();
    batch.completed = counts.at("completed").to_number<size_t>();
    batch.failed = counts.at("failed").to_number<size_t>();
    for (const Moment& moment : kMoments) {
      const json::value& seconds = object.at(moment.name);
      batch.*moment.seconds = seconds.is_null() ? 0 : seconds.to_number<int64_t>();
    }
    return batch;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

}  // namespace glyph
