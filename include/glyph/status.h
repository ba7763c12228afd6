// Status and Result: how every room reports what a user, a file or the network can cause.
//
// A message is one sentence that names the culprit ("report.pdf: the file is encrypted"). A CHECK (base/check.h) is for our
// own bugs only. Both types are plain values; any thread may copy them.
#pragma once

#include <optional>
#include <string>
#include <utility>

namespace glyph {

enum class StatusCode {
  kOk = 0,
  kUsage,       // the caller asked for something that does not exist (exit 2, HTTP 400)
  kRefused,     // the input was read and is not acceptable (exit 3, HTTP 400/413/415/422)
  kNotFound,    // a named file, document or model is not there (exit 3 for inputs, HTTP 404)
  kExhausted,   // a limit of this process was reached: memory, queue, disk (exit 1, HTTP 429/507)
  kCancelled,   // the caller or a signal stopped it (exit 130)
  kDeadline,    // a time limit passed (exit 3 for inputs, HTTP 408/422)
  kInternal,    // everything else, an I/O error included (exit 1, HTTP 500)
};

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
};

inline Status usage_error(std::string message) { return {StatusCode::kUsage, std::move(message)}; }
inline Status refused(std::string message) { return {StatusCode::kRefused, std::move(message)}; }
inline Status not_found(std::string message) { return {StatusCode::kNotFound, std::move(message)}; }
inline Status exhausted(std::string message) { return {StatusCode::kExhausted, std::move(message)}; }
inline Status cancelled(std::string message) { return {StatusCode::kCancelled, std::move(message)}; }
inline Status deadline(std::string message) { return {StatusCode::kDeadline, std::move(message)}; }
inline Status internal_error(std::string message) { return {StatusCode::kInternal, std::move(message)}; }

// A value or the Status that explains why there is none.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}               // NOLINT: implicit on purpose, `return value;`
  Result(Status status) : status_(std::move(status)) {}       // NOLINT: implicit on purpose, `return refused(...);`

  bool ok() const { return value_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Status& status() const { return status_; }

  T& value() & { return *value_; }
  const T& value() const& { return *value_; }
  T&& value() && { return *std::move(value_); }
  T& operator*() & { return *value_; }
  const T& operator*() const& { return *value_; }
  T&& operator*() && { return *std::move(value_); }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace glyph

#define GLYPH_CONCAT_INNER(a, b) a##b
#define GLYPH_CONCAT(a, b) GLYPH_CONCAT_INNER(a, b)

// Returns the Status of `expr` from the enclosing function unless it is ok.
#define GLYPH_RETURN_IF_ERROR(expr)               \
  do {                                            \
    if (::glyph::Status s_ = (expr); !s_.ok()) return s_; \
  } while (false)

// `GLYPH_ASSIGN_OR_RETURN(auto x, f());` gives x the value of f() or returns its Status.
#define GLYPH_ASSIGN_OR_RETURN(lhs, expr) GLYPH_ASSIGN_OR_RETURN_INNER(GLYPH_CONCAT(result_, __LINE__), lhs, expr)
#define GLYPH_ASSIGN_OR_RETURN_INNER(tmp, lhs, expr) \
  auto tmp = (expr);                                 \
  if (!tmp.ok()) return tmp.status();                \
  lhs = *std::move(tmp)
