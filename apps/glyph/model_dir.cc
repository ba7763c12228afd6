#include "model_dir.h"

#include <fmt/format.h>

#include <vector>

namespace glyph {
namespace fs = std::filesystem;
namespace {

constexpr const char* kDefaultModel = "models/glyph-mini";

bool is_model_dir(const fs::path& dir) {
  std::error_code ignored;
  return fs::is_regular_file(dir / "config.json", ignored);
}

std::vector<fs::path> candidates() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  std::vector<fs::path> found;
  if (error) return found;
  found.push_back(program.parent_path().parent_path() / "share" / "glyph" / kDefaultModel);
  fs::path dir = program.parent_path();
  for (int level = 0; level < 5 && dir != dir.root_path(); ++level, dir = dir.parent_path()) found.push_back(dir / kDefaultModel);
  return found;
}

}  // namespace

Result<fs::path> find_model_dir(const Settings& settings) {
  if (const auto named = settings.text("model")) {
    if (is_model_dir(*named)) return fs::path(*named);
    return not_found(fmt::format("{}: is not a model directory, it has no config.json", *named));
  }
  for (const fs::path& dir : candidates()) {
    if (is_model_dir(dir)) return dir;
  }
  return not_found("no model: pass -m DIR or set GLYPH_MODEL; models/glyph-mini is not beside this program");
}

}  // namespace glyph
