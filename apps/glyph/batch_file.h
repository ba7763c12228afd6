// The two files of `glyph batch`: questions in, answers out, one JSON object a line.
//
// In:  {"id": text or whole number, "files": ["a.pdf", ...], "question": text, "max_tokens": N (optional)}
// Out: {"id", "answer", ...} as ask --json, or {"id", "line", "error"}; "line" is the input's, "id" null when it has none.
// The answers file is only ever appended to, so an interrupted run can go on: what stands in it is not asked again.
#pragma once

#include <boost/json/object.hpp>

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "glyph/status.h"

namespace glyph {

struct BatchQuestion {
  boost::json::value id;  // null when the line has none that can be used
  size_t line = 0;        // counted from 1
  std::vector<std::filesystem::path> files;
  std::string question;
  std::optional<int64_t> max_tokens;
};

// Reads one line. What is wrong with it comes back as `error`, beside the id if that could be read.
struct BatchLine {
  BatchQuestion question;
  Status error;
};
BatchLine parse_batch_line(std::string_view text, size_t line);

// One thread; a lock keeps other runs away from the file.
class BatchOutput {
 public:
  // Opens or creates the file, removes a last line that was cut off, and reads what is answered. kUsage when the file holds
  // anything that batch does not write: it is not touched then. kExhausted when another run holds it.
  static Result<BatchOutput> open(const std::filesystem::path& path);

  BatchOutput(BatchOutput&& other) noexcept;
  BatchOutput& operator=(BatchOutput&&) = delete;
  ~BatchOutput();

  bool has(const BatchQuestion& question) const;
  Status append_answer(const BatchQuestion& question, boost::json::object answer);
  Status append_error(const BatchQuestion& question, const std::string& message);

 private:
  BatchOutput(std::filesystem::path path, int fd) : path_(std::move(path)), fd_(fd) {}
  Status load();
  Status remember(std::string_view line, size_t line_number);
  Status append(const boost::json::object& line);
  void mark(const BatchQuestion& question);

  std::filesystem::path path_;
  int fd_ = -1;
  std::set<std::string> ids_;   // as JSON text
  std::set<size_t> bad_lines_;  // of the input, answered with an error and no id
};

}  // namespace glyph
