// Settings: what the user chose, from three places. A flag beats GLYPH_NAME in the environment, which beats "name = value" in
// the configuration file. All three hold text; the getters read it once, with the same limits and messages wherever it came from.
//
// The configuration file: `name = value` lines with the long names of the flags ("max-tokens = 200"), # comments, blank lines.
// It is --config FILE, or $GLYPH_CONFIG, or $XDG_CONFIG_HOME/glyph/glyph.conf (~/.config/...), where that exists.
//
// Not thread safe; built and read by the main thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "glyph/status.h"

namespace glyph {

// One thing a user can set.
struct SettingInfo {
  std::string_view name;   // of the flag, without dashes; GLYPH_ + upper case in the environment
  std::string_view value;  // what the value is called in the help, "" for a switch
  std::string_view help;
};

// Every setting of every command, and its line in the help.
std::span<const SettingInfo> all_settings();
// nullptr when there is none of that name.
const SettingInfo* find_setting(std::string_view name);
// "max-tokens" -> "GLYPH_MAX_TOKENS"
std::string environment_name(std::string_view setting);

class Settings {
 public:
  // A flag given on the command line; a switch has the value "true".
  void set_flag(std::string_view name, std::string value);
  // Reads the environment, then the configuration file. kUsage names file, line and key of what is wrong in it.
  Status load_environment_and_file();
  // The same from given text; `where` names the file in messages.
  Status load_file(std::string_view text, const std::string& where);

  std::optional<std::string> text(std::string_view name) const;
  // `fallback` when the setting is nowhere. kUsage when it is not a number, or outside [low, high]; names the place it came from.
  Result<int64_t> integer(std::string_view name, int64_t fallback, int64_t low, int64_t high) const;
  Result<double> number(std::string_view name, double fallback, double low, double high) const;
  // true, false, 1, 0, yes, no, on, off.
  Result<bool> boolean(std::string_view name, bool fallback) const;
  bool has(std::string_view name) const { return find(name) != nullptr; }

 private:
  struct Value {
    std::string text;
    std::string origin;  // "--max-tokens", "GLYPH_MAX_TOKENS", "glyph.conf line 3"
  };
  using Layer = std::map<std::string, Value, std::less<>>;

  const Value* find(std::string_view name) const;

  Layer flags_, environment_, file_;
};

}  // namespace glyph
