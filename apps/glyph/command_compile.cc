// glyph compile: times the choices that a plan holds, for one model on one device, and writes the plan.
#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "ask_options.h"
#include "base/log.h"
#include "command.h"
#include "engine/compile.h"
#include "exit_code.h"
#include "output.h"
#include "plan/plan_file.h"

namespace glyph {
namespace {

constexpr size_t kMaxSizes = 64;
constexpr int64_t kMaxSide = 65536;

struct CompileArguments {
  std::string pages;
  std::string output;
};

bool take_number(std::string_view& text, int64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return error == std::errc() && value >= 1 && value <= kMaxSide;
}

// "588x840,2048x8192"
Result<std::vector<ImageSize>> parse_sizes(std::string_view text) {
  std::vector<ImageSize> sizes;
  const auto wrong = [whole = std::string(text)] {
    return usage_error(fmt::format("--pages: \"{:.100}\" is no list of at most {} sizes like 588x840,2048x8192 with sides up to {}", whole,
                                   kMaxSizes, kMaxSide));
  };
  do {
    ImageSize size;
    if (!take_number(text, size.width) || !text.starts_with('x')) return wrong();
    text.remove_prefix(1);
    if (!take_number(text, size.height)) return wrong();
    sizes.push_back(size);
    if (!text.empty() && !text.starts_with(',')) return wrong();
    if (text == "," || sizes.size() > kMaxSizes) return wrong();
    if (!text.empty()) text.remove_prefix(1);
  } while (!text.empty());
  return sizes;
}

Result<int> run_compile(Context& context, const CompileArguments& arguments) {
  CompileOptions options{.stop = context.interrupt.token()};
  if (!arguments.pages.empty()) { GLYPH_ASSIGN_OR_RETURN(options.pages, parse_sizes(arguments.pages)); }
  options.progress = [](const std::string& line) { log_info("{}", line); };
  GLYPH_ASSIGN_OR_RETURN(ModelOptions model_choice, model_options(context.settings));
  GLYPH_ASSIGN_OR_RETURN(const std::unique_ptr<Model> model, Model::load(model_choice));
  std::filesystem::path file = arguments.output;
  if (file.empty()) file = plan_cache_file(plan_identity(*model));
  if (file.empty()) return usage_error("there is no home directory to keep the plan in; name a file with -o");
  std::error_code ignored;
  if (arguments.output.empty()) std::filesystem::create_directories(file.parent_path(), ignored);
  log_info("timing on {}", model->device().description());
  GLYPH_ASSIGN_OR_RETURN(const Plan plan, compile_plan(*model, options));
  GLYPH_RETURN_IF_ERROR(save_plan(plan, file));
  GLYPH_RETURN_IF_ERROR(write_stdout(file.string() + "\n"));
  return kExitOk;
}

}  // namespace

Command compile_command() {
  auto given = std::make_shared<CompileArguments>();
  return {"compile", "Time a model's choices on this machine once, and keep them as a plan that later starts load.",
          [given](Arguments& arguments) {
            arguments.text(given->pages, {"--pages", "sizes of pages in pixels (default: 588x840, A4 at 72 dpi)", "WxH,..."});
            arguments.text(given->output, {"-o,--output", "where the plan goes (default: the cache directory, where it is found)", "PLAN"});
            arguments.model_settings();
          },
          [given](Context& context) { return run_compile(context, *given); }};
}

}  // namespace glyph
