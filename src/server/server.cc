#include "server/server.h"

#include <fmt/format.h>

#include <boost/json/object.hpp>
#include <optional>
#include <utility>

#include "base/log.h"
#include "schedule/cache_identity.h"
#include "server/access.h"
#include "server/api_error.h"
#include "server/api_json.h"
#include "server/batch_api.h"
#include "server/chat_api.h"
#include "server/completion_api.h"
#include "server/content_type.h"
#include "server/conversation_api.h"
#include "server/document_api.h"
#include "server/document_store.h"
#include "server/file_api.h"
#include "server/health.h"
#include "server/metrics.h"
#include "server/static_files.h"
#include "server/text_api.h"
#include "server/workers.h"

namespace glyph {
namespace {

constexpr int kNumWorkers = 4;
constexpr size_t kMaxWaitingWork = 256;
constexpr size_t kMaxSmallBody = size_t{8} << 20;

bool is_loopback(const std::string& host) { return host == "::1" || host.starts_with("127."); }

// "/v1/documents/ID/pages/3" -> {"v1", "documents", "ID", "pages", "3"}
std::vector<std::string> segments_of(const std::string& path) {
  std::vector<std::string> segments;
  for (size_t at = 1; at <= path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    segments.push_back(path.substr(at, end - at));
    at = end + 1;
  }
  return segments;
}

}  // namespace

struct Server::Impl {
  using Decision = std::variant<BodyPlan, HttpResponse>;
  using Handler = std::function<void(HttpRequest request, ResponderPtr responder)>;
  using Simple = std::function<HttpResponse(const HttpRequest& request)>;

  Impl(const Model& model_, const ServerOptions& options_)
      : model(model_), options(options_), access(options_.api_keys, is_loopback(options_.http.host)), rates(options_.rates), images(options_.images), metrics(model_.name()) {}
  // Jobs end before what their listeners use, and all of it before the sockets.
  ~Impl() {
    workers.reset();
    batches.reset();
    documents.reset();
    replicas.reset();
    http.reset();
  }

  Decision route(const HttpRequest& request);
  Decision route_all(const HttpRequest& request);
  Decision route_batches(const HttpRequest& request, const std::vector<std::string>& path);
  Decision route_documents(const HttpRequest& request, const std::vector<std::string>& path);
  Decision route_conversations(const HttpRequest& request, const std::vector<std::string>& path);
  Decision route_files(const HttpRequest& request, const std::vector<std::string>& path);
  std::optional<Decision> route_api(const HttpRequest& request);
  void end_request(const RequestRecord& record) {
    metrics.add(record);
    if (options.on_request) options.on_request(record);
  }

  // On a worker thread.
  BodyPlan work(size_t max_bytes, Handler handler, bool to_file = false) {
    return {max_bytes, to_file, [this, handler = std::move(handler)](HttpRequest request, ResponderPtr responder) {
              const bool taken = workers->post([handler, request = std::move(request), responder]() mutable {
                handler(std::move(request), std::move(responder));
              });
              if (!taken) responder->respond(error_response(429, "the server is busy; try again later"));
            }};
  }
  BodyPlan simple(size_t max_bytes, Simple handler) {
    return work(max_bytes, [handler = std::move(handler)](const HttpRequest& request, const ResponderPtr& responder) {
      responder->respond(handler(request));
    });
  }

  const Model& model;
  const ServerOptions options;
  const Access access;
  RateLimiter rates;
  const ImageFetcher images;
  Metrics metrics;
  std::unique_ptr<HttpServer> http;
  std::unique_ptr<Replicas> replicas;
  std::unique_ptr<DocumentStore> documents;
  std::unique_ptr<ConversationStore> conversations;
  std::unique_ptr<FileStore> files;
  std::unique_ptr<AnswerFormats> formats;
  RecentSources recent;
  std::optional<ApiContext> api;
  std::unique_ptr<Batches> batches;
  std::unique_ptr<Workers> workers;
};

namespace {

HttpResponse wrong_method(const std::string& allowed) {
  HttpResponse response = error_response(405, fmt::format("this address takes {}", allowed));
  response.headers.emplace_back("Allow", allowed);
  return response;
}

}  // namespace

Server::Impl::Decision Server::Impl::route(const HttpRequest& request) {
  if (const auto denied = access.check(request)) return error_response(*denied);
  const bool counts = request.path.starts_with("/v1/") || request.path.ends_with("tokenize");
  if (!counts) return route_all(request);
  auto admission = rates.admit(RateLimiter::client_of(request, !options.api_keys.empty()), request.method == "POST");
  if (const auto* refused = std::get_if<ApiError>(&admission)) return error_response(*refused);
  Decision decision = route_all(request);
  if (auto* plan = std::get_if<BodyPlan>(&decision); plan != nullptr && (request.method == "POST" || request.method == "PUT")) {
    if (const auto refused = check_content_type(request, plan->to_file ? BodyKind::kForm : BodyKind::kJson)) return error_response(*refused);
  }
  if (auto* plan = std::get_if<BodyPlan>(&decision)) plan->slot = std::get<std::shared_ptr<void>>(std::move(admission));
  return decision;
}

Server::Impl::Decision Server::Impl::route_all(const HttpRequest& request) {
  if (auto decision = route_api(request)) return *std::move(decision);
  if (request.method != "GET" && request.method != "HEAD") return error_response(404, "there is nothing at this address");
  HttpResponse page = static_response(request);
  return page.status != 0 ? page : error_response(404, "there is nothing at this address");
}

std::optional<Server::Impl::Decision> Server::Impl::route_api(const HttpRequest& request) {
  const std::vector<std::string> path = segments_of(request.path);
  const bool get = request.method == "GET" || request.method == "HEAD", post = request.method == "POST";
  const auto only_get = [&](HttpResponse response) -> Decision { return get ? std::move(response) : wrong_method("GET"); };
  const auto only_post = [&](BodyPlan plan) -> Decision { return post ? Decision(std::move(plan)) : Decision(wrong_method("POST")); };

  if (path.size() >= 2 && path[0] == "v1" && path[1] == "documents") return route_documents(request, path);
  if (path.size() >= 2 && path[0] == "v1" && path[1] == "conversations") return route_conversations(request, path);
  if (path.size() >= 2 && path[0] == "v1" && path[1] == "files") return route_files(request, path);
  if (path.size() >= 2 && path[0] == "v1" && path[1] == "batches") return route_batches(request, path);
  if (request.path == "/health") return only_get(health_response(replicas->stats()));
  if (request.path == "/ready") return only_get(ready_response(replicas->stats(), options.schedule.max_waiting, http->stopping()));
  if (request.path == "/version") return only_get(json_response({{"version", GLYPH_VERSION}, {"model", model.name()}}));
  if (request.path == "/v1/models") return only_get(list_models(model));
  if (path.size() == 3 && path[0] == "v1" && path[1] == "models") return only_get(get_model(model, path[2]));
  if (request.path == "/metrics") {
    if (!get) return wrong_method("GET");
    return simple(0, [this](const HttpRequest&) { return metrics.response(replicas->stats(), http->num_connections()); });
  }
  if (request.path == "/v1/chat/completions") {
    return only_post(work(options.max_chat_bytes, [this](HttpRequest asked, ResponderPtr responder) {
      answer_chat(*api, std::move(asked), std::move(responder));
    }));
  }
  if (request.path == "/v1/completions") {
    return only_post(work(options.max_chat_bytes, [this](HttpRequest asked, ResponderPtr responder) {
      answer_completion(*api, std::move(asked), std::move(responder));
    }));
  }
  if (request.path == "/tokenize") return only_post(simple(kMaxSmallBody, [this](const HttpRequest& asked) { return tokenize_text(model, asked.body); }));
  if (request.path == "/detokenize") return only_post(simple(kMaxSmallBody, [this](const HttpRequest& asked) { return detokenize_ids(model, asked.body); }));
  if (request.path == "/v1/render") return only_post(simple(kMaxSmallBody, [this](const HttpRequest& asked) { return render_preview(model, asked.body); }));
  return std::nullopt;
}

Server::Impl::Decision Server::Impl::route_documents(const HttpRequest& request, const std::vector<std::string>& path) {
  const bool get = request.method == "GET" || request.method == "HEAD", post = request.method == "POST";
  if (path.size() == 2) {
    if (get) return list_documents(*documents);
    if (!post) return wrong_method("GET, POST");
    return work(options.max_upload_bytes, [this](const HttpRequest& upload, const ResponderPtr& responder) {
      upload_documents(*documents, upload, responder);
    }, true);
  }
  const std::string id = path[2];
  if (path.size() == 3) {
    if (get) return get_document(*documents, id);
    if (request.method != "DELETE") return wrong_method("GET, DELETE");
    return simple(kMaxSmallBody, [this, id](const HttpRequest&) { return delete_document(*documents, id); });
  }
  if (path.size() == 4 && path[3] == "events") {
    if (!get) return wrong_method("GET");
    return BodyPlan{0, false, [this, id](const HttpRequest&, const ResponderPtr& responder) { watch_document(*documents, id, responder); }};
  }
  if (path.size() == 4 && path[3] == "text") {
    if (!get) return wrong_method("GET");
    return simple(0, [this, id](const HttpRequest&) { return document_text(*documents, id); });
  }
  if (path.size() == 4 && path[3] == "find") {
    if (!post) return wrong_method("POST");
    return simple(kMaxSmallBody, [this, id](const HttpRequest& asked) { return find_in_document(*documents, id, asked.body); });
  }
  if (path.size() == 5 && path[3] == "pages") {
    if (!get) return wrong_method("GET");
    return simple(0, [this, id, number = path[4]](const HttpRequest&) { return page_picture(*documents, id, number); });
  }
  return error_response(404, "there is nothing at this address");
}

Server::Impl::Decision Server::Impl::route_conversations(const HttpRequest& request, const std::vector<std::string>& path) {
  const bool get = request.method == "GET" || request.method == "HEAD";
  if (path.size() == 2) {
    if (get) return simple(0, [this](const HttpRequest&) { return list_conversations(*conversations); });
    if (request.method != "POST") return wrong_method("GET, POST");
    return simple(kMaxSmallBody, [this](const HttpRequest& asked) { return add_conversation(*conversations, asked.body); });
  }
  if (path.size() != 3) return error_response(404, "there is nothing at this address");
  const std::string id = path[2];
  if (get) return simple(0, [this, id](const HttpRequest&) { return get_conversation(*conversations, id); });
  if (request.method == "PUT") return simple(kMaxSmallBody, [this, id](const HttpRequest& asked) { return update_conversation(*conversations, id, asked.body); });
  if (request.method == "DELETE") return simple(kMaxSmallBody, [this, id](const HttpRequest&) { return delete_conversation(*conversations, id); });
  return wrong_method("GET, PUT, DELETE");
}

Server::Impl::Decision Server::Impl::route_files(const HttpRequest& request, const std::vector<std::string>& path) {
  const bool get = request.method == "GET" || request.method == "HEAD";
  if (path.size() == 2) {
    if (get) return simple(0, [this](const HttpRequest& asked) { return list_files(*files, *documents, asked); });
    if (request.method != "POST") return wrong_method("GET, POST");
    return work(options.max_upload_bytes, [this](const HttpRequest& upload, const ResponderPtr& responder) {
      responder->respond(upload_file(*files, *documents, upload));
    }, true);
  }
  const std::string id = path[2];
  if (path.size() == 3) {
    if (get) return simple(0, [this, id](const HttpRequest&) { return get_file(*files, *documents, id); });
    if (request.method != "DELETE") return wrong_method("GET, DELETE");
    return simple(kMaxSmallBody, [this, id](const HttpRequest&) { return delete_file(*files, *documents, id); });
  }
  if (path.size() != 4 || path[3] != "content") return error_response(404, "there is nothing at this address");
  if (!get) return wrong_method("GET");
  return simple(0, [this, id](const HttpRequest&) { return file_content(*files, id); });
}

Server::Impl::Decision Server::Impl::route_batches(const HttpRequest& request, const std::vector<std::string>& path) {
  const bool get = request.method == "GET" || request.method == "HEAD", post = request.method == "POST";
  if (path.size() == 2) {
    if (get) return simple(0, [this](const HttpRequest& asked) { return list_batches(*batches, asked); });
    if (!post) return wrong_method("GET, POST");
    return simple(kMaxSmallBody, [this](const HttpRequest& asked) { return create_batch(*batches, asked.body); });
  }
  const std::string id = path[2];
  if (path.size() == 3) {
    if (!get) return wrong_method("GET");
    return simple(0, [this, id](const HttpRequest&) { return get_batch(*batches, id); });
  }
  if (path.size() != 4 || path[3] != "cancel") return error_response(404, "there is nothing at this address");
  if (!post) return wrong_method("POST");
  return simple(kMaxSmallBody, [this, id](const HttpRequest&) { return cancel_batch(*batches, id); });
}

Result<std::unique_ptr<Server>> Server::open(const std::vector<Replica>& replicas, const ServerOptions& options) {
  const Model& model = *replicas.front().model;
  if (!is_loopback(options.http.host) && options.api_keys.empty() && !options.allow_remote_without_keys) {
    return usage_error(fmt::format("other hosts reach {}: pass --api-keys FILE, or --allow-remote to serve anyone without a key", options.http.host));
  }
  auto impl = std::make_unique<Impl>(model, options);
  HttpServerOptions http = options.http;
  http.upload_dir = options.state_dir / "uploads";
  std::error_code error;
  std::filesystem::remove_all(http.upload_dir, error);  // what a crash left
  std::filesystem::create_directories(http.upload_dir, error);
  if (error) return internal_error(fmt::format("{}: {}", http.upload_dir.string(), error.message()));
  GLYPH_ASSIGN_OR_RETURN(impl->http, HttpServer::bind(
                             http, [raw = impl.get()](const HttpRequest& request) { return raw->route(request); },
                             [raw = impl.get()](const RequestRecord& record) { raw->end_request(record); }));
  impl->replicas = std::make_unique<Replicas>(replicas, options.schedule, open_disk(model, options.disk_dir, options.disk_bytes));
  GLYPH_ASSIGN_OR_RETURN(impl->documents, DocumentStore::open({options.state_dir / "documents", options.ingest, options.read_ahead},
                                                              *impl->replicas));
  GLYPH_ASSIGN_OR_RETURN(impl->conversations, ConversationStore::open(options.state_dir / "conversations.sqlite"));
  GLYPH_ASSIGN_OR_RETURN(impl->files, FileStore::open(options.state_dir / "files"));
  impl->formats = std::make_unique<AnswerFormats>(model.tokenizer());
  impl->api.emplace(ApiContext{model, *impl->replicas, *impl->documents, *impl->files, *impl->formats, impl->options.ingest, impl->images, impl->recent});
  BatchLimits lines;
  lines.line_bytes = options.max_chat_bytes;
  GLYPH_ASSIGN_OR_RETURN(impl->batches, Batches::open(options.state_dir / "batches", *impl->files, [context = *impl->api](const std::string& endpoint, HttpRequest asked, ResponderPtr responder) mutable {
                           context.background = true;
                           (endpoint == "/v1/completions" ? answer_completion : answer_chat)(context, std::move(asked), std::move(responder));
                         }, lines));
  impl->workers = std::make_unique<Workers>(kNumWorkers, kMaxWaitingWork);
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

uint16_t Server::port() const { return impl_->http->port(); }
void Server::run() { impl_->http->run(); }
void Server::stop() { impl_->http->stop(); }
Status Server::check_integrity() { return impl_->replicas->check_integrity(); }

}  // namespace glyph
