#include "base/log.h"

#include <atomic>
#include <chrono>
#include <cstdio>

namespace glyph {
namespace {

std::atomic<LogLevel> g_level{LogLevel::kInfo};
std::atomic<bool> g_json{false};

constexpr const char* name_of(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return "debug";
    case LogLevel::kInfo: return "info";
    case LogLevel::kWarning: return "warning";
    case LogLevel::kError: return "error";
    case LogLevel::kOff: break;
  }
  return "off";
}

std::string json_escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

void set_log_options(const LogOptions& options) {
  g_level = options.level;
  g_json = options.json;
}

bool log_enabled(LogLevel level) { return level >= g_level.load(std::memory_order_relaxed); }

void log_line(LogLevel level, std::string_view message) {
  std::string line;
  if (g_json) {
    const auto now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    line = fmt::format("{{\"time\":{:.3f},\"level\":\"{}\",\"message\":\"{}\"}}\n", now, name_of(level), json_escaped(message));
  } else {
    line = fmt::format("glyph: {}: {}\n", name_of(level), message);
  }
  std::fwrite(line.data(), 1, line.size(), stderr);  // one call: lines of two threads never mix
}

}  // namespace glyph
