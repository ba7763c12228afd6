#include "vision/compiled_passes.h"

#include <algorithm>

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
