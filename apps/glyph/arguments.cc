#include "arguments.h"

#include <CLI/CLI.hpp>

#include "base/check.h"

namespace glyph {
namespace {

void add_setting(CLI::App& app, Settings& settings, const SettingInfo& info) {
  const std::string flags = (info.name == "model" ? "-m,--" : "--") + std::string(info.name);
  const std::string_view name = info.name;
  if (info.value.empty()) {
    app.add_flag_callback(flags, [&settings, name] { settings.set_flag(name, "true"); }, std::string(info.help));
    return;
  }
  app.add_option_function<std::string>(
         flags, [&settings, name](const std::string& value) { settings.set_flag(name, value); }, std::string(info.help))
      ->type_name(std::string(info.value))
      ->take_last();
}

void add_settings(CLI::App& app, Settings& settings, std::initializer_list<std::string_view> names) {
  for (std::string_view name : names) {
    const SettingInfo* info = find_setting(name);
    GLYPH_CHECK(info != nullptr);
    add_setting(app, settings, *info);
  }
}

}  // namespace

void Arguments::files(std::vector<std::filesystem::path>& files, const ArgumentInfo& info) {
  app_.add_option(info.name, files, info.help)->required();
}

void Arguments::words(std::vector<std::string>& words, const ArgumentInfo& info) {
  app_.add_option(info.name, words, info.help)->required();
}

void Arguments::choice(std::string& chosen, const ArgumentInfo& info, std::vector<std::string> choices) {
  app_.add_option(info.name, chosen, info.help)->required()->check(CLI::IsMember(std::move(choices)));
}

void Arguments::file(std::filesystem::path& file, const ArgumentInfo& info) { app_.add_option(info.name, file, info.help)->required(); }

void Arguments::required_path(std::filesystem::path& path, const ArgumentInfo& info) {
  app_.add_option(info.name, path, info.help)->required()->type_name(info.value);
}

void Arguments::text(std::string& text, const ArgumentInfo& info) { app_.add_option(info.name, text, info.help)->type_name(info.value); }

void Arguments::flag(bool& on, const ArgumentInfo& info) { app_.add_flag(info.name, on, info.help); }

void Arguments::integer(int64_t& value, const ArgumentInfo& info, int64_t low, int64_t high) {
  app_.add_option(info.name, value, info.help)->check(CLI::Range(low, high))->type_name(info.value);
}

void Arguments::settings(std::initializer_list<std::string_view> names) { add_settings(app_, settings_, names); }

void Arguments::limit_settings() {
  add_settings(*app_.add_option_group("Limits"), settings_,
               {"limit-file-mib", "limit-inflated-mib", "limit-inflate-ratio", "limit-zip-entries", "limit-pages", "limit-image-side",
                "limit-image-megapixels", "limit-helper-seconds", "limit-helper-mib"});
}

void Arguments::model_settings() { settings({"model", "random-weights", "device", "precision", "kv-precision", "threads", "plan", "gpu", "tensor-parallel"}); }

void Arguments::page_settings() { settings({"style", "dpi"}); }

void Arguments::sampling_settings() {
  settings({"max-tokens", "temperature", "top-k", "top-p", "repetition-penalty", "seed", "stop", "draft-tokens"});
}

}  // namespace glyph
