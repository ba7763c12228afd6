// Arguments: what a subcommand takes. A thin face of CLI11, which alone costs eight seconds a source file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "settings.h"

namespace CLI {
class App;
}

namespace glyph {

// What an argument is called and what the help says about it.
struct ArgumentInfo {
  std::string name;   // "FILE", "--json", "-o,--output"
  std::string help;
  std::string value;  // what a flag's value is called, "DIR"
};

// The variables that are filled during parsing, and `settings`, must outlive it.
class Arguments {
 public:
  Arguments(CLI::App& app, Settings& settings) : app_(app), settings_(settings) {}

  // Required positional arguments.
  void files(std::vector<std::filesystem::path>& files, const ArgumentInfo& info);
  void words(std::vector<std::string>& words, const ArgumentInfo& info);
  void choice(std::string& chosen, const ArgumentInfo& info, std::vector<std::string> choices);
  void file(std::filesystem::path& file, const ArgumentInfo& info);
  // Flags.
  void required_path(std::filesystem::path& path, const ArgumentInfo& info);
  void text(std::string& text, const ArgumentInfo& info);
  void flag(bool& on, const ArgumentInfo& info);
  void integer(int64_t& value, const ArgumentInfo& info, int64_t low, int64_t high);

  // Flags for settings of settings.h.
  void settings(std::initializer_list<std::string_view> names);
  void limit_settings();     // of IngestLimits and of drawing
  void model_settings();     // which model, how it computes
  void page_settings();      // style and resolution
  void sampling_settings();  // how the answer is written

 private:
  CLI::App& app_;
  Settings& settings_;
};

}  // namespace glyph
