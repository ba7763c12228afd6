// A plan in a file: lines of words, the last one a SHA-256 of all before it.
//
//   glyph plan 1
//   program 0.2.0
//   model 5f0c...
//   device NVIDIA H200, 140 GiB, compute capability 9.0
//   libraries driver 13.0, cuDNN 9.14.0
//   chunk TOKENS MS                                             any number
//   pages ROWS COLUMNS CHANNELS PAGES ATTENTION recorded|direct MS    any number; rows and columns in patches
//   product OUTPUTS DEPTH ROWS TYPE OUT_TYPE FLAGS WORKSPACE SECONDS FIRST_SECONDS HEX...    any number; flags: - or of b a s
//   sha256 HEX
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "glyph/status.h"
#include "plan/plan.h"

namespace glyph {

constexpr size_t kMaxPlanBytes = size_t{1} << 20;
constexpr size_t kMaxPlanLines = 4096;

std::string plan_text(const Plan& plan);
// kRefused: damaged, of another format version, or past a limit; `where` begins the sentence.
Result<Plan> parse_plan(std::string_view text, const std::string& where);

// kNotFound and kRefused as read_file() and parse_plan().
Result<Plan> load_plan(const std::filesystem::path& file);
Status save_plan(const Plan& plan, const std::filesystem::path& file);

}  // namespace glyph
