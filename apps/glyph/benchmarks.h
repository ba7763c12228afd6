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
  std::string what;        // "render", "ops", "e2e", "ladder" or "load"
  bool json = false;
  std::string json_file;   // where the JSON goes besides; "": nowhere
  int64_t pages = 10;      // e2e, ladder, load: pages of a document
  int64_t repeats = 3;     // e2e: questions, the first one cold; ladder: questions that are timed, after one that is not
  int64_t max_tokens = 0;  // length of each answer; 0: 64 for e2e and load, 128 for ladder
  // ladder:
  std::string rows;        // keys of rows; "": all
  bool uncompiled = false; // no row makes a plan
  std::string picture;     // "2048x8192"; "": none
  std::string grow;        // numbers of pages; "": none
  int64_t streams = 0;     // answers written at once; 0: not measured
  int64_t documents = 0;   // ladder: that they are about, 0: 8; load: that are asked about, 0: 1
  int64_t seconds = 0;     // what is not begun by then is left out; 0: everything is measured
  std::string svg;         // where the chart goes; "": nowhere
  // load:
  std::string url;         // of the server, http only; "": one in this process
  std::string key_file;    // with its key in the first line; "": it wants none
  int64_t clients = 8;
  int64_t questions = 0;   // of all clients together; 0: four of each
};

struct BenchReport {
  boost::json::object data;
  std::string table;
};

Result<BenchReport> report_render(const Settings& settings, const BenchArguments& arguments);
Result<BenchReport> report_ops(const Settings& settings, const BenchArguments& arguments);
Result<BenchReport> report_e2e(const Settings& settings, const BenchArguments& arguments, std::stop_token stop);

// A row that fails has its reason in the report.
Result<BenchReport> report_ladder(const Settings& settings, const BenchArguments& arguments, std::stop_token stop);

// Over sockets; a question that fails is counted and its reason kept.
Result<BenchReport> report_load(const Settings& settings, const BenchArguments& arguments, std::stop_token stop);

// Sentences of random English words, enough for so many pages in the default style; the same each time for the same seed.
std::string generated_text(int64_t pages, uint32_t seed = 7);

// Processor, cores, memory, operating system: what a figure is worth nothing without.
boost::json::object machine_json();

}  // namespace glyph
