#include "cache/page_owners.h"

#include <algorithm>
#include <utility>

namespace glyph {

std::vector<Digest> PageOwners::set(const std::string& owner, std::vector<Digest> pages) {
  std::sort(pages.begin(), pages.end());
  pages.erase(std::unique(pages.begin(), pages.end()), pages.end());
  for (const Digest& page : pages) ++counts_[page];
  std::swap(owners_[owner].pages, pages);
  return release(pages);
}

bool PageOwners::add(const std::string& owner, const Digest& page) {
  std::vector<Digest>& pages = owners_[owner].pages;
  const auto place = std::lower_bound(pages.begin(), pages.end(), page);
  if (place != pages.end() && *place == page) return false;
  pages.insert(place, page);
  ++counts_[page];
  return true;
}

std::vector<Digest> PageOwners::remove(const std::string& owner) {
  const auto it = owners_.find(owner);
  if (it == owners_.end()) return {};
  const std::vector<Digest> pages = std::move(it->second.pages);
  owners_.erase(it);
  return release(pages);
}

std::vector<Digest> PageOwners::release(const std::vector<Digest>& pages) {
  std::vector<Digest> free;
  for (const Digest& page : pages) {
    const auto count = counts_.find(page);
    if (--count->second > 0) continue;
    counts_.erase(count);
    free.push_back(page);
  }
  return free;
}

void PageOwners::touch(const std::string& owner, int64_t unix_ms) {
  const auto it = owners_.find(owner);
  if (it != owners_.end()) it->second.last_used = std::max(it->second.last_used, unix_ms);
}

size_t PageOwners::num_owners_of(const Digest& page) const {
  const auto count = counts_.find(page);
  return count == counts_.end() ? 0 : count->second;
}

const PageOwners::Owner* PageOwners::find(const std::string& owner) const {
  const auto it = owners_.find(owner);
  return it == owners_.end() ? nullptr : &it->second;
}

std::vector<std::string> PageOwners::oldest_first() const {
  std::vector<std::string> names;
  for (const auto& [name, owner] : owners_) names.push_back(name);
  std::stable_sort(names.begin(), names.end(),
                   [this](const auto& a, const auto& b) { return owners_.at(a).last_used < owners_.at(b).last_used; });
  return names;
}

}  // namespace glyph
