#include "server/batch_api.h"

#include <boost/json/serialize.hpp>
#include <utility>

#include "server/api_error.h"
#include "server/api_json.h"
#include "server/json_reader.h"
#include "server/list_page.h"

namespace glyph {
namespace json = boost::json;
namespace {

constexpr size_t kMaxPairs = 16;

HttpResponse answer(const Result<Batch>& batch) { return batch.ok() ? json_response(batch_json(*batch)) : error_response(batch.status()); }

void read_metadata(JsonReader& reader, Batch& batch) {
  const json::object* pairs = reader.object("metadata");
  if (pairs == nullptr) return;
  if (pairs->size() > kMaxPairs) reader.fail("metadata", "holds more than 16 pairs");
  for (const auto& pair : *pairs) {
    if (pair.key().size() > 64 || !pair.value().is_string() || pair.value().get_string().size() > 512) {
      reader.fail("metadata", "must hold texts of at most 512 bytes under names of at most 64");
    }
  }
  batch.metadata = json::serialize(*pairs);
}

}  // namespace

HttpResponse create_batch(Batches& batches, const std::string& body) {
  auto parsed = parse_json_object(body);
  if (const auto* error = std::get_if<ApiError>(&parsed)) return error_response(*error);
  JsonReader reader(std::get<json::object>(parsed));
  Batch batch;
  batch.input_file = reader.text("input_file_id", 256).value_or("");
  batch.endpoint = reader.text("endpoint", 256).value_or("");
  if (batch.input_file.empty()) reader.fail("input_file_id", "is missing");
  if (batch.endpoint != "/v1/chat/completions" && batch.endpoint != "/v1/completions") {
    reader.fail("endpoint", "must be /v1/chat/completions or /v1/completions");
  }
  if (reader.text("completion_window", 16).value_or("") != "24h") reader.fail("completion_window", "must be 24h");
  read_metadata(reader, batch);
  if (reader.error()) return error_response(*reader.error());
  return answer(batches.add(std::move(batch)));
}

HttpResponse list_batches(const Batches& batches, const HttpRequest& request) {
  const auto query = read_list_query(request, 20, 100);
  if (const auto* error = std::get_if<ApiError>(&query)) return error_response(*error);
  return list_page<Batch>(batches.list(), std::get<ListQuery>(query), batch_json);
}

HttpResponse get_batch(const Batches& batches, const std::string& id) { return answer(batches.get(id)); }

HttpResponse cancel_batch(Batches& batches, const std::string& id) { return answer(batches.cancel(id)); }

}  // namespace glyph
