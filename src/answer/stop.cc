#include "answer/stop.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace glyph {
namespace {

struct Found {
  size_t begin = std::string_view::npos;
  size_t end = std::string_view::npos;
};

// The stop string that is complete first; the longest of those that end there. So the answer does not depend
// on how the text was cut into pieces.
Found find_first(std::string_view text, const std::vector<std::string>& strings) {
  Found first;
  for (const std::string& stop : strings) {
    const size_t begin = text.find(stop);
    if (begin == std::string_view::npos) continue;
    const size_t end = begin + stop.size();
    if (end < first.end || (end == first.end && begin < first.begin)) first = {begin, end};
  }
  return first;
}

// How many bytes at the end of `text` begin a stop string.
size_t open_bytes(std::string_view text, const std::vector<std::string>& strings) {
  size_t longest = 0;
  for (const std::string& stop : strings) {
    for (size_t length = std::min(stop.size() - 1, text.size()); length > longest; --length) {
      if (text.ends_with(std::string_view(stop).substr(0, length))) longest = length;
    }
  }
  return longest;
}

}  // namespace

Status check_stop_strings(std::span<const std::string> strings) {
  if (strings.size() > kMaxStopStrings) {
    return usage_error(
        fmt::format("there are {} stop strings, the limit is {}", strings.size(), kMaxStopStrings));
  }
  for (const std::string& stop : strings) {
    if (stop.empty()) return usage_error("a stop string is empty");
    if (stop.size() > kMaxStopStringBytes) {
      return usage_error(
          fmt::format("a stop string has {} bytes, the limit is {}", stop.size(), kMaxStopStringBytes));
    }
  }
  return {};
}

StopIds::StopIds(std::vector<int32_t> ids) : ids_(std::move(ids)) { std::sort(ids_.begin(), ids_.end()); }

bool StopIds::contains(int32_t id) const { return std::binary_search(ids_.begin(), ids_.end(), id); }

StopStrings::StopStrings(std::vector<std::string> strings) : strings_(std::move(strings)) {
  std::erase_if(strings_, [](const std::string& stop) { return stop.empty(); });
}

StopStrings::Piece StopStrings::push(std::string_view text) {
  if (stopped_) return {{}, true};
  std::string all = std::exchange(held_, {});
  all += text;
  const Found found = find_first(all, strings_);
  if (found.begin != std::string_view::npos) {
    stopped_ = true;
    return {all.substr(0, found.begin), true};
  }
  const size_t ready = all.size() - open_bytes(all, strings_);
  held_ = all.substr(ready);
  all.resize(ready);
  return {std::move(all), false};
}

std::string StopStrings::flush() { return std::exchange(held_, {}); }

}  // namespace glyph
