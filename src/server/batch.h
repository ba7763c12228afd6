// Batch: what is known of one batch, and its JSON. Plain values.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace glyph {

enum class BatchState { kValidating, kInProgress, kFinalizing, kCompleted, kFailed, kExpired, kCancelling, kCancelled };
std::string_view name_of(BatchState state);

struct Batch {
  std::string id;           // "batch_" and 24 digits
  std::string endpoint;     // "/v1/chat/completions" or "/v1/completions"
  std::string input_file;   // ids of files
  std::string output_file;  // "" until there is one
  std::string error_file;
  std::string metadata = "null";  // the client's, JSON
  std::string error;        // of kFailed
  BatchState state = BatchState::kValidating;
  size_t total = 0;         // lines
  size_t completed = 0;     // with an answer
  size_t failed = 0;        // in the error file
  // Unix seconds; 0: has not happened.
  int64_t created_at = 0, in_progress_at = 0, expires_at = 0, finalizing_at = 0, completed_at = 0, failed_at = 0, expired_at = 0;
  int64_t cancelling_at = 0, cancelled_at = 0;

  bool finished() const {
    return state == BatchState::kCompleted || state == BatchState::kFailed || state == BatchState::kExpired || state == BatchState::kCancelled;
  }
  // Goes to a state and notes when.
  void enter(BatchState next, int64_t now);
};

// As the API shows it; the same object is what is kept on disk.
boost::json::object batch_json(const Batch& batch);
// Nothing when the text is none of ours.
std::optional<Batch> parse_saved_batch(std::string_view text);

}  // namespace glyph
