#include "settings.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "base/text_file.h"

namespace glyph {
namespace {

constexpr std::array kSettings{
    SettingInfo{"model", "DIR", "model directory (default: models/glyph-mini of this installation)"},
    SettingInfo{"random-weights", "SEED", "for measurements: weights made from a seed, of the size in the model's config.json, or of the 9B"},
    SettingInfo{"style", "FILE", "page style file (default: by the document's language)"},
    SettingInfo{"dpi", "N", "draw the pages at N dots an inch, whatever the style says"},
    SettingInfo{"threads", "N", "threads that compute (default: one a core)"},
    SettingInfo{"device", "NAME", "auto, cpu or cuda (default: auto, which is a GPU that this build can use, else the CPU)"},
    SettingInfo{"precision", "TYPE", "auto, fp32, bf16; on a GPU fp16, fp8, int8, int4 too (default: auto, which is bf16 where the device multiplies it)"},
    SettingInfo{"kv-precision", "TYPE", "keys and values in memory: auto or fp8, which takes half of what bf16 takes (default: auto, the type computed in)"},
    SettingInfo{"gpu", "N", "which GPU, in the driver's order; the first of several (default: 0)"},
    SettingInfo{"tensor-parallel", "N", "GPUs that compute the model together: 1, 2 or 4 (default: 1)"},
    SettingInfo{"replicas", "N", "copies of the model, each on GPUs of its own from --gpu on; all: as many as there are GPUs for (default: 1)"},
    SettingInfo{"plan", "FILE", "plan of glyph compile (default: glyph.plan of the model, or one in the cache directory); none uses none"},
    SettingInfo{"max-tokens", "N", "longest answer in tokens (default: the model's, or 1024)"},
    SettingInfo{"temperature", "X", "0 always takes the likeliest token (default: the model's)"},
    SettingInfo{"top-k", "N", "sample among the N likeliest tokens; 0 is off (default: the model's)"},
    SettingInfo{"top-p", "X", "sample among the likeliest tokens that hold this probability (default: the model's)"},
    SettingInfo{"repetition-penalty", "X", "divide the scores of tokens that were there before (default: the model's)"},
    SettingInfo{"seed", "N", "of the sampling (default: 0)"},
    SettingInfo{"stop", "TEXT", "end the answer before this text"},
    SettingInfo{"limit-file-mib", "N", "largest input file, MiB (default: 256)"},
    SettingInfo{"limit-inflated-mib", "N", "largest unpacked document, MiB (default: 1024)"},
    SettingInfo{"limit-inflate-ratio", "N", "unpacked to packed size of a part (default: 100)"},
    SettingInfo{"limit-zip-entries", "N", "entries of a DOCX (default: 4096)"},
    SettingInfo{"limit-pages", "N", "pages of a document, read or drawn (default: 10000)"},
    SettingInfo{"limit-image-side", "N", "width or height of a picture, pixels (default: 8192)"},
    SettingInfo{"limit-image-megapixels", "N", "size of a picture (default: 36)"},
    SettingInfo{"limit-helper-seconds", "N", "time glyph-extract may take for a file (default: 60)"},
    SettingInfo{"limit-helper-mib", "N", "memory glyph-extract may take, MiB (default: 1024)"},
    SettingInfo{"host", "ADDRESS", "IP address to listen on (default: 127.0.0.1)"},
    SettingInfo{"port", "N", "port to listen on; 0 takes a free one (default: 7860)"},
    SettingInfo{"profile", "NAME", "single: one question at a time; batch: many, nothing cached; api: many, cached (default: api)"},
    SettingInfo{"draft-tokens", "N", "guess up to N tokens of an answer that quotes the document; 0 is off (default: 7)"},
    SettingInfo{"state", "DIR", "where documents are kept (default: ~/.local/state/glyph)"},
    SettingInfo{"api-keys", "FILE", "accept only requests with one of these keys, one a line"},
    SettingInfo{"allow-remote", "", "let other hosts in without a key"},
    SettingInfo{"kv-mib", "N", "KV of running questions, MiB (default: 2048)"},
    SettingInfo{"cache-kv-mib", "N", "KV of documents kept in memory, MiB (default: 2048)"},
    SettingInfo{"cache-features-mib", "N", "features of pages kept in memory, MiB (default: 1024)"},
    SettingInfo{"requests-per-minute", "N", "of one client, a key or an address; more get 429 (default: 0, any number)"},
    SettingInfo{"requests-at-once", "N", "POSTs of one client that are not answered yet; more get 429 (default: 0, any number)"},
    SettingInfo{"image-hosts", "HOST,...", "fetch pictures from these; *.HOST, HOST:PORT (default: from none)"},
    SettingInfo{"log-file", "FILE", "append a JSON line about each request here (default: stderr)"},
    SettingInfo{"cache-ram-mib", "N", "KV and features for which a GPU has no room, kept in pinned RAM, MiB for each replica (default 0: none)"},
    SettingInfo{"cache-disk-mib", "N", "KV and features of stored documents kept on disk, MiB; 0 keeps none (default: 8192)"},
    SettingInfo{"log-level", "LEVEL", "debug, info, warning, error or off (default: info)"},
    SettingInfo{"log-json", "", "log lines as JSON objects"},
};

constexpr size_t kMaxConfigBytes = size_t{1} << 20;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blank = " \t\r";
  const size_t begin = text.find_first_not_of(blank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blank) - begin + 1);
}

template <typename T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The file to read, and whether the user asked for it by name.
struct ConfigPath {
  std::filesystem::path path;
  bool named = false;
};

ConfigPath config_path(std::optional<std::string> named) {
  if (named) return {*named, true};
  const char* base = std::getenv("XDG_CONFIG_HOME");
  if (base != nullptr && *base != '\0') return {std::filesystem::path(base) / "glyph" / "glyph.conf"};
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home != '\0') return {std::filesystem::path(home) / ".config" / "glyph" / "glyph.conf"};
  return {};
}

}  // namespace

std::span<const SettingInfo> all_settings() { return kSettings; }

const SettingInfo* find_setting(std::string_view name) {
  for (const SettingInfo& info : kSettings) {
    if (info.name == name) return &info;
  }
  return nullptr;
}

std::string environment_name(std::string_view setting) {
  std::string name = "GLYPH_";
  for (char c : setting) name += c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return name;
}

void Settings::set_flag(std::string_view name, std::string value) {
  flags_[std::string(name)] = {std::move(value), fmt::format("--{}", name)};
}

Status Settings::load_environment_and_file() {
  for (const SettingInfo& info : kSettings) {
    const std::string variable = environment_name(info.name);
    const char* value = std::getenv(variable.c_str());
    if (value != nullptr && *value != '\0') environment_[std::string(info.name)] = {value, variable};
  }
  std::optional<std::string> named = text("config");
  if (const char* value = std::getenv("GLYPH_CONFIG"); !named && value != nullptr && *value != '\0') named = value;
  const ConfigPath config = config_path(named);
  std::error_code ignored;
  if (config.path.empty() || (!config.named && !std::filesystem::exists(config.path, ignored))) return {};
  Result<std::string> text = read_file(config.path, kMaxConfigBytes);
  if (!text.ok()) return usage_error(text.status().message());
  return load_file(*text, config.path.string());
}

Status Settings::load_file(std::string_view text, const std::string& where) {
  int line_number = 0;
  while (!text.empty()) {
    ++line_number;
    const size_t end = text.find('\n');
    const std::string_view line = trimmed(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (line.empty() || line.front() == '#') continue;
    const std::string origin = fmt::format("{} line {}", where, line_number);
    const size_t equals = line.find('=');
    if (equals == std::string_view::npos) return usage_error(fmt::format("{}: expected name = value", origin));
    const std::string_view name = trimmed(line.substr(0, equals));
    if (find_setting(name) == nullptr) return usage_error(fmt::format("{}: there is no setting '{}'", origin, name));
    if (file_.contains(name)) return usage_error(fmt::format("{}: '{}' is set twice", origin, name));
    file_[std::string(name)] = {std::string(trimmed(line.substr(equals + 1))), origin};
  }
  return {};
}

const Settings::Value* Settings::find(std::string_view name) const {
  for (const Layer* layer : {&flags_, &environment_, &file_}) {
    if (const auto it = layer->find(name); it != layer->end()) return &it->second;
  }
  return nullptr;
}

std::optional<std::string> Settings::text(std::string_view name) const {
  const Value* value = find(name);
  return value == nullptr ? std::nullopt : std::optional(value->text);
}

Result<int64_t> Settings::integer(std::string_view name, int64_t fallback, int64_t low, int64_t high) const {
  const Value* value = find(name);
  if (value == nullptr) return fallback;
  const std::optional<int64_t> parsed = parse_number<int64_t>(value->text);
  if (!parsed || *parsed < low || *parsed > high) {
    return usage_error(fmt::format("{}: '{}' is not a whole number from {} to {}", value->origin, value->text, low, high));
  }
  return *parsed;
}

Result<double> Settings::number(std::string_view name, double fallback, double low, double high) const {
  const Value* value = find(name);
  if (value == nullptr) return fallback;
  const std::optional<double> parsed = parse_number<double>(value->text);
  if (!parsed || !std::isfinite(*parsed) || *parsed < low || *parsed > high) {
    return usage_error(fmt::format("{}: '{}' is not a number from {} to {}", value->origin, value->text, low, high));
  }
  return *parsed;
}

Result<bool> Settings::boolean(std::string_view name, bool fallback) const {
  const Value* value = find(name);
  if (value == nullptr) return fallback;
  for (std::string_view yes : {"true", "1", "yes", "on"}) {
    if (value->text == yes) return true;
  }
  for (std::string_view no : {"false", "0", "no", "off"}) {
    if (value->text == no) return false;
  }
  return usage_error(fmt::format("{}: '{}' is neither true nor false", value->origin, value->text));
}

}  // namespace glyph
