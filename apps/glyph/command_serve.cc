// glyph serve: documents and questions over HTTP, until SIGTERM.
#include <fmt/format.h>

#include <csignal>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/log.h"
#include "command.h"
#include "doctor.h"
#include "gpu_watch.h"
#include "replica_options.h"
#include "serve_options.h"
#include "server/request_log.h"
#include "server/server.h"
#include "service_manager.h"

namespace glyph {
namespace {

// A line for each thing that will disappoint; what is fine stays unsaid, but for where the model computes.
void report_machine(const Model& model, size_t num_replicas, const ServerOptions& options) {
  const SchedulerOptions& schedule = options.schedule;
  const size_t on_device = schedule.feature_bytes + schedule.prefix_bytes + schedule.active_kv_bytes;
  const StartNeeds needs{num_replicas * (model.device().host_memory() ? on_device : schedule.ram_bytes), options.http.max_connections};
  for (const Finding& finding : examine_at_start(model, needs)) {
    if (finding.state != Finding::State::kOk) log_warning("{}", finding_line(finding));
    else if (finding.what == "gpu") log_info("{}", finding_line(finding));
  }
}

// Requests are logged to the named file, or with the other lines on stderr.
Result<RequestObserver> request_log(const Settings& settings) {
  const std::string file = settings.text("log-file").value_or("");
  if (file.empty() && !log_enabled(LogLevel::kInfo)) return RequestObserver();
  GLYPH_ASSIGN_OR_RETURN(std::shared_ptr<const RequestLog> log, RequestLog::open(file));
  return RequestObserver([log](const RequestRecord& record) { log->write(record); });
}

Result<int> run_serve(Context& context) {
  std::signal(SIGXFSZ, SIG_IGN);  // a file that passes the process's size limit is an error, not the end of the process
  GLYPH_ASSIGN_OR_RETURN(ServerOptions options, server_options(context.settings));
  GLYPH_ASSIGN_OR_RETURN(options.on_request, request_log(context.settings));
  GLYPH_ASSIGN_OR_RETURN(const std::vector<ModelOptions> models, replica_options(context.settings));
  GLYPH_RETURN_IF_ERROR(fit_memory(context.settings, models, options.schedule));
  GLYPH_ASSIGN_OR_RETURN(const std::vector<std::unique_ptr<Engine>> engines, open_engines(models));
  const Model& model = engines.front()->model();
  report_machine(model, engines.size(), options);
  GLYPH_ASSIGN_OR_RETURN(const std::unique_ptr<Server> server, Server::open(replicas_of(engines), options));
  const std::string host = options.http.host.find(':') == std::string::npos ? options.http.host : fmt::format("[{}]", options.http.host);
  const std::string copies = engines.size() == 1 ? "" : fmt::format(", {} replicas,", engines.size());
  log_info("{}{} answers on http://{}:{}/", model.name(), copies, host, server->port());
  tell_service_manager("READY=1");
  const std::stop_callback on_stop(context.interrupt.token(), [&] {
    log_info("stopping: what runs may finish, for {:g} s", options.http.shutdown_seconds);
    tell_service_manager("STOPPING=1");
    server->stop();
  });
  const GpuWatch watch;
  server->run();
  return 0;
}

}  // namespace

Command serve_command() {
  return {"serve", "Answer over HTTP: a page for people, the OpenAI API for programs.",
          [](Arguments& arguments) {
            arguments.model_settings();
            arguments.settings({"replicas"});
            arguments.settings({"host", "port", "profile", "state", "api-keys", "allow-remote", "requests-per-minute", "requests-at-once", "image-hosts", "kv-mib", "cache-kv-mib", "cache-features-mib", "cache-ram-mib", "cache-disk-mib", "log-file"});
            arguments.limit_settings();
            arguments.settings({"draft-tokens"});
          },
          [](Context& context) { return run_serve(context); }};
}

}  // namespace glyph
