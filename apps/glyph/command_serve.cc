// glyph serve: documents and questions over HTTP, until SIGTERM.
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>

#include "ask_options.h"
#include "base/log.h"
#include "command.h"
#include "inputs.h"
#include "server/access.h"
#include "server/server.h"

namespace glyph {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxMib = int64_t{1} << 24;

fs::path default_state_dir() {
  if (const char* base = std::getenv("XDG_STATE_HOME"); base != nullptr && *base != '\0') return fs::path(base) / "glyph";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') return fs::path(home) / ".local" / "state" / "glyph";
  return "glyph-state";
}

// How many at once, and what is kept: the published deployments.
Status apply_profile(const Settings& settings, ServerOptions& options) {
  const std::string profile = settings.text("profile").value_or("api");
  if (profile == "single") {
    options.schedule.max_running = 1;
  } else if (profile == "batch") {
    options.schedule.max_running = 8;
    options.schedule.feature_bytes = 0;
    options.schedule.prefix_bytes = 0;
    options.read_ahead = false;
  } else if (profile != "api") {
    return usage_error(fmt::format("profile: '{}' is none of single, batch, api", profile));
  }
  return {};
}

Status apply_memory(const Settings& settings, SchedulerOptions& options) {
  struct Budget {
    const char* name;
    size_t& bytes;
  };
  for (const Budget& budget : {Budget{"cache-features-mib", options.feature_bytes}, Budget{"cache-kv-mib", options.prefix_bytes},
                               Budget{"kv-mib", options.active_kv_bytes}}) {
    GLYPH_ASSIGN_OR_RETURN(const int64_t mib, settings.integer(budget.name, static_cast<int64_t>(budget.bytes >> 20), 0, kMaxMib));
    budget.bytes = static_cast<size_t>(mib) << 20;
  }
  return {};
}

Result<ServerOptions> server_options(const Settings& settings) {
  ServerOptions options;
  options.http.host = settings.text("host").value_or("127.0.0.1");
  if (options.http.host == "localhost") options.http.host = "127.0.0.1";
  GLYPH_ASSIGN_OR_RETURN(const int64_t port, settings.integer("port", 7860, 0, 65535));
  options.http.port = static_cast<uint16_t>(port);
  GLYPH_RETURN_IF_ERROR(apply_profile(settings, options));
  GLYPH_RETURN_IF_ERROR(apply_memory(settings, options.schedule));
  GLYPH_ASSIGN_OR_RETURN(options.ingest, ingest_options(settings, {}));
  GLYPH_ASSIGN_OR_RETURN(options.allow_remote_without_keys, settings.boolean("allow-remote", false));
  const auto state = settings.text("state");
  options.state_dir = state ? fs::path(*state) : default_state_dir();
  options.max_upload_bytes = options.ingest.limits.file_bytes + (size_t{1} << 20);
  if (const auto keys = settings.text("api-keys")) { GLYPH_ASSIGN_OR_RETURN(options.api_keys, Access::read_keys(*keys)); }
  return options;
}

Result<int> run_serve(Context& context) {
  GLYPH_ASSIGN_OR_RETURN(const ServerOptions options, server_options(context.settings));
  GLYPH_ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine, open_engine(context.settings));
  GLYPH_ASSIGN_OR_RETURN(const std::unique_ptr<Server> server, Server::open(engine->model(), options));
  const std::string host = options.http.host.find(':') == std::string::npos ? options.http.host : fmt::format("[{}]", options.http.host);
  log_info("{} answers on http://{}:{}/", engine->model().name(), host, server->port());
  const std::stop_callback on_stop(context.interrupt.token(), [&] {
    log_info("stopping: what runs may finish, for {:g} s", options.http.shutdown_seconds);
    server->stop();
  });
  server->run();
  return 0;
}

}  // namespace

Command serve_command() {
  return {"serve", "Answer over HTTP: a page for people, the OpenAI API for programs.",
          [](Arguments& arguments) {
            arguments.model_settings();
            arguments.settings({"host", "port", "profile", "state", "api-keys", "allow-remote", "kv-mib", "cache-kv-mib", "cache-features-mib"});
            arguments.limit_settings();
          },
          [](Context& context) { return run_serve(context); }};
}

}  // namespace glyph
