#include "command.h"

#include <string>

#include "base/check.h"

namespace glyph {

void add_settings(CLI::App& app, Settings& settings, std::initializer_list<std::string_view> names) {
  for (std::string_view name : names) {
    const SettingInfo* info = find_setting(name);
    GLYPH_CHECK(info != nullptr);
    const std::string flags = (name == "model" ? "-m,--" : "--") + std::string(name);
    if (info->value.empty()) {
      app.add_flag_callback(flags, [&settings, name] { settings.set_flag(name, "true"); }, std::string(info->help));
      continue;
    }
    app.add_option_function<std::string>(
           flags, [&settings, name](const std::string& value) { settings.set_flag(name, value); }, std::string(info->help))
        ->type_name(std::string(info->value))
        ->take_last();
  }
}

void add_limit_settings(CLI::App& app, Settings& settings) {
  CLI::Option_group* limits = app.add_option_group("Limits");
  add_settings(*limits, settings,
               {"limit-file-mib", "limit-inflated-mib", "limit-inflate-ratio", "limit-zip-entries", "limit-pages", "limit-image-side",
                "limit-image-megapixels", "limit-helper-seconds", "limit-helper-mib"});
}

void add_model_settings(CLI::App& app, Settings& settings) {
  add_settings(app, settings, {"model", "precision", "threads"});
}

void add_sampling_settings(CLI::App& app, Settings& settings) {
  add_settings(app, settings, {"max-tokens", "temperature", "top-k", "top-p", "repetition-penalty", "seed", "stop"});
}

}  // namespace glyph
