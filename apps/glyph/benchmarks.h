// The measurements of `glyph bench`: each gives its rows as JSON and as a table for people.
#pragma once

#include <boost/json/object.hpp>

#include <cstdint>
#include <stop_token>
#include <string>

#include "glyph/status.h"
#include "settings.h"

namespace glyph {

struct BenchArguments {
  std::string what;        // "render", "ops" or "e2e"
  bool json = false;
  int64_t pages = 10;      // e2e: pages of the document
  int64_t repeats = 3;     // e2e: questions; the first one is cold
  int64_t max_tokens = 64; // e2e: length of each answer
};

struct BenchReport {
  boost::json::object data;
  std::string table;
};

Result<BenchReport> report_render(const Settings& settings, const BenchArguments& arguments);
Result<BenchReport> report_ops(const Settings& settings, const BenchArguments& arguments);
Result<BenchReport> report_e2e(const Settings& settings, const BenchArguments& arguments, std::stop_token stop);

// Sentences of random English words, enough for so many pages in the default style; the same each time.
std::string generated_text(int64_t pages);

// Processor, cores, memory, operating system: what a figure is worth nothing without.
boost::json::object machine_json();

}  // namespace glyph
