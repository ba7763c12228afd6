#include "serve_options.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "ask_options.h"
#include "inputs.h"
#include "memory_check.h"
#include "server/access.h"

namespace glyph {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxMib = int64_t{1} << 24;
constexpr int64_t kMaxRequests = 1'000'000;

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
    options.disk_bytes = 0;
    options.read_ahead = false;
  } else if (profile != "api") {
    return usage_error(fmt::format("profile: '{}' is none of single, batch, api", profile));
  }
  return {};
}

Status apply_memory(const Settings& settings, ServerOptions& server) {
  SchedulerOptions& options = server.schedule;
  struct Budget {
    const char* name;
    size_t& bytes;
  };
  for (const Budget& budget : {Budget{"cache-features-mib", options.feature_bytes}, Budget{"cache-kv-mib", options.prefix_bytes},
                               Budget{"cache-ram-mib", options.ram_bytes}, Budget{"cache-disk-mib", server.disk_bytes},
                               Budget{"kv-mib", options.active_kv_bytes}}) {
    GLYPH_ASSIGN_OR_RETURN(const int64_t mib, settings.integer(budget.name, static_cast<int64_t>(budget.bytes >> 20), 0, kMaxMib));
    budget.bytes = static_cast<size_t>(mib) << 20;
  }
  return {};
}

Status fit_one(const Settings& settings, const ModelOptions& model, SchedulerOptions& schedule) {
  Budgets budgets{.kv_bytes = schedule.active_kv_bytes + schedule.prefix_bytes, .feature_bytes = schedule.feature_bytes};
  GLYPH_ASSIGN_OR_RETURN(const Placement placement, place(model, budgets));
  if (!placement.memory.gpu) {
    schedule.ram_bytes = 0;  // what caches keep in memory is in RAM
    return {};
  }
  for (const char* name : {"kv-mib", "cache-kv-mib", "cache-features-mib"}) {
    if (settings.has(name)) return check_fits(placement);
  }
  const double active = static_cast<double>(schedule.active_kv_bytes) / static_cast<double>(budgets.kv_bytes);
  GLYPH_RETURN_IF_ERROR(shrink_to_fit(placement, budgets));
  schedule.active_kv_bytes = static_cast<size_t>(static_cast<double>(budgets.kv_bytes) * active);
  schedule.prefix_bytes = budgets.kv_bytes - schedule.active_kv_bytes;
  schedule.feature_bytes = budgets.feature_bytes;
  return {};
}

}  // namespace

Result<ServerOptions> server_options(const Settings& settings) {
  ServerOptions options;
  options.http.host = settings.text("host").value_or("127.0.0.1");
  if (options.http.host == "localhost") options.http.host = "127.0.0.1";
  GLYPH_ASSIGN_OR_RETURN(const int64_t port, settings.integer("port", 7860, 0, 65535));
  options.http.port = static_cast<uint16_t>(port);
  GLYPH_RETURN_IF_ERROR(apply_profile(settings, options));
  GLYPH_RETURN_IF_ERROR(apply_memory(settings, options));
  GLYPH_ASSIGN_OR_RETURN(options.schedule.draft_tokens, draft_tokens(settings));
  GLYPH_ASSIGN_OR_RETURN(options.ingest, ingest_options(settings, {}));
  GLYPH_ASSIGN_OR_RETURN(options.allow_remote_without_keys, settings.boolean("allow-remote", false));
  const auto state = settings.text("state");
  options.state_dir = state ? fs::path(*state) : default_state_dir();
  options.disk_dir = options.state_dir / "cache";
  options.max_upload_bytes = options.ingest.limits.file_bytes + (size_t{1} << 20);
  GLYPH_ASSIGN_OR_RETURN(const int64_t a_minute, settings.integer("requests-per-minute", 0, 0, kMaxRequests));
  GLYPH_ASSIGN_OR_RETURN(const int64_t at_once, settings.integer("requests-at-once", 0, 0, kMaxRequests));
  options.rates.requests_per_minute = static_cast<size_t>(a_minute);
  options.rates.requests_at_once = static_cast<size_t>(at_once);
  if (const auto hosts = settings.text("image-hosts")) { GLYPH_ASSIGN_OR_RETURN(options.images.hosts, ImageHosts::parse(*hosts)); }
  if (const auto keys = settings.text("api-keys")) { GLYPH_ASSIGN_OR_RETURN(options.api_keys, Access::read_keys(*keys)); }
  return options;
}

Status fit_memory(const Settings& settings, std::span<const ModelOptions> models, SchedulerOptions& schedule) {
  for (const ModelOptions& model : models) GLYPH_RETURN_IF_ERROR(fit_one(settings, model, schedule));
  return {};
}

}  // namespace glyph
