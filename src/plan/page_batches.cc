#include "plan/page_batches.h"

#include <algorithm>
#include <limits>

namespace glyph {

PageBatches::PageBatches(DeviceKind device, const Plan& plan) : PageBatches(device) {
  for (const PlannedPass& pass : plan.passes) {
    auto found = std::find_if(times_.begin(), times_.end(), [&](const Times& times) { return times.shape == pass.shape; });
    if (found == times_.end()) found = times_.insert(times_.end(), {pass.shape, {}});
    found->passes.push_back(pass);
  }
}

PageBatches PageBatches::of_patches(int64_t patches) {
  PageBatches batches(DeviceKind::kReference);
  batches.patches_together_ = patches;
  return batches;
}

const PageBatches::Times* PageBatches::find(const PageShape& shape) const {
  const auto found = std::find_if(times_.begin(), times_.end(), [&](const Times& times) { return times.shape == shape; });
  return found == times_.end() ? nullptr : &*found;
}

// By a plan: of the pass that takes least time a page.
int64_t PageBatches::most_pages(const PageShape& shape) const {
  if (const Times* times = find(shape)) {
    const auto a_page = [](const PlannedPass& pass) { return pass.ms / static_cast<double>(pass.num_pages); };
    return std::min_element(times->passes.begin(), times->passes.end(),
                            [&](const PlannedPass& a, const PlannedPass& b) { return a_page(a) < a_page(b); })
        ->num_pages;
  }
  return std::clamp<int64_t>(patches_together_ / std::max<int64_t>(1, shape.grid.num_patches()), 1, kMaxPages);
}

// Least total time for n pages from that for fewer.
std::vector<int64_t> PageBatches::split(const PageShape& shape, int64_t num_pages) const {
  const Times* times = find(shape);
  const auto covers = [&](int64_t pages) {
    return std::any_of(times->passes.begin(), times->passes.end(), [&](const PlannedPass& pass) { return pass.num_pages == pages; });
  };
  if (times == nullptr || !covers(1)) return {num_pages};
  constexpr double kNever = std::numeric_limits<double>::infinity();
  std::vector<double> least(static_cast<size_t>(num_pages) + 1, kNever);
  std::vector<int64_t> last(least.size(), 0);
  least[0] = 0;
  for (size_t n = 1; n < least.size(); ++n) {
    for (const PlannedPass& pass : times->passes) {
      const auto pages = static_cast<size_t>(pass.num_pages);
      if (pages > n || least[n - pages] + pass.ms >= least[n]) continue;
      least[n] = least[n - pages] + pass.ms;
      last[n] = pass.num_pages;
    }
  }
  std::vector<int64_t> passes;
  for (int64_t left = num_pages; left > 0; left -= passes.back()) passes.push_back(last[static_cast<size_t>(left)]);
  std::sort(passes.begin(), passes.end(), std::greater<>());
  return passes;
}

}  // namespace glyph
