#include "vision/compiled_passes.h"

#include <algorithm>

#include "base/log.h"

namespace glyph {

void CompiledPasses::add(const PageShape& shape, int64_t num_pages) { passes_.try_emplace(key_of(shape, num_pages)); }

CompiledPasses::Pass* CompiledPasses::find(std::span<const Patches> pages, const VisionConfig& config) {
  if (pages.empty() || passes_.empty()) return nullptr;
  const PageShape shape = shape_of(pages.front());
  const auto alike = [&](const Patches& page) { return shape_of(page) == shape; };
  if (!std::all_of(pages.begin(), pages.end(), alike)) return nullptr;
  const auto found = passes_.find(key_of(shape, std::ssize(pages)));
  if (found == passes_.end()) return nullptr;
  Pass& pass = found->second;
  if (pass.batch == nullptr) {
    pass.batch = std::make_unique<PageBatch>(*device_, config, std::vector<PageShape>(pages.size(), shape));
  }
  return &pass;
}

void CompiledPasses::say_what_is_missing(std::span<const Patches> pages) {
  if (passes_.empty() || said_) return;
  for (const Patches& page : pages) {
    const auto [rows, columns, channels, count] = key_of(shape_of(page), 0);
    const auto found = passes_.lower_bound({rows, columns, channels, 0});
    if (found != passes_.end() && std::get<0>(found->first) == rows && std::get<1>(found->first) == columns &&
        std::get<2>(found->first) == channels) {
      continue;
    }
    log_info("pages of {} x {} patches are not in the plan and are encoded call by call", rows, columns);
    said_ = true;
    return;
  }
}

void CompiledPasses::run(Pass& pass, std::span<const Patches> pages, const std::function<void(Pass& pass)>& queue) {
  pass.batch->set(pages);
  if (pass.work == nullptr && pass.recordable && pass.num_runs > 0) {
    pass.work = device_->record([queue, &pass] { queue(pass); });
    pass.recordable = pass.work != nullptr;
  }
  if (pass.work != nullptr) pass.work->repeat();
  else queue(pass);
  ++pass.num_runs;
}

}  // namespace glyph
