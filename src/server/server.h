// Server: a model behind HTTP. Owns the sockets, the schedulers, the documents and the workers.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/hash.h"
#include "glyph/status.h"
#include "ingest/ingest.h"
#include "schedule/replicas.h"
#include "server/http_server.h"
#include "server/image_fetcher.h"
#include "server/rate_limiter.h"

namespace glyph {

struct ServerOptions {
  HttpServerOptions http;            // upload_dir is set by open()
  SchedulerOptions schedule;         // of each replica
  std::filesystem::path disk_dir;    // keeps features and KV of stored documents, for all replicas; "": not
  size_t disk_bytes = size_t{8} << 30;  // of both; 0: not
  IngestOptions ingest;
  std::filesystem::path state_dir;   // documents and uploads
  bool read_ahead = true;            // read documents when they are uploaded
  std::vector<Digest> api_keys;      // empty: nobody needs one
  bool allow_remote_without_keys = false;
  size_t max_upload_bytes = size_t{257} << 20;
  size_t max_chat_bytes = size_t{96} << 20;
  RateLimits rates;                  // of each client
  ImageFetchOptions images;          // at remote addresses
  RequestObserver on_request;        // hears of every request that ended, on the thread of run(); may be empty
};

class Server {
 public:
  // Binds the address and takes up the documents of the state directory. kUsage: an address other hosts reach, without keys or
  // allow_remote_without_keys; else as HttpServer::bind and DocumentStore::open. The models of the replicas must outlive it.
  static Result<std::unique_ptr<Server>> open(const std::vector<Replica>& replicas, const ServerOptions& options);
  ~Server();

  uint16_t port() const;
  // Serves on this thread until stop() and the end of what runs.
  void run();
  // Any thread.
  void stop();
  // For tests: waits until nothing runs, then checks caches and KV blocks.
  Status check_integrity();

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace glyph
