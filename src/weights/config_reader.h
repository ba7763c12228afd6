// Typed, range-checked access to one JSON object of a configuration file; remembers the first thing that was
// wrong.
//
// A key that is absent or null gives the default. Not thread safe; one reader, one thread.
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "glyph/status.h"

namespace glyph {

class ConfigReader {
 public:
  // `where` names file and object ("config.json: text_config"). The object must outlive the reader.
  ConfigReader(std::string where, const boost::json::object& object)
      : where_(std::move(where)), object_(object) {}

  int64_t integer(std::string_view key, int64_t fallback, int64_t min, int64_t max);
  // Finite and within [min, max].
  double number(std::string_view key, double fallback, double min, double max);
  bool boolean(std::string_view key, bool fallback);
  std::string string(std::string_view key, std::string_view fallback);
  // One integer or a list of them.
  std::vector<int32_t> token_ids(std::string_view key);
  // A list of exactly out.size() entries; out keeps its values when the key is absent.
  void integers(std::string_view key, std::span<int64_t> out, int64_t min, int64_t max);
  void numbers(std::string_view key, std::span<double> out, double min, double max);
  std::vector<std::string> strings(std::string_view key, size_t max_count, size_t max_length);

  // Refuses every value but `supported`.
  void require_text(std::string_view key, std::string_view supported, std::string_view fallback);
  void require_flag(std::string_view key, bool supported, bool fallback);

  // nullptr when absent or null, an error when it is something else.
  const boost::json::object* child(std::string_view key);
  bool has(std::string_view key) const { return find(key) != nullptr; }

  void fail(std::string_view key, const std::string& problem);
  const std::string& where() const { return where_; }
  const Status& status() const { return status_; }

 private:
  const boost::json::value* find(std::string_view key) const;
  bool to_integer(std::string_view key, const boost::json::value& value, int64_t min, int64_t max,
                  int64_t* out);
  bool to_number(std::string_view key, const boost::json::value& value, double min, double max, double* out);
  const boost::json::array* list(std::string_view key, size_t size);

  std::string where_;
  const boost::json::object& object_;
  Status status_;
};

}  // namespace glyph
