#include "server/exposition.h"

#include <fmt/format.h>

#include <algorithm>

namespace glyph {
namespace {

// Label values escape backslash, quote and line end.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') out += "\\n";
    else out += c;
  }
  return out;
}

std::string_view name_of(Exposition::Type type) {
  switch (type) {
    case Exposition::Type::kCounter: return "counter";
    case Exposition::Type::kGauge: return "gauge";
    case Exposition::Type::kHistogram: break;
  }
  return "histogram";
}

}  // namespace

void Histogram::add(double value) {
  const auto interval = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  ++counts_[static_cast<size_t>(interval)];
  ++count_;
  sum_ += value;
}

void Exposition::family(std::string_view name, Type type, std::string_view help) {
  name_ = name;
  text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, name_of(type));
}

void Exposition::sample(const Labels& labels, double value) { line("", labels, value); }

void Exposition::sample(const Labels& labels, const Histogram& histogram) {
  uint64_t below = 0;
  for (size_t i = 0; i < histogram.counts().size(); ++i) {
    below += histogram.counts()[i];
    const std::string bound = i < histogram.bounds().size() ? fmt::format("{}", histogram.bounds()[i]) : "+Inf";
    Labels bounded = labels;
    bounded.emplace_back("le", bound);
    line("_bucket", bounded, static_cast<double>(below));
  }
  line("_sum", labels, histogram.sum());
  line("_count", labels, static_cast<double>(histogram.count()));
}

void Exposition::line(std::string_view suffix, const Labels& labels, double value) {
  text_ += name_;
  text_ += suffix;
  char separator = '{';
  for (const auto& [label, text] : labels) {
    text_ += fmt::format("{}{}=\"{}\"", separator, label, escaped(text));
    separator = ',';
  }
  text_ += fmt::format("{} {}\n", labels.empty() ? "" : "}", value);
}

}  // namespace glyph
